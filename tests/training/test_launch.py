"""Launching a stage: what it is given, and what refuses it with nothing made."""

from pathlib import Path
from typing import Any

import pytest

from labeling.models import Project, User
from tests.training.making import TINY_SFT, base_model_folder, demonstrations, rankings
from tests.training.test_settle import sft_is_done
from training.errors import LaunchRefused
from training.models import Job, Round, Snapshot
from training.rlhf.contract.config import RunConfig
from training.rounds import close_round, launch, open_round

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def nothing_was_made(settings: Any) -> bool:
    files = [path for path in Path(settings.SNAPSHOTS_DIR).rglob("*") if path.is_file()]
    return not Job.objects.exists() and not Snapshot.objects.exists() and not files


def test_a_launch_freezes_the_data_and_queues_a_job(round_with_base: Round, researcher: User) -> None:
    demonstrations(round_with_base.project, 3, split="valid")
    job = launch(round_with_base, "sft", overrides=TINY_SFT, by=researcher)
    assert (job.state, job.queue, job.created_by) == ("queued", "cpu", researcher)
    assert {one.role: one.snapshot.rows for one in job.inputs.filter(snapshot__isnull=False)} == {  # type: ignore[union-attr]
        "demonstrations_train": 20,
        "demonstrations_valid": 3,
    }
    assert job.inputs.get(role="init").checkpoint.name == "base"  # type: ignore[union-attr]
    assert round_with_base.stages.get(kind="sft").state == "running"


def test_the_config_is_the_recipes_with_the_overrides_on_top(round_with_base: Round) -> None:
    config = RunConfig.from_json(launch(round_with_base, "sft", overrides=TINY_SFT).config)
    assert config.optimizer.learning_rate == 1e-3
    assert config.sft is not None
    assert config.sft.epochs == 1
    assert config.models.init == "models/init"
    assert config.data.train == ("demonstrations_train",)


def test_a_job_that_may_use_a_gpu_goes_to_its_queue(round_with_base: Round) -> None:
    assert launch(round_with_base, "sft").queue == "gpu"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"optimizer": {"learning_rate": -1e-3}}, "optimizer.learning_rate is -0.001; expected a number above 0"),
        ({"optimiser": {}}, 'optimiser is not a known key; did you mean "optimizer"'),
        ({"sft": {"epoch": 2}}, 'sft.epoch is not a known key; did you mean "epochs"'),
        ({"sft": {"epochs": 1.5}}, "sft.epochs is 1.5; expected a whole number"),
        ({"models": {"init": "/etc"}}, "models is decided by the round"),
        ({"reward": {}}, "reward is not expected"),
        ({"conditioning": {"mode": "message", "conditions": {"a": "x\x00"}}}, "holds the character NUL"),
    ],
)
def test_a_config_that_cannot_be_is_refused_by_key_and_value(
    round_with_base: Round, settings: Any, overrides: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(LaunchRefused, match=sentence.replace(".", r"\.")):
        launch(round_with_base, "sft", overrides=overrides)
    assert nothing_was_made(settings)


def test_too_little_data_is_refused_with_both_counts(project: Project, settings: Any) -> None:
    base_model_folder(settings.MODELS_DIR / "base")
    demonstrations(project, 5)
    with pytest.raises(LaunchRefused, match="There are 5 demonstrations of split train, and one step .* takes 16"):
        launch(open_round(project, base="base"), "sft")
    assert nothing_was_made(settings)


def test_a_base_model_that_is_gone_is_refused_by_name(round_with_base: Round, settings: Any) -> None:
    (settings.MODELS_DIR / "base" / "model.safetensors").unlink()
    with pytest.raises(LaunchRefused, match=r"The checkpoint 'base', wanted as init, .* has no weights"):
        launch(round_with_base, "sft")
    assert nothing_was_made(settings)


def test_a_stage_waits_for_the_ones_before_it(round_with_base: Round) -> None:
    with pytest.raises(LaunchRefused, match="Reward model waits for SFT"):
        launch(round_with_base, "reward")
    with pytest.raises(LaunchRefused, match="PPO waits for SFT and Reward model"):
        launch(round_with_base, "ppo")


def test_stages_that_no_machine_does_say_so(round_with_base: Round) -> None:
    with pytest.raises(LaunchRefused, match="Rank is done by people"):
        launch(round_with_base, "rank")
    with pytest.raises(LaunchRefused, match=r"Evaluate waits for PPO\. Run that first"):
        launch(round_with_base, "evaluate")
    with pytest.raises(LaunchRefused, match="There is no stage 'sleep'"):
        launch(round_with_base, "sleep")
    with pytest.raises(LaunchRefused, match="has no stage Base model"):
        launch(round_with_base, "pretrain")


def test_a_stage_has_one_job_at_a_time(round_with_base: Round) -> None:
    job = launch(round_with_base, "sft", overrides=TINY_SFT)
    for state in ("queued", "running", "paused"):
        Job.objects.filter(pk=job.pk).update(state=state, lease_until=job.created_at)
        with pytest.raises(LaunchRefused, match=f"SFT has job {job.pk}, which is {state}"):
            launch(round_with_base, "sft", overrides=TINY_SFT)


def test_a_failed_stage_runs_anew_and_keeps_what_was(round_with_base: Round) -> None:
    first = launch(round_with_base, "sft", overrides=TINY_SFT)
    Job.objects.filter(pk=first.pk).update(state="failed")
    second = launch(round_with_base, "sft", overrides=TINY_SFT)
    stage = round_with_base.stages.get(kind="sft")
    assert stage.job == second
    assert list(stage.jobs.order_by("pk")) == [first, second]


def test_a_closed_round_launches_nothing(round_with_base: Round) -> None:
    close_round(round_with_base)
    with pytest.raises(LaunchRefused, match="Round 1 is closed"):
        launch(round_with_base, "sft")


def test_pretraining_asks_for_text_and_says_how_to_bring_it(project: Project) -> None:
    with pytest.raises(LaunchRefused, match="manage.py import_text helpdesk FILE"):
        launch(open_round(project), "pretrain")


def test_a_reward_model_is_measured_on_held_out_rankings(round_with_base: Round) -> None:
    sft_is_done(round_with_base)
    rankings(round_with_base.project, 2)
    job = launch(round_with_base, "reward", overrides={"reward": {"prompts_per_step": 2}})
    assert set(job.config["data"]["demonstrations"]) == {"demonstrations_train"}
    assert job.config["data"]["validation"] == []
    assert job.inputs.get(role="rankings_train").snapshot.submissions.count() == 2  # type: ignore[union-attr]
