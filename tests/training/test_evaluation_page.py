"""The page of an evaluation: who may see it, what it says at each time, and the texts to read."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Campaign, Project, Response, User
from labeling.opening import close_campaign
from tests.conftest import signed_in
from tests.labeling.work import make_labeler
from tests.training.evaluated import Rater, rate_all, rated_campaign, rating_guideline, trained
from tests.training.making import writer
from training.models import Job, Round
from training.sweeping import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/projects/helpdesk/rounds/1/evaluation/"


@pytest.fixture
def ines(researcher: User) -> Client:
    return signed_in(researcher)


@pytest.fixture
def ready(round_with_base: Round, settings: Any) -> Round:
    return trained(round_with_base, settings)


def rated(round_: Round, *, prompts: int = 3, labelers: str = "abc", overlap: int = 3) -> None:
    """The policy is rated above SFT on every prompt but the last."""
    campaign = rated_campaign(round_, ("sft", "policy"), prompts=prompts, overlap=overlap)
    for number, name in enumerate(labelers):
        overall = {("policy", place): 5 + (place + number) % 2 for place in range(prompts)}
        overall |= {("sft", place): 3 + number % 2 for place in range(prompts)} | {("sft", prompts - 1): 7}
        rate_all(campaign, Rater(make_labeler(round_.project, f"rater {name}"), overall, frozenset({("sft", 0)})))
    sweep()


def text_of(client: Client, **query: str) -> str:
    answer = client.get(PAGE, query)
    assert answer.status_code == 200
    return " ".join(unescape(answer.content.decode()).split())


def test_the_round_opens_with_the_finding_once_all_ratings_are_in(ready: Round, ines: Client) -> None:
    page = PAGE.removesuffix("evaluation/")
    assert "rate the policy" not in ines.get(page).content.decode()
    rated(ready)
    evaluated = ready.stages.get(kind="evaluate")
    assert evaluated.state == "done"
    claim = ines.get(PAGE, {"as": "json"}).json()["claim"]
    assert "People rate the policy" in claim
    opened = " ".join(unescape(ines.get(page).content.decode()).split())
    assert f'<a href="{PAGE}">{claim}</a>' in opened


class TestWhoMaySeeIt:
    def test_a_stranger_meets_404(self, ready: Round, stranger: User) -> None:
        rated(ready)
        assert signed_in(stranger).get(PAGE).status_code == 404

    def test_a_labeler_meets_403(self, ready: Round, labeler: User) -> None:
        rated(ready)
        assert signed_in(labeler).get(PAGE).status_code == 403

    def test_somebody_not_signed_in_is_asked_to(self, ready: Round) -> None:
        assert Client().get(PAGE).status_code == 302

    def test_a_round_that_is_not_there_is_not_found(self, ready: Round, ines: Client) -> None:
        assert ines.get(reverse("evaluation", args=["helpdesk", 9])).status_code == 404


class TestWhatItSays:
    def test_nothing_before_the_launch(self, ready: Round, ines: Client) -> None:
        page = text_of(ines)
        assert "Round 1 is not evaluated yet." in page
        assert "Launch it from the round’s page" in page

    @pytest.mark.parametrize(
        ("state", "words"),
        [
            ("queued", "its models wait to answer the held-out prompts"),
            ("running", "its models are answering the held-out prompts"),
            ("failed", "its last try failed"),
            ("cancelled", "its last try was cancelled"),
        ],
    )
    def test_how_far_the_machine_is(self, ready: Round, ines: Client, state: str, words: str) -> None:
        stage = ready.stages.get(kind="evaluate")
        stage.job = Job.objects.create(
            project=ready.project, stage=stage, kind="sample", config={}, state=state,
            lease_until="2026-01-01T00:00:00Z",
        )  # fmt: skip
        stage.save()
        assert words in text_of(ines)

    def test_while_people_rate_it_says_so_far_and_how_many_are_in(self, ready: Round, ines: Client) -> None:
        rated(ready, overlap=4)
        page = text_of(ines)
        assert "So far people rate the policy" in page
        assert "18 of 24 ratings are in. Figures may change until the last one" in page

    def test_once_all_are_in_it_claims(self, ready: Round, ines: Client) -> None:
        rated(ready)
        page = text_of(ines)
        assert "People rate the policy" in page
        assert "All ratings are in." in page
        assert "Figures may change" not in page
        assert "3 held-out prompts, 6 responses, 18 ratings by 3 people" in page

    def test_a_campaign_that_was_closed_early_is_over_and_says_what_is_missing(
        self, ready: Round, ines: Client
    ) -> None:
        rated(ready, overlap=4)
        campaign = ready.stages.get(kind="evaluate").campaign
        assert campaign is not None
        close_campaign(campaign)
        page = text_of(ines)
        assert "So far" not in page
        assert "18 of 24 ratings are in." in page

    def test_flags_are_shown_with_a_reading_that_claims_no_more_than_it_knows(self, ready: Round, ines: Client) -> None:
        rated(ready)
        page = text_of(ines)
        assert "Hallucination" in page
        assert "33.3 %" in page

    def test_simulated_raters_are_marked(self, ready: Round, ines: Client) -> None:
        campaign = rated_campaign(ready, ("sft", "policy"), prompts=1, overlap=1)
        robot = writer(ready.project, "robot", source="simulated")
        rate_all(campaign, Rater(robot, {("sft", 0): 2, ("policy", 0): 6}))
        assert "No person has rated these responses; 1 simulated labeler has." in text_of(ines)
        page = text_of(ines, raters="simulated")
        assert "Rated by 1 simulated labeler." in page
        assert "1 rater is a program" in page

    def test_a_round_that_was_recorded_elsewhere_shows_the_same(self, ready: Round, ines: Client) -> None:
        rated(ready, overlap=4)
        Round.objects.filter(pk=ready.pk).update(recorded="manage.py rehearse")
        page = text_of(ines)
        assert "People rate the policy" in page
        assert "manage.py rehearse" in page

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ({"raters": "robots"}, "raters is 'robots'; expected one of people, simulated, both."),
            ({"texts": "x"}, "texts is 'x'; expected one of all, lower, higher."),
            ({"baseline": "999"}, "Nobody of this evaluation is called '999'; choose from the list."),
        ],
    )
    def test_what_nobody_is_called_is_answered_with_400_and_a_sentence(
        self, ready: Round, ines: Client, query: dict[str, str], sentence: str
    ) -> None:
        rated(ready)
        answer = ines.get(PAGE, query)
        assert answer.status_code == 400
        assert sentence in unescape(answer.content.decode())


def opened_by_a_job(round_: Round) -> Campaign:
    """The stage's campaign, as the report of a job that is done names it."""
    stage = round_.stages.get(kind="evaluate")
    assert stage.campaign is not None
    stage.job = Job.objects.create(
        project=round_.project, stage=stage, kind="sample", config={"sample": {"temperature": 1.0}, "seed": 1},
        state="done", report={"rating": {"campaign": stage.campaign.pk, "prompts_left_out": stage.campaign.pk}},
    )  # fmt: skip
    stage.save()
    return stage.campaign


