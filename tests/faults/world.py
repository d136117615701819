"""A site of its own with its database, its broker and its workers, and the same small training again and again.

Whatever is done to one of them, the job has to end once, with the numbers and the weights of a run that nobody
disturbed. Everything is real: SFT of a tiny model, a checkpoint every ten steps, leases that lapse by themselves.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection

from labeling.models import Project
from tests.faults.servers import Postgres, Redis, wait_for
from tests.training.workers import ROOT, is_gone
from training.models import Checkpoint, Job, Metric
from training.rlhf.checkpoints import newest_good
from training.rlhf.contract.metrics import deterministic
from training.rlhf.contract.run_folder import RunFolder, file_sha256
from training.rounds import launch, open_round
from training.run_folders import run_folder

LEASE_SECONDS = 6
PATIENCE_SECONDS = 900.0
EVERY = 10
SFT: dict[str, Any] = {
    "seed": 11,
    "hardware": {"device": "cpu", "threads": 1, "micro_batch_tokens": 200},
    "lengths": {"prompt_tokens": 64, "response_tokens": 32, "context_tokens": 96},
    "checkpoints": {"every_steps": EVERY},
    "sft": {"epochs": 24, "sequences_per_step": 4},
}


@dataclass(frozen=True)
class Numbers:
    """What two runs of the same job have to share: each step's values but the clock's, and the released weights."""

    metrics: list[Any]
    weights: str


@dataclass
class World:
    folder: Path
    postgres: Postgres
    redis: Redis
    project: Project
    undisturbed: Numbers | None = None

    def environment(self, **more: str) -> dict[str, str]:
        folders = {
            f"ACCORD_{name}": str(getattr(settings, name)) for name in ("RUNS_DIR", "SNAPSHOTS_DIR", "MODELS_DIR")
        }
        kept = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL")}
        return kept | folders | {
            "DATABASE_URL": self.postgres.url, "ACCORD_MODE": "local", "OMP_NUM_THREADS": "1",
            "ACCORD_JOB_LEASE_SECONDS": str(LEASE_SECONDS), "ACCORD_LOG_LEVEL": "INFO",
        } | more  # fmt: skip

    @property
    def log(self) -> Path:
        return self.folder / "workers.log"

    @contextlib.contextmanager
    def process(self, command: list[str], **more: str) -> Iterator[subprocess.Popen[bytes]]:
        with self.log.open("ab") as words:
            found = subprocess.Popen(command, cwd=ROOT, env=self.environment(**more), stdout=words, stderr=words)
        try:
            yield found
        finally:
            if found.poll() is None:
                found.send_signal(signal.SIGCONT)
                found.terminate()
                try:
                    found.wait(60)
                except subprocess.TimeoutExpired:
                    found.kill()
            found.wait()

    def worker(self, **more: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        return self.process([sys.executable, "manage.py", "work", "--queue", "cpu"], **more)

    # the job

    def launch(self) -> Job:
        """The same training once more, in a round of its own."""
        return launch(open_round(self.project, base="tiny"), "sft", overrides=SFT)

    def now(self, job: Job) -> Job | None:
        """None while the database does not answer."""
        try:
            return Job.objects.get(pk=job.pk)
        except OperationalError:
            connection.close()
            return None

    def wait(self, job: Job, *states: str) -> Job:
        def reached() -> Job | None:
            found = self.now(job)
            return found if found is not None and found.state in states else None

        return wait_for(
            reached, seconds=PATIENCE_SECONDS, what=f"job {job.pk} to be {' or '.join(states)}{self.words()}"
        )  # type: ignore[no-any-return]

    def words(self) -> str:
        return f"\n{self.log.read_text(errors='replace')[-2500:]}\n" if self.log.exists() else ""

    def at_work(self, job: Job) -> dict[str, Any]:
        """status.json once there is a checkpoint to go on from; before that a fault would prove little."""
        folder = run_folder(job)
        wait_for(lambda: folder.latest.exists(), seconds=PATIENCE_SECONDS, what=f"a checkpoint of job {job.pk}")
        assert not folder.report.exists(), "the stage was done before anything could be done to it"
        return dict(json.loads(folder.status.read_text()))

    # what has to hold

    def numbers(self, job: Job) -> Numbers:
        rows = Metric.objects.filter(job=job).order_by("step", "split").values_list("step", "split", "values")
        metrics = [(step, split, deterministic(values)) for step, split, values in rows]
        return Numbers(metrics, file_sha256(run_folder(job).model / "model.safetensors"))

    def check(self, job: Job, *, attempts: int | None = None) -> str:
        """Raises AssertionError; else how it ended, in words."""
        ended = self.wait(job, "done", "failed", "cancelled")
        assert ended.state == "done", (ended.state, ended.error)
        folder = run_folder(ended)
        steps = list(Metric.objects.filter(job=job, split="train").order_by("step").values_list("step", flat=True))
        assert steps == list(range(1, (ended.steps or 0) + 1)), "a gap"
        written = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
        keys = [(line["step"], line.get("split", "train")) for line in written]
        assert len(keys) == len(set(keys)), "a step was written twice"
        assert Checkpoint.objects.filter(job=job).count() == 1, "it ended more than once"
        good = newest_good(folder)
        assert good is not None
        assert good.step == ended.steps
        if attempts is not None:
            assert ended.attempt == attempts, f"{ended.attempt} attempts"
        if self.undisturbed is not None:
            assert self.numbers(job) == self.undisturbed, "other numbers than those of an undisturbed run"
        resumed = [line["step"] for line in map(json.loads, folder.events.read_text().splitlines())
                   if line["kind"] == "resume"]  # fmt: skip
        went_on = f", went on from step {resumed[-1]} of {ended.steps}" if resumed else ""
        return f"done in attempt {ended.attempt}{went_on}"


def stage_is_gone(status: dict[str, Any]) -> None:
    wait_for(lambda: is_gone(int(status["pid"])), seconds=60, what="the stage to end with its supervisor")


def listing(folder: RunFolder, *, but: str) -> dict[str, str]:
    """Every file of a run folder by its hash, without the lock and what lies below `but`."""
    names = {path.relative_to(folder.root).as_posix(): path for path in sorted(folder.root.rglob("*"))}
    return {
        name: file_sha256(path)
        for name, path in names.items()
        if path.is_file() and name != "lock" and not name.startswith((but, "models/"))
    }


def settle_for(seconds: float) -> None:
    """Time for a process that must do nothing to do something."""
    time.sleep(seconds)
