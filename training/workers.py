"""Workers as rows: a process that takes jobs says who it is, that it lives, and what its machine has.

The lease of a job says whether its worker lives; this says who would take the next one. Beats come from a thread, so
that a worker at a stage for days is heard of all along. All times are the database's.
"""

import contextlib
import logging
import os
import shutil
import socket
import subprocess
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from labeling.repeating import Repeated
from training.models import Worker

log = logging.getLogger(__name__)

BEAT_SECONDS = 15.0
FORGOTTEN_AFTER = timedelta(days=7)
ASK_SECONDS = 10
"""How long another program may take to answer what the machine has."""

_named = ""


def name_this_process() -> str:
    """Gives this process its name. The children that it forks afterwards hold their jobs under the same one."""
    global _named
    _named = f"{socket.gethostname()}:{os.getpid()}"
    return _named


def own_name() -> str:
    """Host and process of the worker that this process is, or is a child of."""
    return _named or f"{socket.gethostname()}:{os.getpid()}"


def can_take(queue: str) -> bool:
    """Whether any worker that is up takes jobs of this queue (one query)."""
    return any(queue in queues for queues in Worker.objects.up().values_list("queues", flat=True))


class Presence:
    """A worker's row from `with` to its end."""

    def __init__(self, queues: Iterable[str]) -> None:
        self.name = own_name()
        self.queues = list(queues)
        self._facts: dict[str, Any] = {}
        self._heart = Repeated(self._beat, every=BEAT_SECONDS, name=f"presence of {self.name}", at_once=True)

    def __enter__(self) -> "Presence":
        self._heart.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._heart.__exit__(*exception)
        try:
            Worker.objects.filter(name=self.name).update(left_at=Now())
        except DatabaseError as error:
            log.warning("worker %s left without a word: %s", self.name, error)

    def _beat(self) -> None:
        self._facts = self._facts or facts_of_machine()
        enrol(self.name, self.queues, self._facts | {"disk_free_bytes": disk_free_bytes()})


def enrol(name: str, queues: list[str], facts: dict[str, Any]) -> Worker:
    """Makes the row or renews it; forgets those that were not heard of for a week."""
    with transaction.atomic():
        found, is_new = Worker.objects.update_or_create(
            name=name, defaults={"queues": queues, "heard_at": Now(), "left_at": None, **facts},
            create_defaults={"queues": queues, "heard_at": Now(), "started_at": Now(), **facts},
        )  # fmt: skip
        if is_new:
            Worker.objects.filter(heard_at__lt=Now() - FORGOTTEN_AFTER).delete()
    return found


# --- the machine ------------------------------------------------------------------------------------------------------


def facts_of_machine() -> dict[str, Any]:
    """Columns of the row that do not change while the process lives."""
    return {
        "cores": cores(),
        "memory_bytes": memory_bytes(),
        "gpus": gpus(),
        "version": _answer_of(["git", "-C", str(settings.BASE_DIR), "describe", "--always", "--dirty"])[:80],
    }


def cores() -> int | None:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def memory_bytes() -> int | None:
    """Of the machine, or of the container where that is less. None where the system does not say."""
    found = []
    with contextlib.suppress(OSError, IndexError, ValueError):
        found.append(int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]) * 1024)
    with contextlib.suppress(OSError, ValueError):  # "max" is no limit
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found, default=None)


def disk_free_bytes() -> int | None:
    """Where run folders lie, or will lie."""
    folder = Path(settings.RUNS_DIR)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def gpus() -> list[dict[str, Any]]:
    """By the driver's own program; a machine without it has none."""
    found = []
    for line in _answer_of(
        ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    ).splitlines():
        name, _, mebibytes = line.rpartition(",")
        if name and mebibytes.strip().isdigit():
            found.append({"name": name.strip(), "memory_bytes": int(mebibytes) << 20})
    return found


def _answer_of(command: list[str]) -> str:
    """Empty where there is no such program, or it has nothing to say."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
