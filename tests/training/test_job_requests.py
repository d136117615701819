"""Pause, cancel and resume: what can be asked of a job in each state."""

import pytest

from labeling.models import Project
from tests.training.making import TINY_SFT, reload
from training import jobs
from training.errors import JobRefused
from training.models import Job, Round, Stage
from training.rounds import close_round, launch

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def job(round_with_base: Round) -> Job:
    return launch(round_with_base, "sft", overrides=TINY_SFT)


def in_state(job: Job, state: str) -> Job:
    Job.objects.filter(pk=job.pk).update(state=state, lease_until=job.created_at)
    return job


def test_a_queued_job_is_paused_and_cancelled_at_once(job: Job) -> None:
    jobs.ask_pause(job)
    assert reload(job).state == "paused"
    jobs.ask_cancel(job)
    assert reload(job).state == "cancelled"
    assert Stage.objects.get(job=job).state == "cancelled"


def test_of_a_running_job_it_is_only_wanted(job: Job) -> None:
    jobs.claim(job.pk, "a")
    jobs.ask_pause(job)
    assert (reload(job).state, reload(job).wanted) == ("running", "pause")
    jobs.ask_cancel(job)
    assert (reload(job).state, reload(job).wanted) == ("running", "cancel")


def test_asking_twice_is_refused_with_the_reason(job: Job) -> None:
    jobs.claim(job.pk, "a")
    jobs.ask_pause(job)
    with pytest.raises(JobRefused, match="was asked to pause already"):
        jobs.ask_pause(job)
    jobs.ask_cancel(job)
    with pytest.raises(JobRefused, match="is being cancelled already"):
        jobs.ask_cancel(job)


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_an_ended_job_is_neither_paused_nor_cancelled(job: Job, state: str) -> None:
    in_state(job, state)
    for ask in (jobs.ask_pause, jobs.ask_cancel):
        with pytest.raises(JobRefused, match=f"is {state}"):
            ask(job)


def test_a_paused_or_failed_job_is_queued_again_with_a_clean_slate(job: Job) -> None:
    for state in ("paused", "failed"):
        in_state(job, state)
        Job.objects.filter(pk=job.pk).update(wanted="pause", attempts_without_progress=3, error={"code": "bug"})
        jobs.resume(job)
        now = reload(job)
        assert (now.state, now.wanted, now.attempts_without_progress, now.error) == ("queued", "run", 0, None)


@pytest.mark.parametrize("state", ["queued", "running", "done", "cancelled"])
def test_a_job_in_any_other_state_is_not_resumed(job: Job, state: str) -> None:
    with pytest.raises(JobRefused, match=f"is {state}; only a paused or failed job"):
        jobs.resume(in_state(job, state))


def test_a_job_that_was_followed_by_another_is_not_resumed(job: Job, round_with_base: Round) -> None:
    in_state(job, "failed")
    later = launch(round_with_base, "sft", overrides=TINY_SFT)
    with pytest.raises(JobRefused, match=f"was followed by job {later.pk}"):
        jobs.resume(job)


def test_a_job_of_a_closed_round_is_not_resumed(job: Job, round_with_base: Round, project: Project) -> None:
    in_state(job, "failed")
    close_round(round_with_base)
    with pytest.raises(JobRefused, match="Round 1 is closed"):
        jobs.resume(job)
