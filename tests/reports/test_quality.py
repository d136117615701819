"""The report of quality: gold, hidden repeats, drift, runs; signals, each with its reason where there is none."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.agreement.figures import Figure, Interval
from labeling.models import Campaign, Cohort, CohortMember, GoldAnswer, Project, Submission, Task, User, WorkKind
from labeling.reports.agreement import agreement_report
from labeling.reports.beside import against_ratings, contradiction, gold_report, hidden_repeats
from labeling.reports.quality import QualityReport, quality_report, surely_apart
from labeling.reports.scope import Scope, ScopeFilters
from tests.conftest import signed_in
from tests.labeling.work import make_campaign
from tests.reports.judged import labelers_of, ranked_campaign, rated_campaign, say

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def report(project: Project) -> QualityReport:
    scope = Scope(project=project)
    return quality_report(scope, agreement_report(scope))


def gold_task(campaign: Campaign, above: list[tuple[int, int]], **more: object) -> Task:
    """The campaign's first task as gold. above: places of responses, better and worse."""
    task = campaign.tasks.order_by("position")[0]
    ids = list(task.shown.order_by("place").values_list("response_id", flat=True))
    GoldAnswer.objects.create(task=task, above=[[ids[one], ids[other]] for one, other in above], **more)
    Task.objects.filter(pk=task.pk).update(aside=Task.Aside.GOLD, open_slots=0)
    return task


def test_gold_judges_only_what_it_is_certain_of(project: Project) -> None:
    task = gold_task(make_campaign(project, shown=4), [(0, 3)])
    for name, ranks in (("ada", (2, 1, 4, 3)), ("dee", (1, 4, 3, 2)), ("ben", (4, 3, 2, 1)), ("cem", (1, 2, 2, 1))):
        say(task, *labelers_of(project, name), ranks, occurrence=1)
    found = gold_report(Scope(project=project))
    values = {one: found.of(labelers_of(project, one)[0].pk).value for one in ("ada", "dee", "ben", "cem")}
    assert values == {"ada": 1.0, "dee": 1.0, "ben": 0.0, "cem": 0.0}
    assert found.whole.value == pytest.approx(1 / 2)
    assert not found.tasks[0].problem


def test_gold_that_most_labelers_contradict_is_named_and_judges_nobody(project: Project) -> None:
    task = gold_task(make_campaign(project, shown=4), [(0, 3)])
    for name, ranks in (("ada", (2, 1, 4, 3)), ("ben", (4, 3, 2, 1)), ("cem", (1, 2, 2, 1))):
        say(task, *labelers_of(project, name), ranks, occurrence=1)
    found = gold_report(Scope(project=project))
    assert found.whole.value is None
    assert (found.tasks[0].answered, found.tasks[0].share.value) == (3, pytest.approx(1 / 3))
    assert "look at the gold" in found.tasks[0].problem


def test_retired_gold_judges_nobody(project: Project) -> None:
    task = gold_task(make_campaign(project, shown=4), [(0, 3)], retired_at=timezone.now())
    say(task, *labelers_of(project, "ada"), (4, 3, 2, 1), occurrence=1)
    found = gold_report(Scope(project=project))
    assert (found.whole.value, found.tasks) == (None, [])


def test_gold_against_its_own_ratings_judges_nobody_and_is_named(project: Project) -> None:
    campaign = make_campaign(project, shown=3)
    first, _, third = campaign.tasks.get().shown.order_by("place").values_list("response_id", flat=True)
    judged = {str(first): {"ratings": {"overall": 1}}, str(third): {"ratings": {"overall": 7}}}
    task = gold_task(campaign, [(0, 1), (1, 2)], judged=judged)
    say(task, *labelers_of(project, "ada"), (3, 2, 1), occurrence=1)
    found = gold_report(Scope(project=project))
    assert found.whole.value is None
    assert f"puts response {first} above {third} and rates it lower" in found.tasks[0].problem


