"""Cohorts filled by a rule from background answers: who is in one is told at no door, nor how many below five."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.assigning import labeler_of
from labeling.backgrounds import answer, read_questions, set_rule, withdraw
from labeling.errors import InvalidSetting
from labeling.exporting.asked import CannotExport, read_asked
from labeling.exporting.form import ExportForm
from labeling.exporting.streaming import Stream
from labeling.leaving import leave
from labeling.models import BackgroundForm, Campaign, Cohort, CohortMember, Labeler, Project, Submission, User
from labeling.questions import ask
from labeling.records import Kind
from tests.api.filled import api_of
from tests.conftest import signed_in
from tests.reports.judged import labelers_of, ranked_campaign
from training.models import Round, Stage

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

COHORTS = "/projects/helpdesk/cohorts/"


@pytest.fixture
def young(project: Project) -> Cohort:
    """Young people by a rule; nobody yet."""
    questions = read_questions("Age: young | old")
    BackgroundForm.objects.create(project=project, questions=questions, consent="Yes, count me.")
    cohort = Cohort.objects.create(project=project, name="The young")
    set_rule(cohort, {"age": ["young"]})
    return cohort


def answered(cohort: Cohort, number: int) -> list[Labeler]:
    """So many who are in it by their answer."""
    people = labelers_of(cohort.project, " ".join(f"young-{n}" for n in range(number)))
    for one in people:
        answer(one, {"age": "young"}, consents=True)
    return people


def test_a_rule_is_not_taken_away_from_the_people_it_put_in(young: Cohort, owner: User) -> None:
    people = answered(young, 5)
    with pytest.raises(InvalidSetting, match="tick at least one"):
        set_rule(young, {})
    client = signed_in(owner)
    html = client.post(f"{COHORTS}{young.pk}/rule/", follow=True).content.decode()
    assert "No answer is ticked" in html
    assert "young-0" not in html
    assert withdraw(people[0]) == ["The young"]
    assert not CohortMember.objects.filter(labeler=people[0]).exists()


def test_the_list_of_cohorts_and_the_page_count_in_steps_of_five(young: Cohort, owner: User) -> None:
    answered(young, 4)
    client = signed_in(owner)
    for page in (COHORTS, f"{COHORTS}{young.pk}/"):
        assert "ewer than" in client.get(page).content.decode()
    answered(young, 7)
    assert "5 or more" in client.get(COHORTS).content.decode()
    assert "<b>5</b> people or more" in client.get(f"{COHORTS}{young.pk}/").content.decode()


def test_the_words_after_a_change_of_rule_count_nobody(young: Cohort, owner: User) -> None:
    answered(young, 1)
    html = signed_in(owner).post(f"{COHORTS}{young.pk}/rule/", {"answer-age": "old"}, follow=True).content.decode()
    assert "The rule is kept" in html
    assert "came or went" not in html
    assert not young.members.filter(until=None).exists()


def test_the_api_counts_them_and_names_nobody(young: Cohort, owner: User) -> None:
    api = api_of(owner, young.project)
    answered(young, 4)
    assert api.get(f"cohorts/{young.pk}")[1] | {"created_at": ""} == {
        "id": young.pk, "name": "The young", "about": "", "by_rule": True, "people": None, "labelers": [],
        "created_at": "",
    }  # fmt: skip
    answered(young, 6)
    (listed,) = api.get("cohorts")[1]["items"]
    assert (listed["people"], listed["labelers"]) == (5, [])


@pytest.mark.parametrize("act", ["put_in", "take_out"])
def test_nobody_is_put_in_or_taken_out_by_hand(young: Cohort, owner: User, act: str) -> None:
    inside = answered(young, 1)[0]
    outside = labelers_of(young.project, "ada")[0]
    who = inside if act == "take_out" else outside
    status, body = api_of(owner, young.project).post(f"cohorts/{young.pk}/people", {act: [who.pseudonym]})
    assert status == 409
    assert "by hand" in str(body)
    client = signed_in(owner)
    client.post(f"{COHORTS}{young.pk}/put-in/", {"who": f"labeler-{outside.pk}"})
    client.post(f"{COHORTS}{young.pk}/take-out/{inside.pk}/")
    assert list(young.members.filter(until=None).values_list("labeler", flat=True)) == [inside.pk]


def test_whether_anybody_was_in_it_is_not_told_where_it_would_be_deleted(young: Cohort, owner: User) -> None:
    page = f"{COHORTS}{young.pk}/delete/"
    before = signed_in(owner).get(page).content
    answered(young, 1)
    assert signed_in(owner).post(page).status_code == 409
    assert b"had members" not in before + signed_in(owner).get(page).content


def test_leaving_names_no_cohort_by_a_rule_and_a_rule_brings_nobody_back(
    young: Cohort, owner: User, labeler: User
) -> None:
    membership = labeler.memberships.get()
    answer(labeler_of(membership), {"age": "young"}, consents=True)
    page = reverse("remove_member", args=["helpdesk", membership.pk])
    assert "The young" not in signed_in(owner).get(page).content.decode()
    leave(membership)
    assert not young.members.filter(until=None).exists()
    set_rule(young, {"age": ["young"]})
    assert not young.members.filter(until=None).exists()


@pytest.mark.parametrize("kind", [Kind.PROMPT, Kind.DEMONSTRATION, Kind.RANKING, Kind.COMPARISON, Kind.RATING])
def test_what_its_people_said_does_not_go_out_row_by_row(young: Cohort, owner: User, kind: Kind) -> None:
    with pytest.raises(CannotExport, match="filled by hand"):
        read_asked(young.project, kind, {"cohort": "The young"})
    assert "cohort" not in ExportForm(young.project, kind, {}).fields
    Cohort.objects.create(project=young.project, name="By hand")
    assert read_asked(young.project, kind, {"cohort": "By hand"}).selection.cohort is not None


@pytest.mark.parametrize("layout", ["records", "table"])
def test_rows_do_not_tell_which_work_was_kept_for_its_people(young: Cohort, layout: str) -> None:
    kept, other = said_by(young, 5, kept=young), ranked_campaign(young.project, [{"ada": (1, 2)}])
    for kind in (Kind.RANKING, Kind.COMPARISON):
        with pytest.raises(CannotExport, match="who is in it; leave campaign out and take all"):
            read_asked(young.project, kind, {"campaign": kept.name})
        offered = dict(ExportForm(young.project, kind, {}).fields["campaign"].choices)  # type: ignore[attr-defined]
        assert (kept.name in offered, other.name in offered) == (False, True)
        asked = read_asked(young.project, kind, {"layout": layout})
        rows = b"".join(Stream(asked)).decode().splitlines()
        assert len(rows) == (2 if kind is Kind.RANKING else 8)
        assert not any(f'"{kept.name}"' in row for row in rows)
        assert any(f'"{other.name}"' in row for row in rows) is (layout == "table")


def test_rows_are_not_narrowed_to_a_round_with_work_kept_for_its_people(young: Cohort) -> None:
    of_round = Round.objects.create(project=young.project, number=1)
    Stage.objects.create(round=of_round, kind=Stage.Kind.RANK, place=0, campaign=said_by(young, 5))
    assert read_asked(young.project, Kind.RANKING, {"round": "1"}).selection.round == 1
    Campaign.objects.update(cohort=young)
    with pytest.raises(CannotExport, match="leave round out and take all"):
        read_asked(young.project, Kind.RANKING, {"round": "1"})


def test_the_api_names_nobody_in_a_campaign_kept_for_them(young: Cohort, owner: User) -> None:
    kept, other = said_by(young, 5, kept=young), ranked_campaign(young.project, [{"ada": (1, 2)}])
    api = api_of(owner, young.project)
    assert {row["labeler"] for row in api.get(f"submissions?campaign={kept.pk}")[1]["items"]} == {None}
    assert {row["labeler"] for row in api.get(f"submissions?campaign={other.pk}")[1]["items"]} == {"ada"}
    one = Submission.objects.filter(assignment__campaign=kept).earliest("pk")
    assert api.get(f"submissions/{one.pk}")[1]["labeler"] is None


@pytest.mark.parametrize("kept", [True, False])
def test_a_question_from_work_kept_for_them_has_no_pseudonym(young: Cohort, owner: User, kept: bool) -> None:
    campaign = said_by(young, 1, others=0, kept=young if kept else None)
    ask(campaign.assignments.get(), "May two be equal?")
    html = signed_in(owner).get("/projects/helpdesk/questions/").content.decode()
    assert "May two be equal?" in html
    assert ("young-0" in html) is not kept


def test_who_answers_is_told_what_follows_from_it(young: Cohort, labeler: User) -> None:
    page = "/projects/helpdesk/background/"
    html = signed_in(labeler).get(page).content.decode()
    assert "nothing else depends" not in html
    assert "work may be kept for it" in html
    answer(labeler_of(labeler.memberships.get()), {"age": "young"}, consents=True)
    html = signed_in(labeler).get(page).content.decode()
    assert "the card of a model that learned from such a group alone says that somebody withdrew" in html


def said_by(cohort: Cohort, number: int, others: int = 2, kept: Cohort | None = None) -> Campaign:
    """Rankings of one prompt by so many of the cohort, who answered before, and by others."""
    people = answered(cohort, number)
    young = {one.pseudonym: (1, 2) for one in people}
    campaign = ranked_campaign(
        cohort.project, [young | {f"other-{n}": (2, 1) for n in range(others)}], overlap=9, cohort=kept
    )
    cohort.members.update(since=timezone.now() - timedelta(days=9))
    return campaign


def asked_for(owner: User, page: str, **query: object) -> dict[str, Any]:
    answer = signed_in(owner).get(f"/projects/helpdesk/{page}.json", query)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_a_page_narrowed_to_fewer_than_five_people_has_no_figure_and_says_what_would_do(
    young: Cohort, owner: User
) -> None:
    said_by(young, 4)
    found = asked_for(owner, "agreement", cohort=young.pk)
    assert (found["rankings"], found["position"], found["labelers"], found["parts"]) == (0, [], [], {})
    assert found["pairwise"]["value"] is None
    assert "Fewer than 5 people of The young judged here" in found["pairwise"]["reason"]
    for page in ("agreement", "quality"):
        html = signed_in(owner).get(f"/projects/helpdesk/{page}/", {"cohort": young.pk}).content.decode()
        assert "Fewer than 5 people of The young judged here" in html
        assert "what was said before somebody answered is not counted" in html


def test_from_five_people_on_it_has_figures_and_names_nobody(young: Cohort, owner: User) -> None:
    said_by(young, 5)
    found = asked_for(owner, "agreement", cohort=young.pk)
    assert (found["rankings"], found["wanting"], found["labelers"]) == (5, [], [])
    later = timezone.now() + timedelta(days=1)
    narrowed = asked_for(owner, "agreement", cohort=young.pk, since=f"{later:%Y-%m-%d}")
    assert "Fewer than 5" in narrowed["wanting"][0]


def test_the_whole_says_of_which_cohort_nothing_is_told(young: Cohort, owner: User) -> None:
    said_by(young, 4)
    found = asked_for(owner, "agreement")
    assert found["rankings"] == 6
    assert "Fewer than 5 people of The young judged here" in found["wanting"][0]
    html = signed_in(owner).get("/projects/helpdesk/agreement/").content.decode()
    assert "Fewer than 5 people of The young judged here" in html


def test_people_are_counted_whom_the_figures_rest_on(young: Cohort, owner: User) -> None:
    said_by(young, 5)
    alone = {one.pseudonym: {one.pseudonym: (1, 2)} for one in answered(young, 7)[5:]}
    ranked_campaign(young.project, list(alone.values()))
    html = signed_in(owner).get("/projects/helpdesk/agreement/", {"cohort": young.pk}).content.decode()
    assert "by at least 5 labelers" in html
    assert asked_for(owner, "agreement", cohort=young.pk)["pairwise"]["value"] == 1.0
    Submission.objects.filter(assignment__labeler__pseudonym="young-0").update(withdrawn_at=timezone.now())
    found = asked_for(owner, "agreement", cohort=young.pk)
    assert found["pairwise"]["value"] is None
    assert "Fewer than 5 people of The young judged here" in found["wanting"][0]
    assert "Fewer than 5 people of The young" in asked_for(owner, "agreement")["wanting"][0]


@pytest.mark.parametrize("number", [4, 5])
def test_a_campaign_kept_for_them_is_reported_like_the_cohort(young: Cohort, owner: User, number: int) -> None:
    campaign = said_by(young, number, others=0, kept=young)
    for page in ("agreement", "quality"):
        assert asked_for(owner, page, campaign=campaign.pk)["labelers"] == []
    assert asked_for(owner, "agreement", campaign=campaign.pk)["rankings"] == (5 if number == 5 else 0)
    assert asked_for(owner, "agreement")["labelers"] == []
    ranked_campaign(young.project, [{"ada": (1, 2), "ben": (1, 2)}])
    assert len(asked_for(owner, "agreement")["labelers"]) == number + 2
    parts = asked_for(owner, "agreement")["parts"].get("campaign", [])
    assert [part["labelers"] for part in parts] == ([5, 2] if number == 5 else [])


def test_parts_of_fewer_than_five_are_not_told_within_it(young: Cohort, owner: User) -> None:
    said_by(young, 5)
    ranked_campaign(young.project, [{"young-0": (1, 2), "young-1": (1, 2)}])
    found = asked_for(owner, "agreement", cohort=young.pk)
    assert found["rankings"] == 7
    assert "campaign" not in found["parts"]


def test_between_two_cohorts_only_where_five_are_in_the_one_by_a_rule_alone(young: Cohort, owner: User) -> None:
    said_by(young, 5)
    by_hand = Cohort.objects.create(project=young.project, name="By hand")
    since = timezone.now() - timedelta(days=9)
    for one in labelers_of(young.project, "other-0 other-1"):
        CohortMember.objects.create(cohort=by_hand, labeler=one, since=since)
    names = [part["name"] for part in asked_for(owner, "agreement")["parts"]["cohort"]]
    assert names == ["By hand", "The young", "By hand with The young"]
    CohortMember.objects.create(cohort=by_hand, labeler=labelers_of(young.project, "young-0")[0], since=since)
    assert [part["name"] for part in asked_for(owner, "agreement")["parts"]["cohort"]] == ["By hand", "The young"]


def test_what_was_said_before_the_answer_counts_where_the_trait_is_lasting(young: Cohort, owner: User) -> None:
    people = labelers_of(young.project, " ".join(f"young-{n}" for n in range(5)))
    ranked_campaign(young.project, [{one.pseudonym: (1, 2) for one in people}], overlap=9)
    answered(young, 5)
    page = f"{COHORTS}{young.pk}/"
    client = signed_in(owner)
    assert "said before they answered is not counted" in client.get(page).content.decode()
    assert asked_for(owner, "agreement", cohort=young.pk)["rankings"] == 0
    client.post(page + "rule/", {"answer-age": "young", "lasting": "yes"})
    assert "said before they answered is counted too" in client.get(page).content.decode()
    assert asked_for(owner, "agreement", cohort=young.pk)["rankings"] == 5
    client.post(page + "rule/", {"answer-age": "young"})
    assert asked_for(owner, "agreement", cohort=young.pk)["rankings"] == 0


def test_a_changed_answer_about_a_lasting_trait_takes_out_for_the_past_too(young: Cohort) -> None:
    one = answered(young, 1)[0]
    set_rule(young, {"age": ["young"]}, lasting=True)
    answer(one, {"age": "old"}, consents=True)
    assert not CohortMember.objects.exists()


def test_a_cohort_formed_later_holds_what_was_said_since_the_answer(young: Cohort) -> None:
    one = answered(young, 1)[0]
    later = Cohort.objects.create(project=young.project, name="Formed later")
    set_rule(later, {"age": ["young"]})
    assert later.members.get().since == one.background.consented_at
