"""The reward model that chooses the epoch of SFT: which one a round takes, and what is said where there is none."""

import pytest

from labeling.models import Project
from tests.training.making import TINY_SFT, demonstrations, rankings
from tests.training.test_origins import REWARD
from tests.training.test_settle import finished, released, sft_is_done
from training.errors import LaunchRefused
from training.models import Checkpoint, Job, Round, Stage
from training.preflight import judge_of_epochs, models_of, plan, preview, with_judge
from training.rounds import launch
from training.views.launch_forms import checked_launch

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

BY_SCORE = TINY_SFT | {"sft": TINY_SFT["sft"] | {"select": "reward_score"}}


def sft(round_: Round) -> Stage:
    return round_.stages.get(kind="sft")


def base(round_: Round) -> Checkpoint:
    return round_.project.checkpoints.get(name="base")


def reward_model(round_: Round, seed: int = 1) -> Checkpoint:
    job = launch(round_, "reward", overrides=REWARD | {"seed": seed})
    released(job)
    finished(job)
    return Checkpoint.objects.get(job=job)


@pytest.fixture
def judged_round(round_with_base: Round, project: Project) -> Round:
    """A round with an SFT model, rankings, and held-out demonstrations to answer."""
    sft_is_done(round_with_base)
    rankings(project, 3)
    demonstrations(project, 4, split="valid")
    return round_with_base


def test_it_is_the_newest_that_comes_from_the_same_base_and_is_still_there(judged_round: Round) -> None:
    older, newer = reward_model(judged_round, 1), reward_model(judged_round, 2)
    assert judge_of_epochs(sft(judged_round), base(judged_round)) == newer
    Checkpoint.objects.filter(pk=newer.pk).update(removed_at=newer.created_at)
    assert judge_of_epochs(sft(judged_round), base(judged_round)) == older


def test_one_of_another_base_or_that_was_recorded_elsewhere_does_not_judge(judged_round: Round) -> None:
    project = judged_round.project
    stranger = Checkpoint.objects.create(project=project, kind="base", name="stranger", uri="stranger")
    model = reward_model(judged_round)
    with pytest.raises(LaunchRefused, match="no reward model from the same base model yet. Choose validation_loss"):
        judge_of_epochs(sft(judged_round), stranger)
    Round.objects.filter(pk=judged_round.pk).update(recorded="a script")
    with pytest.raises(LaunchRefused, match="sft.select is reward_score, and the project has no reward model"):
        judge_of_epochs(sft(judged_round), base(judged_round))
    assert model.kind == "reward"


def test_a_launch_by_score_gets_it_as_a_model_of_its_own_and_a_launch_by_loss_does_not(judged_round: Round) -> None:
    judge = reward_model(judged_round)
    planned = plan(sft(judged_round), BY_SCORE)
    assert planned.models["reward"] == judge
    assert planned.config["models"]["reward"] == "models/reward"
    assert "reward" not in plan(sft(judged_round), TINY_SFT).models


def test_a_judge_that_was_chosen_stays(judged_round: Round) -> None:
    chosen = reward_model(judged_round, 1)
    reward_model(judged_round, 2)
    models = models_of(sft(judged_round)) | {"reward": chosen}
    assert with_judge(sft(judged_round), BY_SCORE, models)["reward"] == chosen


def test_without_a_reward_model_nothing_starts(judged_round: Round) -> None:
    before = Job.objects.count()
    with pytest.raises(LaunchRefused, match="Choose validation_loss, or train a reward model first"):
        launch(judged_round, "sft", overrides=BY_SCORE)
    assert Job.objects.count() == before


def test_a_preview_shows_it_whether_or_not_the_models_were_chosen(judged_round: Round) -> None:
    shown = preview(sft(judged_round), BY_SCORE)
    assert shown["models"]["reward"] == "models/reward"
    chosen = preview(sft(judged_round), BY_SCORE, models=models_of(sft(judged_round)))
    assert chosen["models"]["reward"] == "models/reward"
    assert chosen["sft"]["select"] == "reward_score"
    assert preview(sft(judged_round), TINY_SFT, models=models_of(sft(judged_round)))["models"]["reward"] is None


def test_the_check_before_a_launch_counts_the_judge_among_its_models(judged_round: Round) -> None:
    judge = reward_model(judged_round)
    items = checked_launch(sft(judged_round), {"config": '{"sft": {"select": "reward_score"}}'})
    assert [item.value for item in items if item.name == "Model (reward)"] == [judge.name]