@pytest.mark.parametrize(
    ("above", "ratings", "against"),
    [
        (["AB"], {"A": 1, "B": 7}, ["A", "B"]),
        (["AB", "BC"], {"A": 3, "C": 4}, ["A", "C"]),
        (["AB"], {"A": 4, "B": 4}, []),
        (["AB"], {"B": 7}, []),
        (["AC", "BC"], {"A": 2, "B": 7, "C": 1}, []),
        (["AB", "BA"], {"A": 4, "B": 4}, []),
    ],
)
def test_an_order_is_compared_with_the_ratings(above: list[str], ratings: dict[str, int], against: list[str]) -> None:
    assert against_ratings(above, ratings) == against


def test_gold_is_certain_of_flags_and_of_ratings_within_one(project: Project) -> None:
    campaign = make_campaign(project, shown=2)
    task = campaign.tasks.get()
    first = task.shown.order_by("place")[0].response_id
    gold_task(campaign, [], judged={str(first): {"flags": {"hallucination": True}, "ratings": {"overall": 6}}})
    answers = [{"overall": 5}, {}], [{"hallucination": False}, {}]
    say(task, *labelers_of(project, "ada"), (1, 2), occurrence=1, ratings=answers[0], flags=answers[1])
    found = gold_report(Scope(project=project)).of(labelers_of(project, "ada")[0].pk)
    assert (found.value, found.count) == (0.5, 2)


def test_gold_that_contradicts_itself_judges_nobody_and_is_named(project: Project) -> None:
    task = gold_task(make_campaign(project, shown=3), [(0, 1), (1, 2), (2, 0)])
    say(task, *labelers_of(project, "ada"), (1, 2, 3), occurrence=1)
    found = gold_report(Scope(project=project))
    assert found.whole.value is None
    assert "circle" in found.tasks[0].problem


@pytest.mark.parametrize(
    ("above", "circles"),
    [([[1, 2], [2, 3]], False), ([[1, 2], [1, 2]], False), ([[1, 2], [2, 1]], True), ([[1, 1]], True), ([], False)],
)
def test_a_circle_is_found(above: list[list[int]], circles: bool) -> None:
    assert contradiction(above) is circles


def test_a_withdrawn_first_answer_is_compared_with_nothing(project: Project) -> None:
    campaign = ranked_campaign(project, [{"ada": (1, 2), "ben": (1, 2)}])
    task = campaign.tasks.get()
    ada = labelers_of(project, "ada")[0]
    say(task, ada, (2, 1), occurrence=1)
    scope = Scope(project=project)
    assert len(hidden_repeats(scope)) == 1
    Submission.objects.filter(assignment__labeler=ada, assignment__occurrence=0).update(withdrawn_at=timezone.now())
    assert hidden_repeats(scope) == []


def test_a_hidden_repeat_is_compared_with_the_first_answer_and_is_in_no_agreement(project: Project) -> None:
    campaign = ranked_campaign(project, [{"ada": (1, 2, 3), "ben": (1, 2, 3)}])
    say(campaign.tasks.get(), *labelers_of(project, "ada"), (1, 3, 2), occurrence=1)
    found = report(project)
    assert found.with_themselves.value == pytest.approx(2 / 3)
    assert found.agreement.pairwise.value == 1.0
    lines = {line.person.pseudonym: line for line in found.lines}
    assert lines["ada"].with_self.value == pytest.approx(2 / 3)
    assert lines["ben"].with_self.value is None


def test_a_labeler_who_agrees_less_than_before_is_said_to(project: Project) -> None:
    best, worst = (1, 2, 3), (3, 2, 1)
    said = [{"ada": best, "ben": best, "old": best if n < 40 else worst} for n in range(80)]
    ranked_campaign(project, said, overlap=3)
    remarks = {line.person.pseudonym: line.remarks for line in report(project).lines}
    assert "agrees less than before" in remarks["old"]


