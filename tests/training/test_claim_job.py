"""Claiming a job: one worker gets it, an older hold is worth nothing."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from labeling.models import Project
from training import jobs
from training.jobs import Claim, ClaimLost
from training.models import Job

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.threat(16)]


def make_job(project: Project, **more: Any) -> Job:
    return Job.objects.create(project=project, kind="sft", config={}, **more)


def let_lapse(job: Job) -> None:
    """As if the worker had not been heard of for a whole lease, by the database's clock."""
    Job.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))


def test_a_queued_job_is_claimed_once(project: Project) -> None:
    job = make_job(project)
    assert jobs.claim(job.pk, "a") == Claim(job.pk, 1)
    assert jobs.claim(job.pk, "b") is None
    job.refresh_from_db()
    assert (job.state, job.owner, job.attempt) == ("running", "a", 1)


def test_a_lapsed_lease_is_taken_over_with_the_next_attempt(project: Project) -> None:
    job = make_job(project)
    jobs.claim(job.pk, "a")
    let_lapse(job)
    assert jobs.claim(job.pk, "b") == Claim(job.pk, 2)


def test_a_lease_is_renewed_by_its_holder_and_lost_to_the_next(project: Project) -> None:
    job = make_job(project)
    old = jobs.claim(job.pk, "a")
    assert old
    let_lapse(job)
    with jobs.holding(old, step=5):
        pass  # late, but nobody else came: it holds again
    assert jobs.claim(job.pk, "b") is None
    let_lapse(job)
    assert jobs.claim(job.pk, "b")
    with pytest.raises(ClaimLost), jobs.holding(old, step=6):
        raise AssertionError("a stale attempt was let in")
    job.refresh_from_db()
    assert (job.step, job.owner) == (5, "b")


@pytest.mark.parametrize("state", ["paused", "done", "failed", "cancelled"])
def test_a_job_that_is_not_to_be_run_is_not_claimed(project: Project, state: str) -> None:
    assert jobs.claim(make_job(project, state=state).pk, "a") is None


def test_the_oldest_job_of_the_queues_asked_for_comes_first(project: Project) -> None:
    first, other, second = (make_job(project, queue=queue) for queue in ("gpu", "cpu", "gpu"))
    taken = [jobs.claim_next(["gpu"], "a") for _ in range(3)]
    assert [claim.job_id if claim else None for claim in taken] == [first.pk, second.pk, None]
    assert jobs.claim_next(["cpu", "gpu"], "a") == Claim(other.pk, 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lapsed", [False, True])
def test_of_sixteen_workers_at_once_one_gets_the_job(project: Project, lapsed: bool) -> None:
    job = make_job(project)
    if lapsed:
        jobs.claim(job.pk, "lost")
        let_lapse(job)
    together = threading.Barrier(16)
    won: list[Claim] = []

    def worker(number: int) -> None:
        try:
            together.wait()
            claim = jobs.claim(job.pk, f"worker {number}")
            if claim:
                won.append(claim)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [Claim(job.pk, 2 if lapsed else 1)]
