"""A stage in a process of its own, killed at a point, started again until it is done, and held against a calm run.

Processes are forked from one that has loaded torch, so that a hundred of them begin at once; from run_stage on they do
what `python -m training.rlhf.STAGE` does.
"""

import importlib
import multiprocessing
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.rlhf.run_folders import read_json, read_lines
from training.rlhf.attempt import run_stage
from training.rlhf.contract.metrics import deterministic, is_clock_key
from training.rlhf.contract.run_folder import RunFolder, file_sha256, read_status

PATIENCE_SECONDS = 300.0
LOADED = [
    *(f"training.rlhf.{stage}" for stage in ("pretrain", "sft", "sample", "reward", "ppo", "score")),
    "transformers.models.llama.modeling_llama",
]
OF_AN_ATTEMPT = {"start", "resume", "checkpoint", "checkpoint_damaged"}
"""Events of which a run that was resumed has others: an event that follows a checkpoint is not in it."""

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(LOADED)


@dataclass(frozen=True)
class Calm:
    """The run that nobody killed. Seconds since its start."""

    root: Path
    stage: str
    outcome: dict[str, Any]
    first_checkpoint: float
    release: float
    end: float
    checkpoints: int


def load() -> None:
    """Begins the process that the others are forked from, and waits until it has loaded everything."""
    first = PROCESSES.Process(target=int)
    first.start()
    first.join()


def start(folder: RunFolder, stage: str) -> ForkServerProcess:
    work = importlib.import_module(f"training.rlhf.{stage}").train
    process = PROCESSES.Process(target=run_stage, args=(stage, work, [str(folder.root)]))
    process.start()
    return process


def fresh(prepared: Path, target: Path) -> RunFolder:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(prepared, target, symlinks=True)
    return RunFolder(target)


def run_calmly(prepared: Path, stage: str) -> Calm:
    folder = fresh(prepared, prepared.with_name("calm"))
    began = time.monotonic()
    process = start(folder, stage)
    seen: dict[str, float] = {}
    while process.is_alive():
        for name, there in (("checkpoint", folder.latest.exists), ("release", lambda: is_releasing(folder))):
            if name not in seen and there():
                seen[name] = time.monotonic() - began
        time.sleep(0.002)
    end = time.monotonic() - began
    assert process.exitcode == 0, f"{stage} without a kill ended with {process.exitcode}"
    saved = sum(event["kind"] == "checkpoint" for event in read_lines(folder.events))
    return Calm(folder.root, stage, outcome(folder), seen["checkpoint"], seen.get("release", end), end, saved)


def is_releasing(folder: RunFolder) -> bool:
    status = read_status(folder)
    return folder.output("responses").exists() or (status is not None and status.phase == "export")


def outcome(folder: RunFolder) -> dict[str, Any]:
    """Everything that has to be the same to the bit, however often the run was killed."""
    events = [event for event in read_lines(folder.events) if event["kind"] not in OF_AN_ATTEMPT]
    released = [path for top in (folder.model, folder.output("responses").parent) for path in sorted(top.rglob("*"))]
    return {
        "metrics": [deterministic(line) for line in read_lines(folder.metrics)] if folder.metrics.exists() else [],
        "samples": read_lines(folder.samples) if folder.samples.exists() else [],
        "events": told_once({k: v for k, v in event.items() if k not in ("attempt", "at")} for event in events),
        "report": without_clocks(read_json(folder.report)),
        "files": {str(p.relative_to(folder.root)): file_sha256(p) for p in released if p.is_file()},
    }


def told_once(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """An attempt says again what it read."""
    told: list[dict[str, Any]] = []
    for event in events:
        if event not in told:
            told.append(event)
    return told


def without_clocks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_clocks(found) for key, found in value.items() if not is_clock_key(key)}
    return [without_clocks(found) for found in value] if isinstance(value, list) else value


# points at which it is killed: each waits for its moment and says whether it was met

Point = Callable[[RunFolder, Calm, random.Random, ForkServerProcess], None]


def at_any_time(folder: RunFolder, calm: Calm, chance: random.Random, process: ForkServerProcess) -> None:
    process.join(chance.uniform(0, calm.end))


def before_the_first_checkpoint(
    folder: RunFolder, calm: Calm, chance: random.Random, process: ForkServerProcess
) -> None:
    process.join(chance.uniform(0, calm.first_checkpoint))


def while_a_checkpoint_is_written(
    folder: RunFolder, calm: Calm, chance: random.Random, process: ForkServerProcess
) -> None:
    """Any of them, any file of it."""
    wanted, met = chance.randint(1, calm.checkpoints), set()
    while process.is_alive() and len(met) < wanted:
        met.update(path.name for path in folder.checkpoints.glob("tmp-*"))
        time.sleep(0.0005)
    process.join(chance.uniform(0, 0.01))


def while_it_releases(folder: RunFolder, calm: Calm, chance: random.Random, process: ForkServerProcess) -> None:
    while process.is_alive() and not is_releasing(folder):
        time.sleep(0.0005)
    process.join(chance.uniform(0, calm.end - calm.release))


MET: dict[Point, Callable[[RunFolder], bool]] = {
    at_any_time: lambda folder: True,
    before_the_first_checkpoint: lambda folder: not folder.latest.exists(),
    while_a_checkpoint_is_written: lambda folder: any(folder.checkpoints.glob("tmp-*")),
    while_it_releases: is_releasing,
}
POINTS: list[Point] = [
    *[at_any_time] * 6, before_the_first_checkpoint, *[while_a_checkpoint_is_written] * 2, while_it_releases,
]  # fmt: skip
TRIES = 40


@dataclass(frozen=True)
class Kill:
    point: str
    seconds: float
    checkpoint: int | None
    """Step of the last one that was whole."""


def kill_at(
    point: Point, folder_of: Callable[[], RunFolder], calm: Calm, chance: random.Random
) -> tuple[RunFolder, Kill]:
    """A run that was killed there; one that was faster than the kill is tried again from the start."""
    for _ in range(TRIES):
        folder, began = folder_of(), time.monotonic()
        process = start(folder, calm.stage)
        point(folder, calm, chance, process)
        seconds = time.monotonic() - began
        process.kill()
        process.join(PATIENCE_SECONDS)
        if process.exitcode == -signal.SIGKILL and MET[point](folder):
            step = read_json(folder.latest)["step"] if folder.latest.exists() else None
            return folder, Kill(point.__name__, seconds, step)
    raise AssertionError(f"{calm.stage} was never killed {point.__name__} in {TRIES} tries")


def go_on(folder: RunFolder, stage: str) -> int:
    """Started again until it is done; returns how often."""
    for times in range(1, 4):
        process = start(folder, stage)
        process.join(PATIENCE_SECONDS)
        if process.exitcode == 0:
            return times
    raise AssertionError(f"{stage} ended with {process.exitcode} after its kill")
