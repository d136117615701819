"""Jobs whose message was lost are rung for again, and a worker that is busy for days is not buried in messages."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.db.models.functions import Now

from labeling.models import Project
from training import sweeping
from training.models import Job
from training.sweeping import ring_again
from training.tasks import run_job

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def rung(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, dict[str, Any]]]:
    """What would be sent: job ids with how."""
    settings.REDIS_URL = "redis://nowhere"
    sent: list[tuple[int, dict[str, Any]]] = []
    monkeypatch.setattr(run_job, "apply_async", lambda arguments, **how: sent.append((arguments[0], how)))
    return sent


def queued(project: Project, number: int, queue: str) -> list[int]:
    made = [Job.objects.create(project=project, kind="sft", config={}, queue=queue).pk for _ in range(number)]
    Job.objects.filter(pk__in=made).update(created_at=Now() - timedelta(minutes=5))
    return made


def test_the_oldest_jobs_of_each_queue_are_rung_for(
    project: Project, rung: list[tuple[int, dict[str, Any]]], django_capture_on_commit_callbacks: Any
) -> None:
    on_cpu, on_gpu = queued(project, 8, "cpu"), queued(project, 2, "gpu")
    with django_capture_on_commit_callbacks(execute=True):
        assert ring_again() == sweeping.RINGS_AT_ONCE + 2
    assert sorted(job for job, _ in rung) == on_cpu[: sweeping.RINGS_AT_ONCE] + on_gpu
    assert {(job in on_gpu, how["queue"]) for job, how in rung} == {(True, "gpu"), (False, "cpu")}


def test_a_ring_that_nobody_heard_is_gone_when_the_next_one_comes(
    project: Project, rung: list[tuple[int, dict[str, Any]]], django_capture_on_commit_callbacks: Any
) -> None:
    queued(project, 1, "gpu")
    with django_capture_on_commit_callbacks(execute=True):
        ring_again()
    ((_, how),) = rung
    assert how["expires"] == project_settings.CELERY_BEAT_SCHEDULE["tend"]["schedule"]
