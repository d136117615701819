"""Rehearse a round: the page, its settings, what it foresees, and what it says afterwards."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from labeling.models import Cohort, Labeler, Project, User
from tests.conftest import make_member, signed_in
from tests.rehearsed.conftest import train
from training import foreseeing
from training.audience import audience_of
from training.models import Job, Round, Stage
from training.outcomes import outcomes
from training.rehearsing import Settings
from training.sweeping import keep_going

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

TYPED = {"recipe": "rehearsal", "policy": "", "prompts": "80", "responses": "4", "judges": "2", "by_hand": "0"}
TABLE = {
    "command": "python -m training.rehearsal.expecting",
    "reward_model": [
        {
            "prompts": prompts, "responses": 4, "judges_per_cohort": 2, "comparisons": 9,
            "accuracy": {"mean": mean, "error": 0.01}, "accuracy_against_taste": {"mean": mean, "error": 0.01},
        }
        for prompts, mean in ((200, 0.61), (1050, 0.66))
    ],
    "labelers": [{"responses": 4, "within": {"mean": 0.79, "error": 0.01}, "across": {"mean": 0.56, "error": 0.01}}],
}  # fmt: skip


@pytest.fixture
def rita(researcher_there: User) -> Client:
    return signed_in(researcher_there)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreseeing, "table", lambda: TABLE)


def address(project: Project) -> str:
    return reverse("rehearse", args=[project.slug])


def text_of(answer: Any) -> str:
    return " ".join(strip_tags(answer.content.decode()).replace("\N{NO-BREAK SPACE}", " ").split())


def test_a_stranger_learns_nothing_and_a_labeler_is_kept_out(rehearsal: Project, stranger: User) -> None:
    labeler = make_member(rehearsal, "lars", "labeler")
    assert signed_in(stranger).get(address(rehearsal)).status_code == 404
    assert signed_in(labeler).get(address(rehearsal)).status_code == 403
    assert Client().get(address(rehearsal)).status_code == 302


def test_a_project_of_people_has_no_such_page(project: Project, owner: User) -> None:
    client = signed_in(owner)
    assert client.get(address(project)).status_code == 404
    assert client.post(address(project), TYPED).status_code == 404
    assert "Rehearse" not in text_of(client.get(reverse("rounds", args=[project.slug])))


def test_it_says_what_to_expect_of_the_nearest_settings_measured(
    rehearsal: Project, rita: Client, measured: None
) -> None:
    said = text_of(rita.get(address(rehearsal), TYPED))
    assert "two labelers of one cohort should order 79.0 % of pairs alike" in said
    assert "the reward model 61.0 % as a labeler does" in said
    assert "measured at 200 prompts, 4 responses each, 2 judges of each cohort" in said
    assert "All labelers were simulated" in said
    assert "the reward model 66.0 %" in text_of(rita.get(address(rehearsal)))


def test_what_was_never_measured_is_said_to_be_so(
    rehearsal: Project, rita: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreseeing, "table", dict)
    said = text_of(rita.get(address(rehearsal)))
    assert "what it gives has not been measured" in said
    assert "never measured here" in said


def test_one_press_begins_a_round_that_runs_itself(rehearsal: Project, rita: Client) -> None:
    assert "Base: training" in text_of(rita.get(address(rehearsal)))
    answer = rita.post(address(rehearsal), TYPED)
    assert answer.url == reverse("round", args=["rehearsal", 2])
    round_ = Round.objects.get(number=2)
    assert round_.runs_itself
    assert round_.created_by == User.objects.get(username="rita")
    assert round_.recipe["stages"]["sample"]["sample"]["limit_prompts"] == 80
    assert round_.recipe["overlap"] == 4
    assert "Runs itself" in text_of(rita.get(answer.url))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"prompts": "39"}, "This is 39; expected 40 or more."),
        ({"prompts": "2105"}, "This is 2105; expected 2104 at most."),
        ({"responses": "10"}, "This is 10; expected 9 at most."),
        ({"judges": "6"}, "This is 6; expected 5 at most."),
        ({"judges": "many"}, "Enter a whole number"),
        ({"by_hand": "81"}, "The number of tasks with room for you is 81; expected 0 to 80"),
        ({"recipe": "paper"}, "paper is not one of the available choices"),
        ({"policy": "7"}, "7 is not one of the available choices"),
        ({"policy": "x\x00"}, "is not one of the available choices"),
    ],
)
def test_settings_out_of_range_are_refused_where_they_were_typed(
    rehearsal: Project, rita: Client, typed: dict[str, str], sentence: str
) -> None:
    answer = rita.post(address(rehearsal), TYPED | typed)
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert "These settings cannot be rehearsed." in text_of(answer)
    assert "A round with these settings" not in text_of(answer)
    assert Round.objects.count() == 1


def test_the_cohorts_can_be_told_apart(rehearsal: Project, rita: Client) -> None:
    rita.post(address(rehearsal), TYPED | {"told": "on"})
    audience = audience_of(Round.objects.get(number=2))
    assert (audience.mode, audience.keys) == ("told", ("terse", "warm"))
    rita.post(address(rehearsal), TYPED)
    assert audience_of(Round.objects.get(number=3)).mode == "everybody"


def test_cohorts_that_are_called_otherwise_are_not_told_apart(rehearsal: Project, rita: Client) -> None:
    Cohort.objects.filter(name="warm").update(name="cold")
    said = text_of(rita.post(address(rehearsal), TYPED | {"told": "on"}))
    assert "Rehearsal has no cohort called warm any more, so it cannot be told apart." in said
    assert Round.objects.count() == 1


def test_a_village_founded_with_fewer_labelers_gets_the_others_with_its_next_round(
    rehearsal: Project, rita: Client
) -> None:
    late = ["simulated-terse-8", "simulated-warm-10"]
    Labeler.objects.filter(pseudonym__in=late).delete()
    rita.post(address(rehearsal), TYPED)
    rita.post(address(rehearsal), TYPED)
    there = Labeler.objects.filter(pseudonym__in=late).order_by("pseudonym")
    assert [(one.source, one.cohorts.get().cohort.name) for one in there] == [
        ("simulated", "terse"), ("simulated", "warm")
    ]  # fmt: skip


def test_a_project_of_recorded_rounds_says_that_there_is_nothing_to_rehearse(rehearsal: Project, rita: Client) -> None:
    Round.objects.update(recorded="a command")
    assert "no base model here to rehearse from" in text_of(rita.get(address(rehearsal)))
    assert rita.post(address(rehearsal), TYPED).status_code == 405


def test_the_time_is_that_of_an_earlier_round_scaled_to_what_there_is_to_do(ranked_round: Round) -> None:
    keep_going()
    project = ranked_round.project
    train(project, "reward", ranked_round)
    train(project, "ppo", ranked_round)
    for job, seconds in ((Job.objects.get(stage__round=ranked_round, kind=kind), s) for kind, s in TIMES.items()):
        Job.objects.filter(pk=job.pk).update(started_at="2026-01-01T00:00Z", finished_at=f"2026-01-01T00:00:{seconds}Z")
    same, timed_by = foreseeing.time_of(project, Settings(prompts=60))
    assert timed_by == ranked_round
    assert same == foreseeing.JUDGING_SECONDS + sum(TIMES.values())
    twice, _ = foreseeing.time_of(project, Settings(prompts=120))
    assert twice == foreseeing.JUDGING_SECONDS + 10 + 2 * 20 + 2 * 30 + 40


TIMES = {"sft": 10, "sample": 20, "reward": 30, "ppo": 40}


def test_its_stages_say_that_simulated_labelers_judge(ranked_round: Round, rita: Client) -> None:
    page = reverse("round", args=["rehearsal", ranked_round.number])
    assert "Rank, by simulated labelers" in text_of(rita.get(page, {"stage": "rank"}))
    assert "Simulated labelers rank in the campaign" in text_of(rita.get(page, {"stage": "rank"}))
    assert "Then simulated labelers, others than those who rank" in text_of(rita.get(page, {"stage": "evaluate"}))
    Round.objects.filter(pk=ranked_round.pk).update(runs_itself=False)
    assert "Rank, by people" in text_of(rita.get(page, {"stage": "rank"}))


def test_afterwards_it_says_what_agreement_and_accuracy_were(ranked_round: Round, rita: Client) -> None:
    keep_going()
    train(ranked_round.project, "reward", ranked_round)
    accuracy = {"mean": 0.64, "low": 0.6, "high": 0.68}
    Job.objects.filter(stage__round=ranked_round, kind="reward").update(report={"validation": {"accuracy": accuracy}})
    [outcome] = outcomes(ranked_round.project)
    assert outcome.within is not None
    assert outcome.across is not None
    assert 0.7 < outcome.within.mean < 1.0
    assert outcome.across.mean < outcome.within.mean
    said = text_of(rita.get(address(ranked_round.project)))
    assert "64.0 % (60.0 % to 68.0 %)" in said
    assert "under way" in said


def test_the_page_costs_no_more_for_more_prompts(
    rehearsal: Project, rita: Client, django_assert_max_num_queries: Any
) -> None:
    rita.get(address(rehearsal))
    with django_assert_max_num_queries(25):
        rita.get(address(rehearsal))


USUAL = {"recipe": "overoptimised", "filled": "rehearsal", "prompts": "1050", "responses": "4", "judges": "2"}


@pytest.mark.parametrize(("typed", "prompts", "overlap"), [({}, 50, 2), ({"prompts": "80"}, 80, 4)])
def test_another_recipe_brings_its_amounts_where_nobody_changed_them(
    rehearsal: Project, rita: Client, typed: dict[str, str], prompts: int, overlap: int
) -> None:
    assert rita.post(address(rehearsal), TYPED | USUAL | typed).status_code == 302
    opened = Round.objects.get(number=2)
    assert opened.recipe["stages"]["sample"]["sample"]["limit_prompts"] == prompts
    assert opened.recipe["overlap"] == overlap


def test_looking_at_settings_leads_to_an_address_that_holds_them_and_nothing_else(
    rehearsal: Project, rita: Client, measured: None
) -> None:
    secret = {"csrfmiddlewaretoken": "secret", "expect": "yes"}
    answer = rita.post(address(rehearsal), TYPED | USUAL | secret)
    assert answer.status_code == 302
    assert "secret" not in answer.url
    said = rita.get(answer.url)
    assert 'name="prompts" value="50"' in said.content.decode()
    assert "by the usual recipe: this one trains its reward model otherwise" in text_of(said)
    assert "by the usual recipe" not in text_of(rita.get(address(rehearsal)))
    assert Round.objects.count() == 1


def test_the_time_is_that_of_a_round_by_the_same_recipe_where_there_is_one(rehearsal: Project) -> None:
    usual, other = (
        done_round(rehearsal, number, recipe) for number, recipe in ((2, "rehearsal"), (3, "overoptimised"))
    )
    assert foreseeing.time_of(rehearsal, Settings())[1] == usual
    assert foreseeing.time_of(rehearsal, Settings(recipe="overoptimised"))[1] == other
    usual.delete()
    assert foreseeing.time_of(rehearsal, Settings())[1] == other


def done_round(project: Project, number: int, recipe: str) -> Round:
    made = Round.objects.create(project=project, number=number, recipe={"name": recipe, "rankings": "own"})
    for place, kind in enumerate(("sft", "ppo")):
        Stage.objects.create(round=made, kind=kind, place=place, state="done")
    return made


def test_the_overview_of_a_rehearsal_says_what_its_machines_do_and_leads_on(rehearsal: Project, rita: Client) -> None:
    overview = reverse("project", args=["rehearsal"])
    said = rita.get(overview)
    assert "Rehearse a round" in text_of(said)
    assert f'href="{address(rehearsal)}"' in said.content.decode().split("<main")[1]
    assert "Round 1" in text_of(said).split("Rehearse a round")[0]
    Round.objects.update(recorded="a command")
    said = text_of(rita.get(overview))
    assert "Rounds that were recorded, to be looked at: nothing runs here." in said
    assert "Look at the rounds" in said
    assert "Rehearse a round" not in said
