"""Whatever watches a policy learned from other prompts and people than the model that it is trained against."""

import pytest

from labeling.models import Assignment, Campaign, Project
from tests.training.making import rankings
from tests.training.test_origins import REWARD
from tests.training.test_settle import finished, released, sft_is_done
from training.errors import LaunchRefused
from training.models import Checkpoint, Round, Snapshot, Stage
from training.preflight import models_with_watch
from training.rounds import launch
from training.snapshot_rows import Query
from training.snapshots import freeze
from training.views.launch_forms import launch_form

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.rule(30)]


def reward_of(round_: Round, seed: int) -> Checkpoint:
    job = launch(round_, "reward", overrides=REWARD | {"seed": seed})
    released(job)
    finished(job)
    return Checkpoint.objects.get(job=job)


@pytest.fixture
def ranked_round(round_with_base: Round, project: Project) -> Round:
    sft_is_done(round_with_base)
    rankings(project, 3)
    return round_with_base


def ppo(round_: Round) -> Stage:
    return round_.stages.get(kind="ppo")


def learned_from(model: Checkpoint, campaign: Campaign) -> Snapshot:
    """Its training rankings become those of one campaign alone."""
    snapshot = freeze(campaign.project, Query(kind="rankings", split="train", campaigns=(campaign.pk,)))
    assert model.job is not None
    model.job.inputs.filter(role="rankings_train").update(snapshot=snapshot)
    return snapshot


def offered(round_: Round) -> list[Checkpoint]:
    """What the form of a launch shows."""
    form = launch_form(ppo(round_))
    assert form is not None
    return list(form.watchers)


def test_a_model_of_the_same_rankings_may_not_watch(ranked_round: Round) -> None:
    watcher = reward_of(ranked_round, 1)
    reward_of(ranked_round, 2)
    with pytest.raises(
        LaunchRefused, match="learned from 3 prompts and 1 labeler that .* Choose a reward model of other"
    ):
        models_with_watch(ppo(ranked_round), watcher.pk)


@pytest.mark.parametrize("in_common", [False, True])
def test_a_model_of_other_prompts_may_unless_one_person_ranked_for_both(
    ranked_round: Round, project: Project, in_common: bool
) -> None:
    first, second = project.campaigns.get(kind="ranking"), rankings(project, 2)
    watcher, trained_against = reward_of(ranked_round, 1), reward_of(ranked_round, 2)
    watched_for, learned = learned_from(watcher, second), learned_from(trained_against, first)
    if in_common:
        person = learned.submissions.first().assignment.labeler  # type: ignore[union-attr]
        Assignment.objects.filter(submissions__in=watched_for.submissions.all()).update(labeler=person)
        with pytest.raises(LaunchRefused, match="learned from 1 labeler that"):
            models_with_watch(ppo(ranked_round), watcher.pk)
        assert offered(ranked_round) == []
    else:
        assert models_with_watch(ppo(ranked_round), watcher.pk)["watch.0"] == watcher
        assert offered(ranked_round) == [watcher]