def test_a_long_run_of_equal_answers_is_said_where_colleagues_vary(project: Project) -> None:
    turns = ((1, 2, 3), (2, 1, 3), (3, 2, 1), (1, 3, 2))
    said = [{"ada": turns[n % 4], "bot": (1, 2, 3)} for n in range(40)]
    ranked_campaign(project, said)
    remarks = {line.person.pseudonym: line.remarks for line in report(project).lines}
    assert any("equal answers in a row" in remark for remark in remarks["bot"])
    assert not any("equal answers" in remark for remark in remarks["ada"])


def test_who_is_much_faster_is_said_to_be(project: Project) -> None:
    campaign = ranked_campaign(project, [{"ada": (1, 2), "ben": (1, 2)}])
    task = campaign.tasks.get()
    say(task, *labelers_of(project, "zip"), (1, 2), active_ms=4_000, at=timezone.now() - timedelta(hours=1))
    remarks = {line.person.pseudonym: line.remarks for line in report(project).lines}
    assert remarks["zip"] == ("fast",)


def test_raters_are_not_called_fast_beside_who_ranks_nine(project: Project) -> None:
    rankings = make_campaign(project, shown=9)
    for name in ("ada", "ben", "cem", "dia"):
        say(rankings.tasks.get(), *labelers_of(project, name), range(1, 10), active_ms=300_000)
    ratings = make_campaign(project, kind=WorkKind.RATING, shown=1)
    for name, active_ms in (("eli", 20_000), ("fay", 22_000), ("gus", 18_000), ("zip", 2_000)):
        say(
            ratings.tasks.get(), *labelers_of(project, name), active_ms=active_ms, ratings=[{"overall": 4}],
        )  # fmt: skip
    remarks = {line.person.pseudonym: line.remarks for line in report(project).lines}
    assert {name: said for name, said in remarks.items() if said} == {"zip": ("fast",)}


def test_the_page_and_the_json_say_it(project: Project, researcher: User) -> None:
    ranked_campaign(project, [{"ada": (1, 2, 3), "ben": (1, 3, 2)}] * 3)
    client = signed_in(researcher)
    html = client.get("/projects/helpdesk/quality/").content.decode()
    assert "Nothing about the work of 2 labelers calls for a look." in html
    assert "Who has another taste than most weighs less as well" in html
    found = client.get("/projects/helpdesk/quality.json").json()
    assert [line["labeler"] for line in found["labelers"]] == ["ada", "ben"]
    assert found["gold"]["reason"]


def test_what_is_not_known_says_why_and_how_many_more_would_do(project: Project, researcher: User) -> None:
    ranked_campaign(project, [{"ada": (1, 2, 3), "ben": (1, 3, 2)}] * 3)
    rated_campaign(project, [{"eli": 3, "fay": 4}])
    client = signed_in(researcher)
    html = client.get("/projects/helpdesk/quality/").content.decode()
    for reason in (
        "Met no gold yet.", "Nothing was shown twice", "comparisons shared with others: 9; 21 more would do",
        "eli shares no judged unit with anyone.", "ratings within one",
    ):  # fmt: skip
        assert reason in html
    lines = {line["labeler"]: line for line in client.get("/projects/helpdesk/quality.json").json()["labelers"]}
    assert lines["ada"]["drift"]["p_reason"].endswith("in a half: 3; 27 more would do.")
    assert lines["eli"]["ratings_within_one"]["value"] == 1.0


