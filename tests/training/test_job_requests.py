"""Pause, cancel and resume: what can be asked of a job in each state."""

from collections.abc import Callable

import pytest
from django.test import TestCase

from labeling.models import Project
from tests.labeling.work import make_campaign
from tests.rlhf.run_folders import read_json
from tests.training.making import TINY_SFT, reload
from training import jobs
from training.errors import JobRefused, RoundRefused
from training.jobs import Claim, ClaimLost
from training.models import Job, Round, Stage
from training.rounds import close_round, launch
from training.run_folders import prepare, run_folder
from training.sweeping import sweep

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


@pytest.fixture
def orphan(job: Job) -> Job:
    """It runs, says its row, and its worker is gone."""
    claim = jobs.claim(job.pk, "gone")
    assert claim
    prepare(job, attempt=claim.attempt)
    lapse(job)
    return reload(job)


def lapse(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=job.created_at)


def test_a_job_whose_worker_is_gone_is_cancelled_at_once_and_makes_room(orphan: Job, round_with_base: Round) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        jobs.ask_cancel(orphan)
    now = reload(orphan)
    assert (now.state, now.attempt, now.owner, now.lease_until) == ("cancelled", orphan.attempt + 1, "", None)
    assert Stage.objects.get(job=orphan).state == "cancelled"
    # The stage, should it live after all, reads that another attempt owns its run, and writes nothing more.
    assert read_json(run_folder(orphan).control)["attempt"] == now.attempt
    with pytest.raises(ClaimLost), jobs.holding(Claim(orphan.pk, orphan.attempt)):
        pass
    assert launch(round_with_base, "sft", overrides=TINY_SFT).state == "queued"


def test_a_job_whose_worker_is_gone_is_paused_at_once_and_goes_on_later(orphan: Job) -> None:
    jobs.ask_pause(orphan)
    assert (reload(orphan).state, reload(orphan).attempt) == ("paused", orphan.attempt + 1)
    jobs.resume(orphan)
    claim = jobs.claim(orphan.pk, "b")
    assert claim
    assert claim.attempt == orphan.attempt + 2


@pytest.mark.parametrize(("ask", "state"), [(jobs.ask_cancel, "cancelled"), (jobs.ask_pause, "paused")])
def test_what_was_asked_before_the_worker_was_lost_is_done_by_the_sweep(
    job: Job, ask: Callable[[Job], None], state: str
) -> None:
    jobs.claim(job.pk, "a")
    ask(job)
    sweep()
    assert reload(job).state == "running"
    lapse(job)
    sweep()
    assert reload(job).state == state


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


def test_a_round_with_a_paused_job_is_not_closed(job: Job, round_with_base: Round) -> None:
    jobs.ask_pause(job)
    with pytest.raises(RoundRefused, match=f"Job {job.pk} .SFT. is paused; cancel it first"):
        close_round(round_with_base)
    jobs.ask_cancel(job)
    close_round(round_with_base)


def test_a_round_in_which_people_judge_is_not_closed(round_with_base: Round, project: Project) -> None:
    campaign = make_campaign(project)
    Stage.objects.filter(round=round_with_base, kind="rank").update(state="running", campaign=campaign)
    with pytest.raises(RoundRefused, match=f"People are at work in the campaign .{campaign.name}.; close it first"):
        close_round(round_with_base)


def test_a_job_of_a_closed_round_is_not_resumed(job: Job, round_with_base: Round, project: Project) -> None:
    in_state(job, "failed")
    close_round(round_with_base)
    with pytest.raises(JobRefused, match="Round 1 is closed"):
        jobs.resume(job)
