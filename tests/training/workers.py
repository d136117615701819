"""Workers as processes of their own, at the tests' database and folders."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 90
"""Long, for a machine that is busy with other things; nothing waits that long where it is not."""


def environment(**more: str) -> dict[str, str]:
    """What a process needs to see the tests' database and folders. Only PostgreSQL can be shared like this."""
    here = connection.settings_dict
    url = f"postgresql://{here['USER']}:{here['PASSWORD']}@{here['HOST']}:{here['PORT'] or 5432}/{here['NAME']}"
    folders = {f"ACCORD_{name}": str(getattr(settings, name)) for name in ("RUNS_DIR", "SNAPSHOTS_DIR", "MODELS_DIR")}
    kept = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    return kept | folders | {"DATABASE_URL": url, "ACCORD_MODE": "local", "OMP_NUM_THREADS": "1"} | more


@contextmanager
def started(command: list[str], *, log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The process, its words in `log`; killed at the end if it is still there."""
    with log.open("ab") as words:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=words, stderr=words)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def worker(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", "work", *arguments]


def wait_until(
    condition: Callable[[], Any], *, log: Path | None = None, patience_seconds: float = PATIENCE_SECONDS
) -> Any:
    """What the condition answers, once it answers anything; fails with the log after a while."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    words = log.read_text(errors="replace")[-3000:] if log and log.exists() else ""
    raise AssertionError(f"nothing happened in {patience_seconds} s\n{words}")


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def is_gone(pid: int) -> bool:
    """Ended, whether or not somebody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
