"""manage.py start: everything up, two links, everything down; a second start takes up where it was."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from training.local_site import MOST_ENDS, NICENESS, follow

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """A started site with a state directory of its own."""

    def __init__(self, state: Path, port: int) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
        self.process = subprocess.Popen(
            [sys.executable, "-u", "manage.py", "start", "--port", str(port)],
            cwd=ROOT,
            env={**kept, "ACCORD_MODE": "local", "ACCORD_STATE_DIR": str(state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_links(self) -> dict[str, str]:
        """By user name; "rehearse" is the page where a newcomer begins."""
        assert self.process.stdout is not None
        links: dict[str, str] = {}
        printed = []
        for line in self.process.stdout:
            printed.append(line)
            if found := re.search(r"sign in as (\w+): +(http\S+)", line):
                links[found[1]] = found[2]
            if found := re.search(r"watch tastes turn into a model: +(http\S+)", line):
                links["rehearse"] = found[1]
            if "Each link works once" in line:
                return links
        raise AssertionError("".join(printed))

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path


def open_page(*links: str) -> str:
    """The last of these pages, opened one after another by one browser."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    for link in links:
        with opener.open(link, timeout=10) as answer:
            page = str(answer.read().decode())
    return page


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    direct = [int(child) for child in found.stdout.split()]
    return direct + [grandchild for child in direct for grandchild in children_of(child)]


def wait_until_gone(pids: list[int]) -> list[int]:
    for _ in range(100):
        pids = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        if not pids:
            break
        time.sleep(0.1)
    return pids


def test_it_signs_in_gives_way_leaves_nothing_running_and_takes_up_where_it_was(state: Path) -> None:
    """One site, started twice: a start takes seconds."""
    port = free_port()
    started = Site(state, port)
    try:
        links = started.read_links()
        assert set(links) == {"researcher", "labeler", "rehearse"}
        assert "First project" in open_page(links["labeler"])
        page = open_page(links["researcher"], links["rehearse"])
        assert "Rehearse a round" in page
        assert "Base: training." in page
        assert priorities_below(started) == {"granian": 0, "work": NICENESS}
        children = children_of(started.process.pid)
        assert len(children) >= 2
    finally:
        assert started.stop() == 0
    assert wait_until_gone(children) == []

    again = Site(state, port)
    try:
        labeler = again.read_links()["labeler"]
        # A worker that is killed comes back, and the pages are there meanwhile.
        killed = worker_of(again)
        os.kill(killed, signal.SIGKILL)
        assert "First project" in open_page(labeler)
        assert wait_for_another(again, killed) != killed
        # Killed, it takes its processes along.
        children = children_of(again.process.pid)
        again.process.kill()
        again.process.wait(10)
        assert wait_until_gone(children) == []
    finally:
        again.stop()


def worker_of(site: Site) -> int:
    """0 where there is none."""
    pids = children_of(site.process.pid)
    return next((pid for pid in pids if "work" in commands_of(pid)), 0)


def commands_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def wait_for_another(site: Site, killed: int) -> int:
    for _ in range(200):
        if (found := worker_of(site)) not in (0, killed):
            return found
        time.sleep(0.1)
    raise AssertionError("no worker came back")


def priorities_below(site: Site) -> dict[str, int]:
    """Of the web server and the worker, less the site's own: the worker gives way to the web server."""
    ours = os.getpriority(os.PRIO_PROCESS, site.process.pid)
    below: dict[str, int] = {}
    for pid in children_of(site.process.pid):
        command = commands_of(pid)
        below |= {name: os.getpriority(os.PRIO_PROCESS, pid) - ours for name in ("granian", "work") if name in command}
    return below


def test_a_port_in_use_is_named_with_the_remedy(state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = Site(state, port)
        assert started.process.stdout is not None
        printed = started.process.stdout.read()
    assert started.process.wait(10) == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in printed
    assert f"make run PORT={port + 1}" in printed
    assert "Traceback" not in printed


def test_a_worker_that_ends_again_and_again_ends_the_site_and_one_that_ends_once_does_not() -> None:
    web = subprocess.Popen(["sleep", "60"])
    begun: list[subprocess.Popen[bytes]] = []

    def revive() -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen(["false"]))
        return begun[-1]

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert follow([web, revive()], revive=revive) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert len(begun) == MOST_ENDS
    assert web.poll() is not None
