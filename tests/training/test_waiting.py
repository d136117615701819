"""Waits with numbers: stages that wait until people have done enough."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.models import Assignment, Cohort, CohortMember, Project
from tests.training.making import TINY_SFT, demonstrations, rankings
from training import waiting
from training.audience import audience_in
from training.errors import LaunchRefused, RoundRefused
from training.models import Round, Stage
from training.rounds import advance, launch, open_ranking_campaign, open_round
from training.sweeping import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def stage(round_: Round, kind: str) -> Stage:
    return round_.stages.select_related("round__project", "campaign").get(kind=kind)


def test_sft_waits_for_so_many_demonstrations_and_is_moved_on_by_the_sweep(
    round_with_base: Round, project: Project
) -> None:
    waiting.set_enough(round_with_base, "sft", 25)
    assert stage(round_with_base, "sft").state == "waiting"
    assert str(waiting.waited(stage(round_with_base, "sft"))) == "20 of 25 demonstrations to train on"
    sweep()
    assert stage(round_with_base, "sft").state == "waiting"
    demonstrations(project, 5)
    sweep()
    assert stage(round_with_base, "sft").state == "ready"


def test_a_stage_that_waits_for_more_is_not_launched(round_with_base: Round) -> None:
    waiting.set_enough(round_with_base, "sft", 25)
    with pytest.raises(LaunchRefused, match="SFT waits for 25 demonstrations to train on, and there are 20"):
        launch(round_with_base, "sft", overrides=TINY_SFT)


def test_a_smaller_number_lets_it_go(round_with_base: Round) -> None:
    waiting.set_enough(round_with_base, "sft", 25)
    waiting.set_enough(round_with_base, "sft", 20)
    advance(round_with_base)
    assert stage(round_with_base, "sft").state == "ready"


def test_a_prompt_counts_at_full_overlap_only(round_with_base: Round, project: Project) -> None:
    campaign = rankings(project, 3, overlap=2)
    campaign.tasks.update(overlap=3)
    type(campaign).objects.filter(pk=campaign.pk).update(overlap=3)
    assert waiting.there(stage(round_with_base, "reward")) == 0
    type(campaign).objects.filter(pk=campaign.pk).update(overlap=2)
    assert waiting.there(stage(round_with_base, "reward")) == 3


def test_ranking_is_done_at_the_number_and_what_is_left_of_the_campaign_stays(
    round_with_base: Round, project: Project
) -> None:
    campaign = rankings(project, 3)
    last = campaign.tasks.order_by("position").last()
    Assignment.objects.filter(task=last).update(state="expired", current_submission=None)
    campaign.tasks.filter(pk=last.pk).update(open_slots=1)
    Stage.objects.filter(round=round_with_base, kind="rank").update(state="running", campaign=campaign)
    type(campaign).objects.filter(pk=campaign.pk).update(state="open")
    sweep()
    assert stage(round_with_base, "rank").state == "running"
    waiting.set_enough(round_with_base, "rank", 2)
    sweep()
    assert stage(round_with_base, "rank").state == "done"
    campaign.refresh_from_db()
    assert campaign.state == "open"


@pytest.mark.parametrize("kind", ["ppo", "pretrain", "nothing"])
def test_a_stage_that_waits_for_no_number_is_refused(project: Project, kind: str) -> None:
    with pytest.raises(RoundRefused, match="waits for no number; expected one of sft, rank, reward, evaluate"):
        waiting.checked({kind: 3})


@pytest.mark.parametrize("typed", ["0", "-3", "many", "1e9", "99999999999999"])
def test_a_number_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(RoundRefused, match="expected a whole number from 1 to 10,000,000"):
        waiting.read_number(typed)


def test_a_stage_that_has_begun_waits_for_nothing_else(round_with_base: Round) -> None:
    launch(round_with_base, "sft", overrides=TINY_SFT)
    with pytest.raises(RoundRefused, match="SFT is running; what it waits for can be changed before only"):
        waiting.set_enough(round_with_base, "sft", 30)


def test_a_closed_round_waits_for_nothing(project: Project) -> None:
    round_ = open_round(project)
    Round.objects.filter(pk=round_.pk).update(state="closed")
    with pytest.raises(RoundRefused, match="Round 1 is closed"):
        waiting.set_enough(round_, "sft", 30)


def test_a_ranking_campaign_can_still_be_opened_with_a_number(round_with_base: Round) -> None:
    waiting.set_enough(round_with_base, "rank", 2)
    with pytest.raises(LaunchRefused, match="no sampled responses"):
        open_ranking_campaign(round_with_base)


def test_for_one_cohort_alone_prompts_count_that_somebody_of_it_ranked(
    round_with_base: Round, project: Project
) -> None:
    """A campaign for everybody goes on with the others' rankings, which such a round does not read."""
    warm = Cohort.objects.create(project=project, name="Warm")
    for number in range(5):
        labeler = project.labelers.create(pseudonym=f"warm {number}")
        CohortMember.objects.create(cohort=warm, labeler=labeler, since=timezone.now() - timedelta(days=1))
    alone = open_round(project, base="base", audience=audience_in(project, "alone", [str(warm.pk)]))
    rankings(project, 3)
    assert waiting.there(stage(alone, "reward")) == 0
    ranker = rankings(project, 2).assignments.first().labeler
    CohortMember.objects.create(cohort=warm, labeler=ranker, since=timezone.now() - timedelta(days=1))
    assert waiting.there(stage(alone, "reward")) == 2
    assert waiting.there(stage(round_with_base, "reward")) == 5
