"""Opening a round: its stages, its recipe, and the base model it starts from."""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from labeling.models import Project
from tests.training.making import base_model_folder
from training.base_models import folders_on_offer
from training.errors import RoundRefused
from training.models import Checkpoint, Job, Round
from training.next_round import next_round
from training.preflight import LAUNCHABLE, needs_of, preview, query_of
from training.recipes import RECIPES
from training.rounds import close_round, open_round, sections_of
from training.snapshot_rows import Query

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def base(settings: Any) -> Path:
    return base_model_folder(settings.MODELS_DIR / "base")


def test_without_a_base_model_a_round_begins_by_training_one(project: Project) -> None:
    opened = open_round(project)
    assert list(opened.stages.values_list("kind", "state", "waits_for")) == [
        ("pretrain", "ready", []),
        ("sft", "waiting", ["pretrain"]),
        ("sample", "waiting", ["sft"]),
        ("rank", "waiting", ["sample"]),
        ("reward", "waiting", ["sft"]),
        ("ppo", "waiting", ["sft", "reward"]),
        ("evaluate", "waiting", ["ppo"]),
    ]


def test_with_a_base_model_it_begins_with_sft(project: Project, base: Path) -> None:
    opened = open_round(project, base="base")
    assert opened.stages.earliest("place").kind == "sft"
    checkpoint = Checkpoint.objects.get(pk=opened.recipe["base"])
    assert (checkpoint.kind, checkpoint.uri) == ("base", str(base))


def test_a_folder_is_one_checkpoint_however_often_it_is_used(project: Project, base: Path) -> None:
    assert open_round(project, base="base").recipe["base"] == open_round(project, base="base").recipe["base"]


def test_a_hub_name_is_taken_as_it_is(project: Project) -> None:
    opened = open_round(project, base="hub:owner/name")
    assert Checkpoint.objects.get(pk=opened.recipe["base"]).uri == "hub:owner/name"


def reward_query(opened: Round) -> Query:
    stage = opened.stages.get(kind="reward")
    (need,) = (one for one in needs_of(stage, sections_of(opened, "reward")) if (one.kind, one.split) == RANKINGS)
    return query_of(opened, need)


RANKINGS = ("rankings", "train")


def test_how_rankings_are_read_is_said_when_a_round_opens_and_again_in_the_next(project: Project, base: Path) -> None:
    usual = reward_query(open_round(project, base="base"))
    assert (usual.adjudicated, usual.weigh) == ("beside", "alike")
    opened = open_round(project, base="base", more={"adjudicated": "instead", "weigh": "by ability"})
    for one in (opened, next_round(opened, with_policy=False)):
        assert (reward_query(one).adjudicated, reward_query(one).weigh) == ("instead", "by ability")
    with pytest.raises(RoundRefused, match=r"weigh is .alone.; expected one of alike, by ability"):
        open_round(project, base="base", more={"weigh": "alone"})


@pytest.mark.parametrize(
    "name", ["missing", "../base", "/etc", "a/../base", "base\x00", "hub:", "hub:../x", "hub:a/b/c", "C:\\x", "x" * 200]
)
def test_a_base_model_that_is_none_is_refused_and_nothing_is_opened(project: Project, base: Path, name: str) -> None:
    with pytest.raises(RoundRefused, match="base model"):
        open_round(project, base=name)
    assert not Round.objects.exists()


def test_a_folder_without_weights_says_so(project: Project, base: Path) -> None:
    (base / "model.safetensors").unlink()
    with pytest.raises(RoundRefused, match="has no weights"):
        open_round(project, base="base")


def test_the_folders_on_offer_are_those_with_a_model(base: Path, settings: Any) -> None:
    (Path(settings.MODELS_DIR) / "notes").mkdir()
    assert folders_on_offer() == ["base"]


def test_the_paper_recipe_needs_a_base_model(project: Project) -> None:
    with pytest.raises(RoundRefused, match="Name the base model to start from"):
        open_round(project, recipe="paper")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_config_for_each_of_its_stages(project: Project, base: Path, name: str) -> None:
    project.simulated = RECIPES[name].rehearsal is not None
    opened = open_round(project, recipe=name, base=None if "pretrain" in RECIPES[name].stages else "base")
    machines = [stage for stage in opened.stages.all() if stage.kind in LAUNCHABLE]
    # Evaluate samples as Sample does.
    assert {stage.kind for stage in machines} == {*RECIPES[name].stages, "evaluate"}
    for stage in machines:
        expected = "sample" if stage.kind == "evaluate" else stage.kind
        assert preview(stage, sections_of(opened, stage.kind))["stage"] == expected


def test_a_round_keeps_its_recipe_when_the_recipes_change(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_round(project)
    monkeypatch.setitem(RECIPES["tiny"].stages["sft"]["sft"], "epochs", 99)  # type: ignore[index]
    assert Round.objects.get(pk=opened.pk).recipe["stages"]["sft"]["sft"]["epochs"] == 4


def test_a_closed_round_stays_closed_and_a_running_one_is_not_closed(project: Project) -> None:
    opened = open_round(project)
    job = Job.objects.create(project=project, stage=opened.stages.get(kind="pretrain"), kind="pretrain", config={})
    with pytest.raises(RoundRefused, match=f"Job {job.pk} .* is queued; cancel it first"):
        close_round(opened)
    job.delete()
    close_round(opened)
    assert Round.objects.get().state == "closed"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_rounds_opened_at_once_get_numbers_of_their_own(project: Project) -> None:
    def work() -> None:
        try:
            open_round(project)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(project.rounds.values_list("number", flat=True)) == list(range(1, 9))