@pytest.fixture
def of_two_cohorts(project: Project) -> Cohort:
    """Terse: ada and ben, who are wrong on gold and change their minds; cem and dia are in no cohort."""
    campaign = ranked_campaign(project, [{"ada": (1, 2), "ben": (2, 1), "cem": (1, 2), "dia": (1, 2)}] * 2, overlap=4)
    cohort = Cohort.objects.create(project=project, name="terse")
    for one in labelers_of(project, "ada ben"):
        CohortMember.objects.create(cohort=cohort, labeler=one, since=timezone.now() - timedelta(days=9))
    task, other = campaign.tasks.order_by("-position")
    for name, again, on_gold in (("ada", (2, 1), (2, 1)), ("cem", (1, 2), (1, 2))):
        say(task, *labelers_of(project, name), again, occurrence=1)
        say(other, *labelers_of(project, name), on_gold, occurrence=1)
    gold_task(campaign, [(0, 1)])
    return cohort


def test_gold_and_repeats_are_the_cohorts_where_the_page_is_narrowed_to_one(
    project: Project, of_two_cohorts: Cohort
) -> None:
    scope = Scope(project=project, cohort=of_two_cohorts.pk)
    found = quality_report(scope, agreement_report(scope))
    # Gold was answered first as any task, by each of them.
    assert [line.person.pseudonym for line in found.lines] == ["ada", "ben"]
    assert (found.with_themselves.value, found.with_themselves.count) == (0.0, 1)
    assert found.gold.whole.count < report(project).gold.whole.count
    of_two_cohorts.members.update(until=timezone.now() - timedelta(days=8))
    found = quality_report(scope, agreement_report(scope))
    assert (found.with_themselves.value, found.gold.whole.value) == (None, None)


def test_a_cohort_made_of_answers_is_counted_although_nobody_is_listed(
    project: Project, of_two_cohorts: Cohort, owner: User
) -> None:
    ranked_campaign(project, [{"eve": (1, 2), "fay": (1, 2), "gil": (1, 2)}], overlap=3)
    for one in labelers_of(project, "eve fay gil"):
        CohortMember.objects.create(cohort=of_two_cohorts, labeler=one, since=timezone.now() - timedelta(days=9))
    Cohort.objects.update(rule={"age": ["old"]})
    client = signed_in(owner)
    quality = client.get("/projects/helpdesk/quality/", {"cohort": of_two_cohorts.pk}).content.decode()
    assert "5 labelers of a cohort made of background answers, who are not looked at one by one" in quality
    agreement = client.get("/projects/helpdesk/agreement/", {"cohort": of_two_cohorts.pk}).content.decode()
    assert "7 rankings by at least 5 labelers" in agreement


def test_nothing_is_no_error_and_nobody_else_sees_it(
    project: Project, owner: User, labeler: User, stranger: User
) -> None:
    for address in ("/projects/helpdesk/quality/", "/projects/helpdesk/quality.json"):
        assert signed_in(owner).get(address).status_code == 200
        assert signed_in(labeler).get(address).status_code == 403
        assert signed_in(stranger).get(address).status_code == 404


def test_who_stands_out_stands_out_among_all_who_are_looked_at() -> None:
    """By its own 95 % interval it is above 0; among forty labelers one or two are so by chance."""
    interval = Interval(low=0.1, high=1.1, clusters="prompts")
    leans = Figure(value=0.6, interval=interval)
    assert surely_apart(leans, 0.0, among=1)
    assert not surely_apart(leans, 0.0, among=40)
    assert surely_apart(Figure(value=2.6, interval=replace(interval, low=2.1, high=3.1)), 0.0, among=40)
    assert not surely_apart(Figure(value=None, reason="Nothing."), 0.0, among=1)


def test_who_judged_is_never_anybody_unless_it_is_asked_for(project: Project, owner: User) -> None:
    form = ScopeFilters({}, project=project)
    assert [name for name, _ in form.fields["raters"].choices] == ["people", "simulated", "both"]  # type: ignore[attr-defined]
    project.simulated = True
    form = ScopeFilters({}, project=project)
    assert form.fields["raters"].choices[0][0] == "simulated"  # type: ignore[attr-defined]
    assert ScopeFilters({"raters": "people"}, project=project).is_valid()
