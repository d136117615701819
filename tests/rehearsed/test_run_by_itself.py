"""A round that runs itself: each stage starts as soon as what it waits for is done, and a refusal is said once."""

import pytest

from labeling.models import Project
from tests.rehearsed.conftest import end, sample, train
from tests.training.making import demonstrations
from training.errors import LaunchRefused
from training.models import Job, Round, Stage
from training.rehearsing import Settings, policies, rehearse
from training.rounds import close_round, launch, open_round
from training.self_running import run_by_itself
from training.simulating import work_a_portion
from training.sweeping import keep_going, sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def states(round_: Round) -> dict[str, str]:
    return dict(round_.stages.values_list("kind", "state"))


def test_it_waits_for_the_base_model_of_another_round(rehearsal: Project) -> None:
    round_ = rehearse(rehearsal, Settings(prompts=60))
    sweep()
    assert states(round_)["sft"] == "waiting"
    base = train(rehearsal, "pretrain", Round.objects.get(number=1))
    sweep()
    assert states(round_) == {
        "sft": "running", "sample": "waiting", "rank": "waiting", "reward": "waiting", "ppo": "waiting",
        "evaluate": "waiting",
    }  # fmt: skip
    job = Job.objects.get(stage__round=round_)
    assert job.inputs.get(role="init").checkpoint == base
    # As in the study, base text is mixed in.
    assert job.config["data"]["pretraining"] == ["text_train"]


def test_stage_after_stage_starts_and_the_reward_model_waits_for_the_rankings(ranked_round: Round) -> None:
    assert states(ranked_round)["rank"] == "running"
    assert states(ranked_round)["reward"] == "waiting"
    keep_going()
    assert states(ranked_round)["rank"] == "done"
    assert states(ranked_round)["reward"] == "running"
    train(ranked_round.project, "reward", ranked_round)
    sweep()
    assert states(ranked_round)["ppo"] == "running"


def test_a_refusal_is_kept_and_not_tried_again_by_the_next_sweep(rehearsal: Project) -> None:
    train(rehearsal, "pretrain", Round.objects.get(number=1))
    round_ = rehearse(rehearsal, Settings(prompts=60))
    # Refused at the opening already, were it so then: what a stage accepts may change between two releases.
    round_.recipe["stages"]["sft"]["optimizer"]["learning_rate"] = -1.0
    round_.save(update_fields=["recipe"])
    assert sweep() >= 1
    stage = round_.stages.get(kind="sft")
    assert stage.state == "ready"
    assert "learning_rate is -1" in stage.refusal
    assert sweep() == 0
    launch(round_, "sft", overrides={"optimizer": {"learning_rate": 1e-3}})
    stage.refresh_from_db()
    assert (stage.state, stage.refusal) == ("running", "")


def test_it_samples_prompts_that_nobody_has_answered(ranked_round: Round) -> None:
    job = Job.objects.get(stage__round=ranked_round, kind="sample")
    rows = sum(one.snapshot.rows for one in job.inputs.all() if one.snapshot)
    assert rows == 2904 - 800  # those with a demonstration are left out
    assert job.config["sample"]["limit_prompts"] == 60


def test_a_second_round_starts_from_the_policy_and_learns_from_both_rounds(ranked_round: Round) -> None:
    keep_going()
    project = ranked_round.project
    train(project, "reward", ranked_round)
    policy = train(project, "ppo", ranked_round)
    sft = project.checkpoints.get(kind="sft")
    policy.parents.set([sft, project.checkpoints.get(kind="reward")])
    assert policies(project) == [policy]
    second = rehearse(project, Settings(prompts=60, policy=policy.pk))
    assert "sft" not in states(second)
    sweep()
    job = Job.objects.get(stage__round=second, kind="sample")
    assert job.inputs.get(role="generators").checkpoint == policy
    Job.objects.filter(pk=job.pk).delete()
    Stage.objects.filter(round=second, kind="sample").update(job=None)
    sample(second, prompts=60)
    keep_going()
    reward = Job.objects.get(stage__round=second, kind="reward")
    assert reward.inputs.get(role="init").checkpoint == sft
    rankings = [one.snapshot for one in reward.inputs.all() if one.role.startswith("rankings")]
    assert sum(one.submissions.count() for one in rankings if one) == 2 * 60 * 4


def test_a_rehearsal_from_sft_learns_from_its_own_rankings_alone(ranked_round: Round) -> None:
    keep_going()
    project = ranked_round.project
    other = rehearse(project, Settings(prompts=60))
    sweep()
    end(other, "sft")
    project.checkpoints.create(kind="sft", name="x", uri=project.checkpoints.get(kind="sft").uri,
        job=other.stages.get(kind="sft").job, generator=project.generators.create(name="x", kind="sft"))  # fmt: skip
    sample(other, prompts=60)
    keep_going()
    reward = Job.objects.get(stage__round=other, kind="reward")
    rankings = [one.snapshot for one in reward.inputs.all() if one.role.startswith("rankings")]
    assert sum(one.submissions.count() for one in rankings if one) == 60 * 4


def test_a_round_that_people_run_is_never_started(round_with_base: Round) -> None:
    assert sweep() == 0
    assert round_with_base.stages.get(kind="sft").state == "ready"


def test_a_closed_round_stands_still(rehearsal: Project) -> None:
    round_ = Round.objects.get(number=1)
    close_round(round_)
    assert sweep() == 0


def test_a_recorded_round_can_be_looked_at_and_not_run(rehearsal: Project) -> None:
    round_ = Round.objects.get(number=1)
    Round.objects.filter(pk=round_.pk).update(recorded="python manage.py record_rehearsal")
    assert sweep() == 0
    with pytest.raises(LaunchRefused, match="run elsewhere"):
        launch(round_, "pretrain")


def test_people_may_have_a_round_run_itself_in_their_own_project(project: Project, settings: object) -> None:
    from tests.training.making import base_model_folder

    base_model_folder(settings.MODELS_DIR / "base")  # type: ignore[attr-defined]
    demonstrations(project, 40)
    round_ = open_round(project, base="base", runs_itself=True)
    run_by_itself(round_)
    assert states(round_)["sft"] == "running"
    assert work_a_portion() == 0