class TestEvaluatedAgain:
    """The page of the round is of the newest evaluation; the one before has an address of its own."""

    @pytest.fixture
    def earlier(self, ready: Round) -> Campaign:
        rated(ready)
        first = opened_by_a_job(ready)
        Campaign.objects.filter(pk=first.pk).update(name="The first")
        rated(ready, prompts=2, labelers="de", overlap=2)
        opened_by_a_job(ready)
        return first

    def test_the_newest_leads_to_the_one_before(self, earlier: Campaign, ines: Client) -> None:
        page = text_of(ines)
        assert "2 held-out prompts, 4 responses, 8 ratings" in page
        assert f'href="{PAGE}{earlier.pk}/">The first</a>' in page
        assert "An earlier one." not in page

    def test_the_one_before_is_shown_whole_and_leads_back(self, earlier: Campaign, ines: Client) -> None:
        page = " ".join(unescape(ines.get(f"{PAGE}{earlier.pk}/").content.decode()).split())
        assert "3 held-out prompts, 6 responses, 18 ratings" in page
        assert "policy on 2" in page
        assert re.search(rf"\b{earlier.pk:,} prompts? (was|were) left out", page)  # what its own job said
        assert "An earlier one." in page
        assert f'href="{PAGE}">the newest evaluation</a>' in page
        assert "So far" not in page
        assert ines.get(f"{PAGE}{earlier.pk}/", {"texts": "x"}).status_code == 400

    def test_a_campaign_of_something_else_is_not_found(self, earlier: Campaign, ines: Client, stranger: User) -> None:
        other = Campaign.objects.create(
            project=earlier.project, name="Rate", kind="rating", guideline=earlier.guideline, overlap=1,
            required=["ratings"],
        )  # fmt: skip
        assert ines.get(f"{PAGE}{other.pk}/").status_code == 404
        assert signed_in(stranger).get(f"{PAGE}{earlier.pk}/").status_code == 404
        assert signed_in(stranger).get(f"/projects/elsewhere/rounds/1/evaluation/{earlier.pk}/").status_code == 404


