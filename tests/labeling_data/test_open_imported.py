"""Imported work is given to people: `manage.py open_campaign`."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from labeling.assigning import claim, labeler_of
from labeling.guidelines import FLAGS, guideline_for
from labeling.importing import import_file
from labeling.models import Campaign, Guideline, Membership, Project, Task, User, WorkKind
from tests.labeling_data import samples
from tests.labeling_data.samples import prompt, prompt_record, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def imported(project: Project, tmp_path: Path) -> Project:
    lines = [samples.candidates(f"k{n}", prompt=prompt(f"Question {n}?")) for n in range(4)]
    single = samples.candidates("single", prompt=prompt("One?"), responses=[{"text": "x", "generator": "m"}])
    ranked = samples.ranking("r1", prompt=prompt("Ranked?"))
    report = import_file(project, write(tmp_path / "f", single, *lines, ranked, prompt_record("p", "New?")), name="set")
    assert not report.refused
    return project


def opened(project: Project, *options: str) -> Campaign:
    call_command("open_campaign", project.slug, *options)
    return Campaign.objects.filter(imported=False).latest("pk")


def test_a_ranking_campaign_shows_what_was_imported_together(imported: Project, labeler: User) -> None:
    campaign = opened(imported, "--from-imported", "set", "--tasks", "3", "--overlap", "2")
    assert (campaign.state, campaign.overlap, campaign.tasks.count()) == ("open", 2, 3)
    assignment = claim(campaign, labeler_of(Membership.objects.get(user=labeler)))
    assert assignment is not None
    assert assignment.task.prompt is not None
    assert assignment.task.prompt.last_turn == "Question 0?"
    texts = {one.response.text for one in assignment.task.shown.all()}
    assert texts == {"Paris.", "It is Paris.", "Rome."}


def test_sets_that_no_one_can_rank_are_passed_over(imported: Project) -> None:
    campaign = opened(imported, "--from-imported", "imported rankings: set", "--tasks", "100")
    assert [task.shown.count() for task in campaign.tasks.all()] == [3] * 5


def test_a_rating_campaign_shows_each_response_by_itself_and_once(imported: Project, tmp_path: Path) -> None:
    again = samples.candidates("again", prompt=prompt("Question 0?"))
    assert import_file(imported, write(tmp_path / "g", again), name="set").new["responses"] == 0
    campaign = opened(imported, "--kind", "rating", "--from-imported", "set", "--tasks", "100")
    shown = [task.shown.get().response_id for task in campaign.tasks.all()]
    assert len(shown) == len(set(shown)) == 16


def test_a_rating_campaign_mixes_the_models_and_keeps_responses_to_one_prompt_apart(
    project: Project, tmp_path: Path
) -> None:
    def said(number: int, model: str) -> dict[str, str]:
        return {"text": f"{model} says {number}", "generator": model}

    sets = [
        samples.candidates(
            f"k{n}", prompt=prompt(f"{n}?"), responses=[said(n, model) for model in ("base", "sft", "ppo")]
        )
        for n in range(8)
    ]
    import_file(project, write(tmp_path / "f", *sets), name="set")
    rounds = []
    for name in ("first", "again"):
        campaign = opened(project, "--kind", "rating", "--from-imported", "set", "--tasks", "20", "--name", name)
        shown = [task.shown.get().response for task in campaign.tasks.order_by("position")]
        assert [len({one.prompt_id for one in shown[start : start + 8]}) for start in (0, 8, 16)] == [8, 8, 4]
        rounds.append([one.generator.name for one in shown[:8] if one.generator])
    # Of 3**8 orders of the first round three show one model only; the seed is fixed.
    assert set(rounds[0]) == {"base", "sft", "ppo"}
    assert rounds[0] == rounds[1]


def test_a_demonstration_campaign_asks_for_prompts_that_have_none(imported: Project, tmp_path: Path) -> None:
    imported.prompts.update(split="train")
    import_file(imported, write(tmp_path / "d", samples.demonstration(prompt=prompt("Question 0?"))), name="d")
    imported.prompts.filter(external_id="p").update(split="test")
    campaign = opened(imported, "--kind", "demonstration", "--tasks", "100")
    asked = [task.prompt.last_turn for task in campaign.tasks.all() if task.prompt]
    assert asked == ["One?", "Question 1?", "Question 2?", "Question 3?", "Ranked?"]


def test_a_campaigns_name_says_nothing_of_the_file_unless_one_is_given(imported: Project) -> None:
    names = [opened(imported, "--from-imported", "set").name for _ in range(2)]
    names.append(opened(imported, "--kind", "rating", "--from-imported", "set").name)
    assert names == ["Ranking 1", "Ranking 2", "Rating 1"]


@pytest.mark.parametrize(
    ("options", "required"),
    [
        ([], ["ranks"]),
        (["--require", "ratings", "ranks"], ["ratings", "ranks"]),
        (["--require"], []),
        (["--kind", "rating"], []),
        (["--kind", "rating", "--require", "flags"], ["flags"]),
    ],
)
def test_it_requires_ranks_of_a_ranking_or_what_is_asked_for(
    imported: Project, options: list[str], required: list[str]
) -> None:
    assert opened(imported, "--from-imported", "set", *options).required == required


def test_the_default_guideline_is_published_where_there_is_none(imported: Project) -> None:
    guideline = opened(imported, "--from-imported", "set").guideline
    assert guideline.published_at is not None
    assert [len(guideline.flags), guideline.scale_names] == [11, ["overall"]]
    assert opened(imported, "--from-imported", "set", "--name", "again").guideline == guideline


def test_the_newest_published_guideline_is_used_where_there_is_one(project: Project) -> None:
    own = Guideline.objects.create(project=project, kind="rating", version=3, body="ours", published_at=timezone.now())
    Guideline.objects.create(project=project, kind="rating", version=4, body="a draft")
    assert guideline_for(project, WorkKind.RATING) == own


def test_every_flag_has_a_letter_of_its_own() -> None:
    letters = [flag["letter"] for flag in FLAGS]
    assert len(set(letters)) == len(letters) == 11
    assert len({flag["name"] for flag in FLAGS}) == 11


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--from-imported", "nothing"], "Nothing was imported under the name 'nothing'; there is: imported rankings"),
        ([], "--from-imported is missing"),
        (["--from-imported", "set", "--tasks", "0"], "--tasks is 0; expected 1 to"),
        (["--from-imported", "set", "--overlap", "101"], "--overlap is 101; expected 1 to 100"),
        (["--from-imported", "set", "--name", "imported rankings: set"], "give this one another --name"),
        (["--from-imported", "set", "--name", "a\nb"], "remove line ends"),
        (["--from-imported", "set", "--require", "length"], "of a ranking can be required: ratings, flags, ranks"),
        (["--kind", "rating", "--from-imported", "set", "--require", "ranks"], "can be required: ratings, flags."),
    ],
)
def test_it_refuses_what_cannot_be_opened(imported: Project, options: list[str], sentence: str) -> None:
    before = Task.objects.count(), Campaign.objects.count(), Guideline.objects.count()
    with pytest.raises(CommandError) as refused:
        call_command("open_campaign", imported.slug, *options)
    assert sentence in str(refused.value)
    assert (Task.objects.count(), Campaign.objects.count(), Guideline.objects.count()) == before
