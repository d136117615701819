"""docs/operators.md followed line by line in an empty Debian, as somebody would who knows nothing of Accord.

make trial PART=operators (as root; debootstrap, and this machine's own sources of packages). Lines of the section
without containers are run one after another in the new root, those that fetch packages in this machine's network, all
others in a network of their own. What needs a container engine, systemd or a name on the internet is linted and listed
as not run; the units that systemd would start are started from their own ExecStart.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.training.workers import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "operators.md"
FOLLOWED = "One host without containers"
NOT_RUN = {
    "docker": "needs a container engine",
    "systemctl": "needs systemd; the units' commands are run in its place",
    "/etc/systemd/system": "needs systemd",
    "certbot": "needs a name on the internet",
}
NEEDS_PACKAGES = ("apt-get", "pip install")
KEPT = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_CERT",
    "PIP_FIND_LINKS",
    "PIP_CONSTRAINT",
    "http_proxy",
    "https_proxy",
)
HANDED_OVER = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/xdg/pip", "/etc/ssl/certs", "/etc/apt", "/usr/share/keyrings",
               "/usr/local/share/ca-certificates")  # fmt: skip
UNITS = {"accord-web.service": "", "accord-worker@.service": "cpu", "accord-tend.service": ""}
LINE_SECONDS = 3600


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Section and line of every line of shell on a page: those that are indented by four blanks."""
    section = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("    "):
            yield section, line[4:]


def why_not(section: str, line: str) -> str:
    """Empty for a line that is run."""
    if section != FOLLOWED:
        return "is of another way to run a site" if "docker" not in line else NOT_RUN["docker"]
    return next((why for word, why in NOT_RUN.items() if word in line), "")


@dataclass
class System:
    """An empty Debian below a folder. network: the process that holds a network of its own for it."""

    folder: Path
    network: subprocess.Popen[bytes]
    mounts: list[Path] = field(default_factory=list)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, line: str, *, alone: bool) -> list[str]:
        inside = ["chroot", str(self.folder), "/bin/sh", "-c", line]
        return ["nsenter", f"--net=/proc/{self.network.pid}/ns/net", *inside] if alone else inside

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}  # fmt: skip

    def run(self, line: str) -> str:
        alone = not any(word in line for word in NEEDS_PACKAGES)
        ended = subprocess.run(
            self.command(line, alone=alone), env=self.environment(), capture_output=True, text=True, check=False,
            timeout=LINE_SECONDS,
        )  # fmt: skip
        assert ended.returncode == 0, f"{line}\n{ended.stdout[-3000:]}{ended.stderr[-3000:]}"
        return ended.stdout

    def start(self, unit: str, instance: str) -> None:
        """What systemd would start, as the user and with the settings that the unit names."""
        text = (self.folder / "opt/accord/app/deploy/systemd" / unit).read_text()
        [line] = re.findall(r"^ExecStart=(.*)$", text, flags=re.MULTILINE)
        line = line.replace("%i", instance).replace("%%h", "trial").replace("%h", "trial")
        with (self.folder / "root" / f"{unit}.log").open("wb") as log:
            command = self.command(f"accord {line}", alone=True)
            self.started.append(subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log))

    def mount(self, *what: str, at: str) -> None:
        place = self.folder / at.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *what, str(place)], check=True)
        self.mounts.append(place)

    def processes(self) -> list[int]:
        found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in found if _root_of(Path(f"/proc/{pid}")) == str(self.folder)]

    def end(self) -> None:
        """Every process whose root is the folder, then what is mounted there."""
        for process in self.started:
            process.terminate()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.network.kill()
        for process in [*self.started, self.network]:
            process.wait()
        # What is still in use cannot be unmounted, and what is mounted must not be deleted with the folder.
        wait_until(lambda: not self.processes())
        for place in reversed(self.mounts):
            subprocess.run(["umount", str(place)], check=True)


def _root_of(entry: Path) -> str:
    try:
        return os.readlink(entry / "root")
    except OSError:
        return ""


def mirror() -> str:
    """Where this machine has Debian from."""
    found = [*Path("/etc/apt").glob("sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(path.read_text() for path in found)
    [first, *_] = re.findall(r"^(?:deb\s(?:\[.*\]\s)?|URIs:\s*)(\S+/debian)/?(?:\s|$)", text, flags=re.MULTILINE)
    return str(first)


def local_indexes() -> set[str]:
    """Folders of this machine that pip is told to look into."""
    told = subprocess.run(["pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    found = {path.removesuffix("/simple") for path in re.findall(r"(?:file://)?(/[\w./-]+)", told)}
    return {path for path in found if Path(path).is_dir()}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("needs root and debootstrap (Debian: apt install debootstrap)")
    folder = tmp_path / "debian"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(folder), mirror()], check=True)
    network = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    found = System(folder, network)
    try:
        wait_until(lambda: os.readlink(f"/proc/{network.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        subprocess.run(["nsenter", f"--net=/proc/{network.pid}/ns/net", "ip", "link", "set", "lo", "up"], check=True)
        found.mount("-t", "proc", "proc", at="/proc")
        found.mount("-t", "tmpfs", "tmpfs", at="/dev/shm")
        for path in local_indexes():
            found.mount("--bind", "-o", "ro", path, at=path)
        for path in filter(os.path.exists, HANDED_OVER):
            subprocess.run(["cp", "-aL", "--no-target-directory", path, str(folder) + path], check=False)
        code = folder / "root" / "accord"
        code.mkdir(parents=True)
        packed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(code)], input=packed, check=True)
        yield found
    finally:
        found.end()


def test_every_line_is_shell_and_those_that_are_not_run_are_listed() -> None:
    lines = list(blocks(PAGE.read_text(encoding="utf-8")))
    for _, line in lines:
        subprocess.run(["bash", "-n", "-c", line], check=True)
        assert shlex.split(line, comments=True)
    left = [(line, why) for section, line in lines if (why := why_not(section, line))]
    print(f"\n{len(lines) - len(left)} lines are run; these are not:")
    for line, why in left:
        print(f"  {why}: {line}")
    assert len(lines) - len(left) > 20


def test_whoever_follows_the_page_has_a_site(system: System) -> None:
    lines = [line for section, line in blocks(PAGE.read_text(encoding="utf-8")) if not why_not(section, line)]
    *before, last = lines
    assert "/health/ready" in last
    for line in before:
        print(f"$ {line}", flush=True)
        print(system.run(line)[-300:], flush=True)
    for unit, instance in UNITS.items():
        system.start(unit, instance)
    wait_until(lambda: "ok" in _tried(system, last), patience_seconds=600)
    print(f"$ {last}\n{system.run(last)}")


def _tried(system: System, line: str) -> str:
    try:
        return system.run(line)
    except AssertionError:
        return ""
