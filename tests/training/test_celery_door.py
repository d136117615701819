"""With a real Redis and a real Celery worker: a launch rings, the job runs there, a message too many does nothing."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from config.celery import app
from labeling.models import Project, User
from tests.conftest import signed_in
from tests.rlhf.tiny_runs import save_tiny_model
from tests.training.making import demonstrations, reload
from tests.training.test_real_stage import LONG_ENOUGH, stage_pid, steps_done
from tests.training.workers import environment, free_port, is_gone, started, wait_until
from training import jobs
from training.models import Checkpoint, Job
from training.rounds import launch, open_round
from training.run_folders import run_folder

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def redis_url(tmp_path: Path, settings: Any) -> Iterator[str]:
    """A Redis of the test's own, and this process's doorbell pointed at it."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("no redis-server on the PATH")
    port = free_port()
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with started(command, log=tmp_path / "redis.log", env={}):
        url = f"redis://127.0.0.1:{port}/0"
        wait_until(lambda: b"Ready to accept" in (tmp_path / "redis.log").read_bytes())
        before = app.conf.broker_url
        point_bell_at(url)
        settings.REDIS_URL = url
        yield url
        point_bell_at(before)


def point_bell_at(url: str) -> None:
    app.conf.broker_url = app.conf.broker_write_url = app.conf.broker_read_url = url
    app._pool = None
    app.amqp._producer_pool = None


@pytest.fixture
def base(tmp_path: Path, settings: Any, project: Project) -> str:
    shutil.copytree(save_tiny_model(tmp_path / "made"), settings.MODELS_DIR / "tiny")
    demonstrations(project, 20)
    return "tiny"


def celery_worker() -> list[str]:
    return [
        sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-Q", "gpu", "--concurrency", "2",
        "-l", "info", "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


def test_a_launch_from_the_page_runs_in_celery_and_a_message_delivered_twice_runs_it_once(
    base: str, redis_url: str, project: Project, researcher: User, tmp_path: Path
) -> None:
    open_round(project, base=base)
    log = tmp_path / "celery.log"
    form = {"sft.epochs": "2", "config": json.dumps(LONG_ENOUGH | {"hardware": {"threads": 1}, "sft": {"epochs": 2}})}
    assert signed_in(researcher).post(reverse("launch", args=["helpdesk", 1, "sft"]), form).status_code == 302
    job = Job.objects.get()
    assert job.queue == "gpu"
    jobs._ring_now(job.pk, job.queue)  # the same message once more
    with started(celery_worker(), log=log, env=environment(REDIS_URL=redis_url)):
        wait_until(lambda: reload(job).state in jobs.ENDED, log=log)
        wait_until(
            lambda: log.read_text().count("Task training.tasks.run_job") >= 4, log=log
        )  # both received, both succeeded
    words = log.read_text()
    assert words.count("Task training.tasks.run_job") == 4, words
    assert (reload(job).state, reload(job).attempt, reload(job).error) == ("done", 1, None)
    assert Checkpoint.objects.filter(job=job).count() == 1
    assert [path.name for path in (run_folder(job).root / "log").iterdir()] == ["attempt-1"]


def test_a_celery_worker_told_to_stop_pauses_its_stage_and_rings_for_another(
    base: str, redis_url: str, project: Project, tmp_path: Path
) -> None:
    gpu = {**LONG_ENOUGH, "hardware": {"device": "auto", "threads": 1}}
    job = launch(open_round(project, base=base), "sft", overrides=gpu)
    log = tmp_path / "celery.log"
    with started(celery_worker(), log=log, env=environment(REDIS_URL=redis_url)) as process:
        wait_until(lambda: steps_done(job) >= 3, log=log)
        pid = stage_pid(job)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert is_gone(pid)
    assert reload(job).state == "queued", log.read_text()[-2000:]
    waiting = subprocess.run(["redis-cli", "-u", redis_url, "llen", "gpu"], capture_output=True, text=True, check=True)
    assert int(waiting.stdout) == 1


def test_a_broker_that_does_not_answer_costs_no_job(base: str, project: Project, settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    before = app.conf.broker_url
    point_bell_at(settings.REDIS_URL)
    try:
        job = launch(open_round(project, base=base), "sft", overrides=LONG_ENOUGH)
    finally:
        point_bell_at(before)
    assert reload(job).state == "queued"
