"""The report of agreement: what it counts, what it leaves out, and what it takes apart."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from labeling.agreement import Ranking, comparisons, krippendorff_alpha, mean_tau_b, pairwise_agreement
from labeling.models import Cohort, CohortMember, Judgment, Labeler, Project, Response, Submission, Task
from labeling.reports.agreement import AgreementReport, agreement_report
from labeling.reports.judgments import lengths_in
from labeling.reports.places import lengths, places
from labeling.reports.scope import Scope
from tests.reports.judged import labelers_of, ranked_campaign, rated_campaign, say

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

ALIKE = {"ada": (1, 2, 3), "ben": (1, 2, 3)}
OPPOSED = {"ada": (1, 2, 3), "ben": (3, 2, 1)}


def report(project: Project, **narrowed: Any) -> AgreementReport:
    return agreement_report(Scope(project=project, **narrowed))


def test_it_counts_what_the_statistics_count_on_the_same_rankings(project: Project) -> None:
    said = [ALIKE, OPPOSED, {"ada": (1, 1, 2), "cem": (2, 1, None)}, {"ben": (1, 2, 2), "cem": (1, 1, 2)}]
    ranked_campaign(project, said)
    plain = [
        Ranking(prompt=task, labeler=name, ranks=ranks)
        for task, of_task in enumerate(said)
        for name, ranks in of_task.items()
    ]
    found = report(project)
    assert found.pairwise.value == pairwise_agreement(comparisons(plain)).value
    assert found.tau_b.value == pytest.approx(mean_tau_b(plain).value)
    assert (found.rankings, found.shared_prompts) == (8, 4)


def test_a_third_judgment_asked_for_because_two_disagreed_is_left_out(project: Project) -> None:
    campaign = ranked_campaign(project, [OPPOSED])
    task = Task.objects.get(campaign=campaign)
    Task.objects.filter(pk=task.pk).update(overlap=3, room=1)
    say(task, *labelers_of(project, "cem"), (1, 2, 3))
    found = report(project)
    assert found.pairwise.value == 0.0
    assert found.left_out == 1


def six_disputed(project: Project) -> None:
    """Six tasks on which two disagree, and each given to a third, who agrees with the second."""
    campaign = ranked_campaign(project, [OPPOSED] * 6)
    Task.objects.filter(campaign=campaign).update(overlap=3, room=1)
    Submission.objects.filter(assignment__labeler__pseudonym="ada").update(submitted_at="2026-01-05T12:00:00Z")
    Submission.objects.filter(assignment__labeler__pseudonym="ben").update(submitted_at="2026-01-07T12:00:00Z")
    for task in campaign.tasks.all():
        say(task, *labelers_of(project, "cem"), (3, 2, 1), at=datetime(2026, 1, 8, tzinfo=UTC))


def test_it_is_left_out_too_where_the_first_is_before_the_days_that_are_looked_at(project: Project) -> None:
    six_disputed(project)
    found = report(project, since=date(2026, 1, 6))
    assert (found.pairwise.value, found.rankings, found.left_out) == (None, 6, 6)
    assert report(project).pairwise.value == 0.0


def test_it_is_left_out_too_where_the_first_is_withdrawn_or_by_a_program(project: Project) -> None:
    six_disputed(project)
    first = Submission.objects.filter(assignment__labeler__pseudonym="ada")
    first.update(withdrawn_at=timezone.now())
    assert (report(project).pairwise.value, report(project).left_out) == (None, 6)
    first.update(withdrawn_at=None)
    Labeler.objects.filter(pseudonym="ada").update(source="simulated")
    assert (report(project).pairwise.value, report(project).left_out) == (None, 6)


def test_where_nobody_more_was_asked_a_withdrawn_one_takes_no_place(project: Project) -> None:
    task = ranked_campaign(project, [OPPOSED]).tasks.get()
    say(task, *labelers_of(project, "cem"), (3, 2, 1))
    Submission.objects.filter(assignment__labeler__pseudonym="ada").update(withdrawn_at=timezone.now())
    assert (report(project).pairwise.value, report(project).left_out) == (1.0, 0)


def test_a_correction_keeps_its_place_among_the_first(project: Project) -> None:
    campaign = ranked_campaign(project, [OPPOSED])
    task = Task.objects.get(campaign=campaign)
    Task.objects.filter(pk=task.pk).update(overlap=3, room=1)
    say(task, *labelers_of(project, "cem"), (1, 2, 3))
    first = Submission.objects.get(assignment__labeler__pseudonym="ben")
    again = Submission.objects.create(
        assignment=first.assignment, number=2, key=uuid4(), counted=True,
        guideline=first.guideline, submitted_at=timezone.now() + timedelta(minutes=1),
    )  # fmt: skip
    Judgment.objects.filter(submission=first).update(submission=again)
    first.assignment.current_submission = again
    first.assignment.save()
    assert report(project).pairwise.value == 0.0


@pytest.mark.parametrize(
    "change",
    [
        lambda one: Submission.objects.filter(pk=one.pk).update(withdrawn_at=timezone.now()),
        lambda one: Submission.objects.filter(pk=one.pk).update(counted=False),
        lambda one: type(one.assignment).objects.filter(pk=one.assignment_id).update(occurrence=1),
    ],
    ids=["withdrawn", "surplus", "a hidden repeat"],
)
def test_what_does_not_count_is_not_there(project: Project, change: Any) -> None:
    campaign = ranked_campaign(project, [ALIKE])
    task = Task.objects.get(campaign=campaign)
    third = say(task, *labelers_of(project, "cem"), (3, 2, 1))
    change(third)
    found = report(project)
    assert found.pairwise.value == 1.0
    assert found.rankings == 2


def test_simulated_labelers_are_left_out_unless_asked_for(project: Project) -> None:
    labelers_of(project, "sim-a sim-b", source="simulated")
    ranked_campaign(project, [{"sim-a": (1, 2), "sim-b": (2, 1)}, {"ada": (1, 2), "ben": (1, 2)}])
    assert report(project).pairwise.value == 1.0
    assert report(project, raters="simulated").pairwise.value == 0.0
    assert report(project, raters="both").pairwise.value == 0.5


def test_one_labeler_alone_has_a_reason_instead_of_a_figure(project: Project) -> None:
    ranked_campaign(project, [{"ada": (1, 2)}, {"ada": (2, 1)}])
    found = report(project)
    assert found.pairwise.value is None
    assert "two labelers" in found.pairwise.reason
    assert found.labelers[0].agreement.value is None


def test_nothing_at_all_is_no_error(project: Project) -> None:
    found = report(project)
    assert found.pairwise.value is None
    assert found.parts == []
    assert places(found) == []
    assert lengths(found, lengths_in(found.scope)).whole.value is None


def test_cohorts_are_taken_apart_by_who_was_in_them_then(project: Project) -> None:
    said = [{"ada": (1, 2), "ben": (1, 2)}, {"cem": (1, 2), "dia": (1, 2)}, {"ada": (1, 2), "cem": (2, 1)}]
    ranked_campaign(project, said)
    for name, people in (("terse", "ada ben"), ("warm", "cem dia")):
        cohort = Cohort.objects.create(project=project, name=name)
        for one in labelers_of(project, people):
            CohortMember.objects.create(cohort=cohort, labeler=one, since=timezone.now() - timedelta(days=9))
    found = {part.name: part.figure.value for part in report(project).by_cohort}
    assert found == {"terse": 1.0, "warm": 1.0, "terse with warm": 0.0}
    cohort = Cohort.objects.get(name="terse")
    assert report(project, cohort=cohort.pk).rankings == 3
    CohortMember.objects.update(until=timezone.now() - timedelta(days=8))
    assert report(project, cohort=cohort.pk).rankings == 0


def test_a_labeler_who_agrees_with_nobody_stands_apart(project: Project) -> None:
    said = [{"ada": (1, 2, 3), "ben": (1, 2, 3)} if n % 2 else {"ben": (1, 2, 3), "odd": (3, 2, 1)} for n in range(40)]
    ranked_campaign(project, said)
    found = report(project)
    assert [line.person.pseudonym for line in found.labelers if line.apart] == ["odd"]
    assert found.labelers[-1].person.pseudonym == "odd"


def test_the_place_shown_is_the_assignments_and_not_the_tasks(project: Project) -> None:
    campaign = ranked_campaign(project, [{"zoe": (1, 2, 3)}], overlap=40)
    task = Task.objects.get(campaign=campaign)
    for number in range(30):
        best = number % 3
        order = [best, *(place for place in range(3) if place != best)]
        ranks = [1 if place == best else 2 for place in range(3)]
        say(task, *labelers_of(project, f"p{number}"), ranks, order=order)
    bias = next(one.bias for one in places(report(project)) if one.bias.responses == 3)
    assert bias.rates[0] == 1.0
    assert bias.p_value.known() < 0.001


def test_length_is_looked_at_by_how_much_longer_a_response_is(project: Project) -> None:
    campaign = ranked_campaign(project, [{"ada": (1, 2), "ben": (1, 2)} for _ in range(4)])
    characters = {}
    for task in campaign.tasks.all():
        first, second = task.shown.order_by("place").values_list("response_id", flat=True)
        characters |= {first: 130, second: 100}
    for response, size in characters.items():
        Response.objects.filter(pk=response).update(text="x" * size)
    found = lengths(report(project), lengths_in(Scope(project=project)))
    assert found.whole.value == 1.0
    assert [name for name, _ in found.parts] == ["by up to half"]


def test_flags_and_scales_leave_the_unanswered_out(project: Project) -> None:
    campaign = ranked_campaign(project, [{"zoe": (1, 2)}], overlap=3)
    task = Task.objects.get(campaign=campaign)
    for name, rating, flag in (("ada", 5, True), ("ben", 5, True)):
        say(
            task, *labelers_of(project, name), (1, 2), ratings=[{"overall": rating}, {"overall": 2}],
            flags=[{"hallucination": flag}, {}],
        )  # fmt: skip
    found = report(project)
    assert [one.figure.value for one in found.scales] == [1.0]
    assert {one.name: (one.figure.count, one.share) for one in found.flags} == {"hallucination": (1, 1.0)}


RATED = [{"ada": n % 7 + 1, "ben": n % 7 + 1, "odd": 7 - n % 7} for n in range(42)]


def test_a_project_of_ratings_has_agreement_by_labeler_pair_and_part(project: Project) -> None:
    for said in (RATED, [{"ada": 2, "ben": 2}, {"ada": 6, "ben": 7}] * 3):
        rated_campaign(project, said)
    found = report(project)
    assert (found.rankings, found.raters, len(found.rated)) == (0, 3, 138)
    assert "ratings" in found.pairwise.reason
    lines = {line.person.pseudonym: line for line in found.labelers}
    assert [line.person.pseudonym for line in found.labelers][-1] == "odd"
    assert (lines["ada"].ratings, lines["odd"].ratings) == (48, 42)
    assert lines["odd"].near.known() < 0.5 < lines["ada"].near.known()
    assert [name for name, line in lines.items() if line.apart] == ["odd"]
    pairs = {(line.one, line.other): line.near for line in found.pairs}
    assert pairs["ada", "ben"] is not None
    assert (pairs["ada", "ben"].value, pairs["ada", "ben"].count) == (1.0, 48)
    assert pairs["ada", "odd"] is not None
    assert pairs["ada", "odd"].known() < 0.5
    parts = dict(found.parts)["Campaign"]
    assert [part.ratings for part in parts] == [126, 12]
    assert [part.labelers for part in parts] == [3, 2]
    for part, said in zip(parts, found.said.of.campaigns.values, strict=True):
        rows = found.said.of.campaigns.codes == found.said.of.campaigns.values.index(said)
        alone = krippendorff_alpha(found.said.only(rows).rated("overall"), metric="ordinal")
        assert part.alpha.value == pytest.approx(alone.known())


def test_parts_of_rankings_have_tau_b_and_the_ac1_of_flags(project: Project) -> None:
    for best in ((1, 2), (2, 1)):
        campaign = ranked_campaign(project, [{"zoe": (1, 2)}] * 3, overlap=4)
        for task in campaign.tasks.all():
            for name, ranks in (("ada", (1, 2)), ("ben", best)):
                flags = [{"hallucination": True}, {"hallucination": ranks == (1, 2)}]
                say(task, *labelers_of(project, name), ranks, flags=flags)
    alike, opposed = dict(report(project).parts)["Campaign"]
    assert (alike.tau_b.value, opposed.tau_b.value) == (1.0, pytest.approx(-1 / 3))
    assert (alike.flags["hallucination"].value, alike.near.value) == (1.0, None)
    assert opposed.flags["hallucination"].known() < 1.0


def test_ratings_between_two_cohorts_are_set_beside_each_other(project: Project) -> None:
    rated_campaign(project, [{"ada": 2, "ben": 2, "cem": 6, "dia": 6}] * 2)
    for name, people in (("mild", "cem dia"), ("strict", "ada ben")):
        cohort = Cohort.objects.create(project=project, name=name)
        for one in labelers_of(project, people):
            CohortMember.objects.create(cohort=cohort, labeler=one, since=timezone.now() - timedelta(days=9))
    found = {part.name: part.near.value for part in report(project).by_cohort}
    assert found == {"mild": 1.0, "strict": 1.0, "mild with strict": 0.0}


def test_the_number_of_queries_does_not_grow_with_the_rows(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    ranked_campaign(project, [ALIKE, OPPOSED] * 6)
    with django_assert_max_num_queries(12):
        found = report(project)
        assert found.pairwise.defined
        assert found.parts == []
