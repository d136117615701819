"""The one-command start: a web server and a job worker as children of one process, stopped together.

Leaves out what production needs (many processes, a reverse proxy): there each process is started by its own unit.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO

WEB_THREADS = 8
START_SECONDS = 120.0
"""How long the first answer may take; seconds usually, more on a busy machine right after the install."""
PATIENCE_SECONDS = 30.0
"""How long children may take to stop by themselves; a stage writes its checkpoint in that time."""
MOST_ENDS, ENDS_SECONDS = 5, 60.0
"""So many ends of the worker in so short a time mean that it cannot run at all."""
NICENESS = 10
"""Of a child that gives way, above ours: beside one that does not, it gets about a tenth of a contended core."""


class PortInUse(Exception):
    """Raised with a sentence for the terminal."""


def check_port(host: str, port: int) -> None:
    """Raises PortInUse where something listens on the port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"Port {port} on {host} cannot be used ({error.strerror}). Stop what listens there, "
                f"or choose another: make run PORT={port + 1}"
            ) from None


def web_command(host: str, port: int) -> list[str]:
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", "1", "--blocking-threads", str(WEB_THREADS), "--log-level", "error", "config.wsgi:application",
    ]  # fmt: skip


def worker_command() -> list[str]:
    return [sys.executable, "manage.py", "work"]


def start_child(
    command: list[str], *, folder: Path, log: IO[bytes] | None = None, gives_way: bool = False
) -> subprocess.Popen[bytes]:
    """A child in its own session, so that Ctrl-C reaches it through us alone and in order.

    log: for what it prints. gives_way: it and its own children get the processor when others leave it, so that pages
    answer at once while a model trains on the same cores.
    """

    def prepare() -> None:
        _die_with_parent()
        if gives_way:
            os.nice(NICENESS)

    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True, preexec_fn=prepare)


def _die_with_parent() -> None:
    """Asks the kernel (Linux) for SIGTERM when the parent is gone, however it went; elsewhere it does nothing."""
    if sys.platform.startswith("linux"):
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def wait_until_served(host: str, port: int, children: list[subprocess.Popen[bytes]]) -> bool:
    """True as soon as the port answers; False where a child ended or nothing answered in time."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and all(child.poll() is None for child in children):
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=0.2):
            return True
        time.sleep(0.05)
    return False


def follow(children: list[subprocess.Popen[bytes]], *, revive: Callable[[], subprocess.Popen[bytes]]) -> int:
    """Waits for Ctrl-C, SIGTERM or an end that is final, stops the others, and answers the exit status.

    children: those that the site cannot do without, and last the worker. A worker that ends by itself is started again
    by `revive`: pages go on meanwhile, and it takes up what the one before left. Only where it ends again and again is
    that final.
    """
    asked: list[int] = []
    ends: deque[float] = deque(maxlen=MOST_ENDS)

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    while not asked and all(child.poll() is None for child in children[:-1]):
        if children[-1].poll() is not None:
            ends.append(time.monotonic())
            if len(ends) == MOST_ENDS and ends[-1] - ends[0] < ENDS_SECONDS:
                break
            print(f"The worker ended by itself ({_how(children[-1].returncode)}); it is started again.", flush=True)
            children[-1] = revive()
        time.sleep(0.1)
    ended = [child for child in children if child.poll() is not None]
    stop(children)
    return 0 if asked or not ended else max(1, ended[0].returncode)


def _how(returncode: int) -> str:
    return f"signal {-returncode}" if returncode < 0 else f"exit status {returncode}"


def stop(children: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM to each child, time to write a checkpoint, then SIGKILL to what is left of its group."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
