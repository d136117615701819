"""What a stage tells the world while it runs: status.json, metrics.jsonl, events.jsonl, samples.jsonl.

Every write first makes sure that no newer attempt owns the run: a process that slept through its own replacement must
not add a line to another's files. Two clocks are told apart: `beat` says that the process lives (a thread writes it),
`step_at` that its loop advances.
"""

import math
import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from training.rlhf.contract.exit_codes import Fenced
from training.rlhf.contract.metrics import UNITS
from training.rlhf.contract.run_folder import (
    Control,
    ErrorNote,
    Phase,
    RunFolder,
    State,
    Status,
    read_control,
    write_status,
)
from training.rlhf.contract.strict import Refused, dump_json

BEAT_SECONDS = 2.0


def now() -> str:
    """UTC to the second, as it stands in status.json."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Progress:
    """The reports of one attempt. Safe to use from the training thread and the heart beat at once."""

    def __init__(self, folder: RunFolder, *, attempt: int) -> None:
        self.folder = folder
        self.attempt = attempt
        self.control = Control(attempt=attempt)
        self.seconds_before = 0.0
        """Seconds that earlier attempts worked, up to the checkpoint this one starts from."""
        self._started = time.monotonic()
        self._first_step: tuple[int, float] | None = None
        self._files: dict[Path, BinaryIO] = {}
        self._writing = threading.Lock()
        self._bad_control: str | None = None
        self._stop_beating = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heart beat", daemon=True)
        beat = now()
        self.status = Status(
            attempt=attempt, pid=os.getpid(), host=socket.gethostname(), state="starting", phase="load", step=0,
            steps=None, beat=beat, step_at=None,
        )  # fmt: skip

    # who owns the run

    def read_control(self) -> Control:
        """What the launcher wants now. Raises Fenced if a newer attempt owns the run.

        A control.json that cannot be read leaves the last known wish in force and is noted once.
        """
        try:
            self.control = read_control(self.folder) or self.control
        except Refused as refused:
            self._note_bad_control(str(refused))
        if self.control.attempt > self.attempt:
            raise Fenced(f"attempt {self.control.attempt} owns this run; attempt {self.attempt} writes nothing more")
        return self.control

    def _note_bad_control(self, sentence: str) -> None:
        if self._bad_control != sentence:
            self._bad_control = sentence
            self._append(self.folder.events, {"kind": "control_refused", "message": sentence, "at": now()})

    # lines

    def log(self, step: int, values: Mapping[str, float | int], *, split: str | None = None) -> None:
        """Adds a line to metrics.jsonl. A number that is not finite becomes null and an event.

        Raises ValueError for a key that contract/metrics.py does not list: nobody would know what it means.
        """
        unknown = [key for key in values if key not in UNITS]
        if unknown:
            raise ValueError(
                f"metric {unknown[0]!r} is not listed in contract/metrics.py; expected one of {list(UNITS)}"
            )
        line: dict[str, object] = {"step": step, "attempt": self.attempt, "seconds": round(self.seconds, 3)}
        for key, value in values.items():
            line[key] = value if math.isfinite(value) else None
        if split is not None:
            line["split"] = split
        self._append(self.folder.metrics, line)
        bad = [key for key in values if line[key] is None]
        if bad:
            self.event("not_finite", step=step, keys=bad)

    def event(self, kind: str, **facts: object) -> None:
        """Adds a line to events.jsonl: something that happened once."""
        self._append(self.folder.events, {"kind": kind, "attempt": self.attempt, "at": now(), **facts})

    def sample(self, step: int, **facts: object) -> None:
        """Adds a line to samples.jsonl: a text for people to read."""
        self._append(self.folder.samples, {"step": step, **facts})

    def _append(self, path: Path, line: Mapping[str, object]) -> None:
        """One write of a whole line, so that a reader of a growing file meets no half of one. Raises Fenced.

        The file is opened before the look at who owns the run, and a newer attempt begins with files of its own (cut):
        a process that slept between the look and the write writes into a file that nobody reads any more.
        """
        with self._writing:
            if path not in self._files:
                self._files[path] = path.open("ab", buffering=0)
            file = self._files[path]
        self.read_control()
        with self._writing:
            file.write(dump_json(line).encode() + b"\n")

    @property
    def seconds(self) -> float:
        """Seconds worked on this run, up to the checkpoint and since this attempt began."""
        return self.seconds_before + time.monotonic() - self._started

    def offsets(self) -> dict[str, int]:
        """Bytes in each of the three files, flushed to the disk: where a resume cuts them."""
        found = {}
        for name, path in self._lines().items():
            if path in self._files:
                os.fsync(self._files[path].fileno())
            found[name] = path.stat().st_size if path.exists() else 0
        return found

    def cut(self, offsets: Mapping[str, int]) -> None:
        """The three files up to a checkpoint's offsets, as new files in the old one's places: what came after will be
        done again, and an earlier attempt that still has the old ones open writes into them in vain."""
        with self._writing:
            for file in self._files.values():
                file.close()
            self._files.clear()
        for name, path in self._lines().items():
            anew = path.with_name(f"{path.name}.{self.attempt}.part")
            with anew.open("wb") as kept:
                if path.exists():
                    with path.open("rb") as old:
                        _copy(old, kept, offsets.get(name, 0))
                kept.flush()
                os.fsync(kept.fileno())
            anew.replace(path)

    def _lines(self) -> dict[str, Path]:
        folder = self.folder
        return {"metrics_bytes": folder.metrics, "events_bytes": folder.events, "samples_bytes": folder.samples}

    # status

    def start(self) -> None:
        self._write_status()
        self._heart.start()

    def plan(self, steps: int) -> None:
        self._update(steps=steps, state="running")

    def phase(self, phase: Phase) -> None:
        if phase != self.status.phase:
            self._update(phase=phase)

    def step_done(self, step: int) -> None:
        """The loop advanced; written with the next beat, since steps may be many a second."""
        if self._first_step is None:
            self._first_step = (step, time.monotonic())
        with self._writing:
            self.status = replace(self.status, step=step, step_at=now(), seconds_left=self._seconds_left(step))

    def _seconds_left(self, step: int) -> float | None:
        if self._first_step is None or self.status.steps is None:
            return None
        first, since = self._first_step
        done = step - first
        return round((self.status.steps - step) * (time.monotonic() - since) / done, 1) if done else None

    def checkpoint_saved(self, step: int) -> None:
        self._update(checkpoint_step=step)

    def pausing(self) -> None:
        if self.status.state != "pausing":
            self._update(state="pausing")

    def end(self, state: State, error: ErrorNote | None = None) -> None:
        """The last words of an attempt."""
        self._stop_beating.set()
        if self._heart.is_alive():
            self._heart.join()
        self._update(state=state, error=error, seconds_left=None)

    def _update(self, **changes: object) -> None:
        with self._writing:
            self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self._write_status()

    def _write_status(self) -> None:
        self.read_control()
        with self._writing:
            self.status = replace(self.status, beat=now())
            write_status(self.folder, self.status)

    def _beat(self) -> None:
        while not self._stop_beating.wait(BEAT_SECONDS):
            try:
                self._write_status()
            except Fenced:
                return  # the training thread meets the same and ends the attempt
            except OSError:
                continue  # a full disk is met, and told, by the training thread; the next beat may work


def _copy(old: BinaryIO, new: BinaryIO, size: int) -> None:
    """The first so many bytes, or as many as there are."""
    while size > 0 and (piece := old.read(min(size, 1 << 20))):
        new.write(piece)
        size -= len(piece)
