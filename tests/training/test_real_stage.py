"""A real SFT of a tiny model through the supervisor and the polling worker: done, killed, stopped, taken over."""

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from labeling.models import Project
from tests.rlhf.tiny_runs import save_tiny_model
from tests.training.making import demonstrations, reload
from tests.training.workers import environment, is_gone, lines_in, started, wait_until, worker
from training import jobs
from training.launching import supervise
from training.models import Job, Metric
from training.rlhf.contract.metrics import deterministic
from training.rlhf.contract.run_folder import file_sha256
from training.rounds import launch, open_round
from training.run_folders import run_folder
from training.stopping import StopSignal

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

LONG_ENOUGH = {
    "hardware": {"device": "cpu", "threads": 1},
    "sft": {"epochs": 6, "sequences_per_step": 4},
    "lengths": {"prompt_tokens": 64, "response_tokens": 32, "context_tokens": 96},
    "checkpoints": {"every_steps": 5},
    "logging": {"samples_every_steps": 25, "samples": 1},
}
"""30 steps of a few hundredths of a second, with six checkpoints on the way."""


@pytest.fixture(scope="module")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture
def job(project: Project, settings: Any, tiny_base: Path) -> Job:
    shutil.copytree(tiny_base, settings.MODELS_DIR / "tiny")
    demonstrations(project, 20)
    return launch(open_round(project, base="tiny"), "sft", overrides=LONG_ENOUGH)


def again(job: Job) -> Job:
    """The same work once more, in a round of its own."""
    assert job.stage
    return launch(open_round(job.project, base="tiny"), "sft", overrides=LONG_ENOUGH | {"seed": job.config["seed"]})


def attempt(job: Job) -> Job:
    claim = jobs.claim(job.pk, "test")
    assert claim
    supervise(claim, stop=StopSignal())
    return reload(job)


def numbers(job: Job) -> list[tuple[int, str, dict[str, Any]]]:
    """All metrics but the clock's."""
    rows = Metric.objects.filter(job=job).order_by("step", "split").values_list("step", "split", "values")
    return [(step, split, deterministic(values)) for step, split, values in rows]


def weights(job: Job) -> str:
    """Hash of the released weights; the model's identity also covers accord.json, which names its config."""
    return file_sha256(run_folder(job).model / "model.safetensors")


def stage_pid(job: Job) -> int:
    return int(json.loads(run_folder(job).status.read_text())["pid"])


def steps_done(job: Job) -> int:
    return lines_in(run_folder(job).metrics)


def test_a_stage_that_is_killed_resumes_to_the_same_numbers(job: Job) -> None:
    undisturbed = again(job)
    assert attempt(undisturbed).state == "done"

    def kill_at_step_8() -> None:
        wait_until(lambda: steps_done(job) >= 8)
        os.kill(stage_pid(job), signal.SIGKILL)

    killer = threading.Thread(target=kill_at_step_8)
    killer.start()
    first = attempt(job)
    killer.join()
    assert (first.state, first.error["code"]) == ("queued", "killed")  # type: ignore[index]
    second = attempt(job)
    assert (second.state, second.attempt, second.step) == ("done", 2, 30)
    assert numbers(job) == numbers(undisturbed)
    assert [step for step, split, _ in numbers(job) if split == "train"] == list(range(1, 31))
    assert weights(job) == weights(undisturbed)


def test_a_worker_told_to_stop_hands_the_job_back_and_leaves_nothing_running(job: Job, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with started(worker("--queue", "cpu"), log=log, env=environment()) as process:
        wait_until(lambda: steps_done(job) >= 3, log=log)
        pid = stage_pid(job)
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert is_gone(pid)
    assert "libtorch" not in maps
    now = reload(job)
    assert (now.state, now.wanted, now.attempts_without_progress) == ("queued", "run", 0)
    assert now.checkpoint_step is not None
    with started(worker("--until-idle"), log=log, env=environment()) as process:
        assert process.wait(120) == 0
    assert (reload(job).state, reload(job).attempt) == ("done", 2)


def test_a_lost_worker_takes_its_stage_along_and_another_goes_on(job: Job, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with started(worker(), log=log, env=environment()) as process:
        wait_until(lambda: steps_done(job) >= 7, log=log)
        pid = stage_pid(job)
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: is_gone(pid))
    assert reload(job).state == "running"  # nobody has said otherwise yet
    Job.objects.filter(pk=job.pk).update(lease_until=Now())  # as if a lease had passed
    time.sleep(0.01)
    with started(worker("--until-idle"), log=log, env=environment()) as process:
        assert process.wait(120) == 0
    now = reload(job)
    assert (now.state, now.attempt) == ("done", 2)
    assert [step for step, split, _ in numbers(job) if split == "train"] == list(range(1, 31))
