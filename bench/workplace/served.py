"""The application as it is served: granian with worker processes, told apart by their ids and killed by them."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.workplace.database import ROOT

TICKS = os.sysconf("SC_CLK_TCK")
STARTS_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Served:
    """port: on the loopback interface. pid: of granian's main process. database: name, by which PostgreSQL's processes
    that work for it are known."""

    port: int
    pid: int
    database: str
    _backends: dict[int, float] = field(default_factory=dict)

    def workers(self) -> list[int]:
        """Ids of the worker processes, those that serve nothing (Python's resource tracker) left out."""
        found = []
        for pid in _children(self.pid):
            command = _read(f"/proc/{pid}/cmdline")
            if "resource_tracker" not in command:
                found.append(pid)
        return sorted(found)

    def kill_one(self, number: int) -> None:
        """As the kernel would: no warning, whatever it is doing."""
        workers = self.workers()
        if workers:
            os.kill(workers[number % len(workers)], signal.SIGKILL)

    def cpu_seconds(self) -> tuple[float, float]:
        """Of the web processes, and of PostgreSQL's processes for this database."""
        self.watch()
        return sum(_cpu(pid) for pid in [self.pid, *self.workers()]), sum(self._backends.values())

    def watch(self) -> None:
        """Notes what PostgreSQL's processes used so far: the application renews its connections every minute, and a
        process that ended tells nothing any more. Called every few seconds."""
        for pid in _backends(self.database):
            self._backends[pid] = max(_cpu(pid), self._backends.get(pid, 0.0))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in _read(f"/proc/{parent}/task/{parent}/children").split()]


def _cpu(pid: int) -> float:
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def _backends(database: str) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if f" {database} " in (told := _read(f"/proc/{pid}/cmdline")) and "postgres:" in told]


def environment(database: str, redis: str, state: Path) -> dict[str, str]:
    """Production's settings, on this machine."""
    return {
        **os.environ,
        "ACCORD_MODE": "production",
        "ACCORD_SECRET_KEY": "a secret of the bench, that opens nothing else at all",
        "ACCORD_ALLOWED_HOSTS": "127.0.0.1",
        "ACCORD_SSL_REDIRECT": "false",
        "ACCORD_STATE_DIR": str(state),
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "PYTHONPATH": str(ROOT),
    }


@contextmanager
def served(settings: dict[str, str], state: Path, *, workers: int, threads: int) -> Iterator[Served]:
    """Serves until the block ends; a worker that is killed is replaced."""
    quiet = ["--verbosity", "0"]
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--no-input", *quiet], cwd=ROOT, env=settings, check=True
    )
    port = _free_port()
    command = [
        str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(workers), "--blocking-threads", str(threads), "--respawn-failed-workers",
        "--respawn-interval", "1", "--no-access-log", "config.wsgi:application",
    ]  # fmt: skip
    with (state / "server.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health/live", server)
            yield Served(port, server.pid, settings["DATABASE_URL"].rsplit("/", 1)[1])
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended at once with status {server.returncode}; see server.log")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not answer at {address} within {STARTS_WITHIN_SECONDS} s")
