"""A round's responses are ranked once more after Sample ran anew: in another campaign, when the first is closed."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import Project, Response, User
from labeling.opening import close_campaign, pause_campaign
from tests.conftest import signed_in
from tests.training.making import generator, prompt
from training.errors import LaunchRefused
from training.models import Job, Round
from training.rounds import open_ranking_campaign
from training.sweeping import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def sampled(round_: Round) -> Job:
    """Sample is done, with two responses to one prompt."""
    stage = round_.stages.get(kind="sample")
    job = Job.objects.create(project=round_.project, stage=stage, kind="sample", config={}, state="done")
    stage.job, stage.state = job, "done"
    stage.save()
    about = prompt(round_.project)
    for text in (f"One of job {job.pk}", f"Two of job {job.pk}"):
        Response.objects.create(prompt=about, generator=generator(round_.project), text=text, sampling={"job": job.pk})
    return job


@pytest.fixture
def round_(project: Project, round_with_base: Round) -> Round:
    project.guidelines.create(kind="ranking", version=1, body="Rank.", published_at=timezone.now())
    sampled(round_with_base)
    return round_with_base


@pytest.mark.parametrize("state", ["open", "paused"])
def test_while_a_campaign_goes_on_another_is_refused_and_the_state_told(round_: Round, state: str) -> None:
    campaign = open_ranking_campaign(round_)
    if state == "paused":
        pause_campaign(campaign)
    with pytest.raises(LaunchRefused, match=f"a ranking campaign that is {state}: Round 1: rank. Close it first"):
        open_ranking_campaign(round_)


def test_after_a_closed_campaign_the_newest_responses_are_ranked_in_another(round_: Round) -> None:
    first = open_ranking_campaign(round_)
    close_campaign(first)
    sweep()
    assert round_.stages.get(kind="rank").state == "done"
    again = sampled(round_)
    second = open_ranking_campaign(round_)
    stage = round_.stages.get(kind="rank")
    assert (stage.campaign, stage.state) == (second, "running")
    texts = {shown.response.text for task in second.tasks.all() for shown in task.shown.all()}
    assert texts == {f"One of job {again.pk}", f"Two of job {again.pk}"}


def test_the_page_offers_another_campaign_once_the_first_is_closed(round_: Round, researcher: User) -> None:
    campaign = open_ranking_campaign(round_)
    ines: Client = signed_in(researcher)
    address = reverse("round", args=["helpdesk", 1]) + "?stage=rank"
    assert "Open the ranking campaign" not in ines.get(address).content.decode()
    close_campaign(campaign)
    page = ines.get(address).content.decode()
    assert "is closed: 0 of 1 rankings" in page
    assert "Open the ranking campaign" in page


def test_nobody_ranks_by_a_guideline_that_is_a_draft(project: Project, round_: Round) -> None:
    project.guidelines.create(kind="ranking", version=2, body="Half a sent")
    assert open_ranking_campaign(round_).guideline.version == 1
