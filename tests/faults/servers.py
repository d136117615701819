"""A PostgreSQL and a Redis of one's own, on free ports, in a folder that goes: to be killed, restarted and emptied."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.training.workers import free_port

START_SECONDS = 60.0


def wait_for(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """What the condition answers, once it answers anything."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: nothing within {seconds:.0f} s")


class Postgres:
    """initdb refuses to be root: as root it is run as the user postgres."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "postgres"
        self.log = folder / "postgres.log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        )
        self.data.mkdir()
        if self._as:
            shutil.chown(self.data, "postgres", "postgres")
        self.data.chmod(0o700)
        subprocess.run(
            [_tool("initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
             "--locale", "C"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        command = [_tool("postgres"), "-D", str(self.data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                   "-c", "unix_socket_directories="]  # fmt: skip
        with self.log.open("ab") as words:
            self.process = subprocess.Popen(command, stdout=words, stderr=words, cwd="/", **self._as)
        wait_for(self._answers, seconds=START_SECONDS, what="PostgreSQL")

    def _answers(self) -> bool:
        ready = [_tool("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def stop(self, *, at_once: bool = False) -> None:
        """at_once: without a word to whoever is connected, as when the machine goes; it recovers when it starts."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self.process.wait()
            self.process = None


class Redis:
    def __init__(self, folder: Path) -> None:
        self.log = folder / "redis.log"
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Empty: it keeps nothing on the disk."""
        command = ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1",
                   "--dir", str(self.folder)]  # fmt: skip
        before = self.log.read_bytes().count(b"Ready to accept") if self.log.exists() else 0
        with self.log.open("ab") as words:
            self.process = subprocess.Popen(command, stdout=words, stderr=words)
        wait_for(lambda: self.log.read_bytes().count(b"Ready to accept") > before, seconds=START_SECONDS, what="Redis")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def _tool(name: str) -> str:
    """On the PATH, or where Debian keeps it."""
    found = shutil.which(name)
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found or str(kept[-1])