class TestTexts:
    def test_what_each_wrote_stands_beside_its_ratings(self, ready: Round, ines: Client) -> None:
        rated(ready)
        page = text_of(ines)
        assert page.index("policy on 0") < page.index("sft on 0") < page.index("policy on 1")
        assert "overall 5, appropriate 5" in page

    def test_only_those_where_the_policy_is_lower(self, ready: Round, ines: Client) -> None:
        rated(ready)
        page = text_of(ines, texts="lower")
        assert "policy on 2" in page
        assert "policy on 0" not in page
        assert "policy on 2" not in text_of(ines, texts="higher")

    def test_there_are_pages_of_them(self, ready: Round, ines: Client) -> None:
        rated(ready, prompts=12, labelers="a", overlap=1)
        first, second = text_of(ines), text_of(ines, page="2")
        assert "1 to 10 of 12 prompts" in first
        assert "policy on 11" in second
        assert "policy on 9<" not in second

    def test_a_hostile_text_is_shown_as_text(self, ready: Round, ines: Client) -> None:
        rated(ready)
        Response.objects.filter(text="policy on 0").update(text="<script>alert(1)</script>")
        assert "<script>alert" not in ines.get(PAGE).content.decode()


def test_the_rounds_page_leads_to_it(ready: Round, ines: Client) -> None:
    rated(ready)
    page = ines.get("/projects/helpdesk/rounds/1/?stage=evaluate").content.decode()
    assert f'href="{PAGE}"' in page
    assert "18 of 18 ratings" in page


class TestTheLaunchForm:
    def test_it_offers_who_is_compared_and_is_launched_from(self, ready: Round, ines: Client) -> None:
        rating_guideline(ready.project)
        ready.project.prompts.update(split="test")
        page = ines.get("/projects/helpdesk/rounds/1/?stage=evaluate").content.decode()
        assert 'name="with-policy" value="on" checked' in page
        assert 'name="sample.limit_prompts" value="100"' in page
        assert 'name="overlap" value="2"' in page
        form = {"with-sft": "on", "with-policy": "on", "overlap": "3", "sample.limit_prompts": "7", "seed": "5"}
        ines.post(reverse("launch", args=["helpdesk", 1, "evaluate"]), form)
        job = Job.objects.get(kind="sample")
        assert set(job.config["models"]["generators"]) == {"sft", "policy"}
        assert (job.asks["overlap"], job.config["sample"]["limit_prompts"], job.config["seed"]) == (3, 7, 5)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"overlap": "many"}, "The overlap is 'many'; expected a whole number from 1 to 100."),
            ({"overlap": "٣"}, "The overlap is '٣'; expected a whole number from 1 to 100."),
            ({"overlap": "101"}, "The overlap is 101; expected a whole number from 1 to 100."),
            ({"with-gpt": "on"}, "There is no model 'gpt' to compare."),
            ({"with-²": "on"}, "There is no model '²' to compare."),
            ({"with-٣": "on"}, "There is no model '٣' to compare."),
            ({"with-77777": "on"}, "There is no checkpoint 77777 in this project"),
            ({"sample.temperature": "-1"}, "sample.temperature is -1"),
        ],
    )
    def test_what_cannot_be_is_refused_and_kept_in_the_form(
        self, ready: Round, ines: Client, changes: dict[str, str], sentence: str
    ) -> None:
        rating_guideline(ready.project)
        form = {"with-sft": "on", "with-policy": "on", "overlap": "4"} | changes
        answer = ines.post(reverse("launch", args=["helpdesk", 1, "evaluate"]), form)
        page = unescape(answer.content.decode())
        assert answer.status_code == 400
        assert sentence in page
        assert f'name="overlap" value="{form["overlap"]}"' in page
        assert 'name="with-base" value="on">' in page
        assert not Job.objects.filter(kind="sample").exists()

    def test_without_a_guideline_it_says_so_before_the_button_is_pressed(self, ready: Round, ines: Client) -> None:
        page = ines.get("/projects/helpdesk/rounds/1/?stage=evaluate").content.decode()
        assert "The project has no published guideline for rating." in page
        assert "disabled>Launch Evaluate" in page


def test_the_page_costs_few_queries_however_many_prompts_and_raters_there_are(
    ready: Round, ines: Client, django_assert_max_num_queries: Any
) -> None:
    rated(ready, prompts=12, labelers="abcd", overlap=4)
    with django_assert_max_num_queries(32):
        ines.get(PAGE)


def test_a_project_sees_its_own_rounds_only(ready: Round, stranger: User) -> None:
    rated(ready)
    assert signed_in(stranger).get("/projects/elsewhere/rounds/1/evaluation/").status_code == 404
    assert Project.objects.count() == 2
