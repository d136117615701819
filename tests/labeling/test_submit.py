"""A submission is checked, written once, and counts within the overlap."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from labeling.checking import Said, Work
from labeling.errors import AlreadySubmitted, CampaignNotOpen, InvalidWork, StaleLease
from labeling.models import Assignment, Judgment, Project, Response, Submission, Task, WorkKind
from labeling.opening import close_campaign, pause_campaign
from labeling.releasing import release_expired
from tests.labeling.work import (
    let_lapse,
    make_campaign,
    make_labeler,
    must_claim,
    ranked,
    recounted_slots,
    skip_now,
    submit_now,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_writes_a_judgment_of_every_response_under_the_order_shown(project: Project) -> None:
    assignment = must_claim(make_campaign(project), make_labeler(project, "ada"))
    work = Work(
        responses={
            "A": Said(rank=2, ratings={"overall": 4}, flags={"hallucination": False}, note="dull"),
            "C": Said(rank=1, ratings={"overall": 7}),
        },
        note="easy",
        active_ms=0,
    )
    submission = submit_now(assignment, work).submission
    found = {judgment.response_id: judgment for judgment in submission.judgments.all()}
    a, b, c, d = (found[pk] for pk in assignment.order)
    assert (a.rank, a.ratings, a.flags, a.note) == (2, {"overall": 4}, {"hallucination": False}, "dull")
    assert (c.rank, c.ratings, c.flags) == (1, {"overall": 7}, {})
    assert [(b.rank, b.ratings), (d.rank, d.ratings)] == [(None, {}), (None, {})]
    assert (submission.counted, submission.number, submission.note) == (True, 1, "easy")
    assignment.refresh_from_db()
    assert (assignment.state, assignment.current_submission) == (Assignment.State.SUBMITTED, submission)


def test_gaps_between_ranks_are_closed_and_ties_stay(project: Project) -> None:
    assignment = must_claim(make_campaign(project), make_labeler(project, "ada"))
    submission = submit_now(assignment, ranked(2, 2, 4, None)).submission
    ranks = dict(submission.judgments.values_list("response_id", "rank"))
    assert [ranks[pk] for pk in assignment.order] == [1, 1, 2, None]


def test_a_proposed_order_that_nobody_confirmed_is_not_written(project: Project) -> None:
    assignment = must_claim(make_campaign(project), make_labeler(project, "ada"))
    responses = {letter: Said(rank=rank, ratings={"overall": 3 - rank}) for letter, rank in (("A", 1), ("B", 2))}
    work = Work(responses=responses, verdict="none_acceptable", order_is_proposed=True)
    submission = submit_now(assignment, work).submission
    written = {judgment.response_id: (judgment.rank, judgment.ratings) for judgment in submission.judgments.all()}
    a, b = assignment.order[:2]
    assert (written[a], written[b]) == ((None, {"overall": 2}), (None, {"overall": 1}))
    assert {rank for rank, _ in written.values()} == {None}


def test_an_order_that_somebody_made_is_kept_beside_the_verdict(project: Project) -> None:
    assignment = must_claim(make_campaign(project), make_labeler(project, "ada"))
    submission = submit_now(assignment, replace(ranked(2, 1, 3, 3), verdict="none_acceptable")).submission
    ranks = dict(submission.judgments.values_list("response_id", "rank"))
    assert [ranks[pk] for pk in assignment.order] == [2, 1, 3, 3]


def test_a_repeated_key_answers_with_the_first_result(project: Project) -> None:
    assignment = must_claim(make_campaign(project), make_labeler(project, "ada"))
    key = uuid4()
    first = submit_now(assignment, ranked(1, 2, 3, 4), key=key)
    second = submit_now(assignment, ranked(4, 3, 2, 1), key=key)
    assert (first.repeated, second.repeated) == (False, True)
    assert first.submission == second.submission
    assert Submission.objects.count() == 1
    assert Judgment.objects.count() == 4


def test_another_key_after_a_submission_is_refused_and_nothing_is_written(project: Project) -> None:
    assignment = must_claim(make_campaign(project), make_labeler(project, "ada"))
    submit_now(assignment, ranked(1, 2, 3, 4))
    with pytest.raises(AlreadySubmitted):
        submit_now(assignment, ranked(4, 3, 2, 1))
    assert Submission.objects.count() == 1


def test_a_lapsed_lease_that_nobody_took_back_counts(project: Project) -> None:
    campaign = make_campaign(project)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    let_lapse(assignment)
    assert submit_now(assignment, ranked(1, 2, 3, 4)).submission.counted
    assert Task.objects.get(campaign=campaign).open_slots == 0


def test_an_expired_lease_counts_while_its_slot_is_free_and_takes_it(project: Project) -> None:
    campaign = make_campaign(project)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    let_lapse(assignment)
    release_expired()
    assert submit_now(assignment, ranked(1, 2, 3, 4)).submission.counted
    task = Task.objects.get(campaign=campaign)
    assert (task.open_slots, task.returned) == (0, False)
    assert recounted_slots(task) == 0


def test_an_expired_lease_whose_slot_is_gone_is_kept_as_surplus(project: Project) -> None:
    campaign = make_campaign(project)
    late = must_claim(campaign, make_labeler(project, "ada"))
    let_lapse(late)
    in_time = must_claim(campaign, make_labeler(project, "ben"))
    surplus = submit_now(late, ranked(1, 2, 3, 4)).submission
    assert not surplus.counted
    assert surplus.judgments.count() == 4
    assert submit_now(in_time, ranked(1, 2, 3, 4)).submission.counted
    assert recounted_slots(Task.objects.get(campaign=campaign)) == 0


def test_work_on_a_skipped_task_counts_while_a_slot_is_free(project: Project) -> None:
    campaign = make_campaign(project)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    skip_now(assignment)
    assert submit_now(assignment, ranked(1, 2, 3, 4)).submission.counted
    assert Task.objects.get(campaign=campaign).open_slots == 0


def test_a_token_from_an_earlier_hold_is_refused(project: Project) -> None:
    campaign = make_campaign(project)
    ada = make_labeler(project, "ada")
    old = must_claim(campaign, ada)
    let_lapse(old)
    must_claim(campaign, ada)
    with pytest.raises(StaleLease, match="another tab"):
        submit_now(old, ranked(1, 2, 3, 4))
    assert not Submission.objects.exists()


def test_a_paused_campaign_takes_what_is_held(project: Project) -> None:
    campaign = make_campaign(project)
    held = must_claim(campaign, make_labeler(project, "ada"))
    pause_campaign(campaign)
    assert submit_now(held, ranked(1, 2, 3, 4)).submission.counted


def test_a_closed_campaign_counts_what_is_held_and_keeps_the_rest_uncounted(project: Project) -> None:
    campaign = make_campaign(project, overlap=3)
    held, late = (must_claim(campaign, make_labeler(project, name)) for name in ("ada", "ben"))
    let_lapse(late)
    release_expired()
    close_campaign(campaign)
    assert submit_now(held, ranked(1, 2, 3, 4)).submission.counted
    assert not submit_now(late, ranked(1, 2, 3, 4)).submission.counted
    task = Task.objects.get()
    assert task.open_slots == recounted_slots(task)


def test_a_closed_campaign_takes_no_correction(project: Project) -> None:
    campaign = make_campaign(project)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    submit_now(assignment, ranked(1, 2, 3, 4))
    close_campaign(campaign)
    with pytest.raises(CampaignNotOpen, match="not corrected any more"):
        submit_now(assignment, ranked(4, 3, 2, 1), corrects=1)


def test_active_time_beyond_the_time_that_passed_is_cut(project: Project) -> None:
    assignment = must_claim(make_campaign(project), make_labeler(project, "ada"))
    work = Work(responses=ranked(1, 2, 3, 4).responses, active_ms=10**12)
    active_ms = submit_now(assignment, work).submission.active_ms
    assert active_ms is not None
    assert active_ms < 60_000


def test_a_demonstration_becomes_a_response_by_the_labeler(project: Project) -> None:
    ada = make_labeler(project, "ada")
    assignment = must_claim(make_campaign(project, kind=WorkKind.DEMONSTRATION), ada)
    submission = submit_now(assignment, Work(text="Two.\n")).submission
    written = Response.objects.get(submission=submission)
    assert (written.text, written.labeler, written.generator) == ("Two.\n", ada, None)
    assert written.prompt_id == assignment.task.prompt_id
    assert not submission.judgments.exists()


def test_a_correction_within_the_window_is_the_next_number_and_counts_as_before(project: Project) -> None:
    campaign = make_campaign(project)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    submit_now(assignment, ranked(1, 2, 3, 4))
    second = submit_now(assignment, ranked(4, 3, 2, 1), corrects=1).submission
    assignment.refresh_from_db()
    assert (second.number, second.counted, assignment.current_submission) == (2, True, second)
    assert Submission.objects.filter(assignment=assignment).count() == 2
    assert Task.objects.get(campaign=campaign).open_slots == 0


def test_a_correction_after_the_window_is_refused(project: Project) -> None:
    campaign = make_campaign(project, correction_minutes=5)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    submit_now(assignment, ranked(1, 2, 3, 4))
    Submission.objects.update(submitted_at=Now() - timedelta(minutes=6))
    with pytest.raises(AlreadySubmitted, match="window"):
        submit_now(assignment, ranked(4, 3, 2, 1), corrects=1)


RATED = Said(ratings={"overall": 4}, flags={"misses_task": False, "hallucination": False})
WRONG = [
    (Work(responses={"E": Said(rank=1)}), "unknown_response", "E", "shows A to D"),
    (Work(responses={"B": Said(ratings={"overall": 8})}), "rating_out_of_range", "rating-B-overall", "is 8; expected"),
    (Work(responses={"B": Said(ratings={"overall": 0})}), "rating_out_of_range", "rating-B-overall", "is 0; expected"),
    (Work(responses={"B": Said(ratings={"charm": 5})}), "unknown_scale", "rating-B-charm", "expected overall"),
    (Work(responses={"B": Said(flags={"rude": True})}), "unknown_flag", "flag-B-rude", "misses_task, hallucination"),
    (Work(responses={"B": Said(rank=5)}), "rank_out_of_range", "rank-B", "is 5; expected 1 to 4"),
    (Work(responses={"B": Said(rank=0)}), "rank_out_of_range", "rank-B", "is 0; expected 1 to 4"),
    (Work(), "nothing_ranked", "order", "Nothing is ranked"),
    (Work(responses={"A": RATED, "B": RATED}), "nothing_ranked", "order", "none is acceptable"),
    (ranked(None, None, 1, None), "one_ranked", "rank-C", "at least two"),
    (Work(responses=ranked(1, 2, 3, 4).responses, order_is_proposed=True), "order_is_proposed", "order", "proposal"),
    (Work(responses=ranked(1, 2, 3, 4).responses, strength=1), "strength_of_pairs_only", "strength", "A to D"),
    (Work(responses=ranked(1, 2, 3, 4).responses, verdict="all_fine"), "unknown_verdict", "", "none_acceptable"),
    (Work(responses=ranked(1, 2, 3, 4).responses, note="a\0b"), "text_unstorable", "note", "character 2"),
    (Work(responses={"A": Said(rank=1, note="\ud800"), "B": Said(rank=1)}), "text_unstorable", "note-A", "half"),
    (Work(responses={"A": Said(rank=1, note="x" * 5001), "B": Said(rank=1)}), "text_too_long", "note-A", "5,001"),
]


@pytest.mark.parametrize(("work", "code", "place", "says"), WRONG)
def test_it_refuses_what_has_no_meaning_and_names_its_place(
    project: Project, work: Work, code: str, place: str, says: str
) -> None:
    campaign = make_campaign(project)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    with pytest.raises(InvalidWork) as refused:
        submit_now(assignment, work)
    (problem,) = refused.value.problems
    assert (problem.code, problem.place) == (code, place)
    assert says in problem.message
    assert not Submission.objects.exists()
    assignment.refresh_from_db()
    assert assignment.state == Assignment.State.LIVE


@pytest.mark.parametrize(
    ("required", "work", "code", "place"),
    [
        (["ratings"], ranked(1, 2, 3, 4), "rating_missing", "rating-A-overall"),
        (["flags"], ranked(1, 2, 3, 4), "flag_missing", "flag-A-misses_task"),
        (["ranks"], ranked(1, 1, 2, None), "rank_missing", "rank-D"),
    ],
)
def test_it_refuses_what_leaves_out_something_required(
    project: Project, required: list[str], work: Work, code: str, place: str
) -> None:
    assignment = must_claim(make_campaign(project, required=required), make_labeler(project, "ada"))
    with pytest.raises(InvalidWork) as refused:
        submit_now(assignment, work)
    assert (refused.value.problems[0].code, refused.value.problems[0].place) == (code, place)


def test_none_acceptable_needs_no_order_even_where_ranks_are_required(project: Project) -> None:
    assignment = must_claim(make_campaign(project, required=["ranks"]), make_labeler(project, "ada"))
    submission = submit_now(assignment, Work(verdict="none_acceptable")).submission
    assert submission.verdict == Submission.Verdict.NONE_ACCEPTABLE
    assert set(submission.judgments.values_list("rank", flat=True)) == {None}


def test_strength_is_taken_for_two_responses(project: Project) -> None:
    assignment = must_claim(make_campaign(project, shown=2), make_labeler(project, "ada"))
    submission = submit_now(assignment, Work(responses=ranked(1, 2).responses, strength=2)).submission
    assert submission.strength == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "text_empty"), (" \n", "text_empty"), ("a\0", "text_unstorable"), ("x" * 20_001, "text_too_long")],
)
def test_it_refuses_a_demonstration_that_is_no_text(project: Project, text: str, code: str) -> None:
    assignment = must_claim(make_campaign(project, kind=WorkKind.DEMONSTRATION), make_labeler(project, "ada"))
    with pytest.raises(InvalidWork) as refused:
        submit_now(assignment, Work(text=text))
    assert [problem.code for problem in refused.value.problems] == [code]
    assert not Response.objects.exists()


def test_a_rating_is_refused_where_nothing_is_rated(project: Project) -> None:
    assignment = must_claim(make_campaign(project, kind=WorkKind.RATING), make_labeler(project, "ada"))
    with pytest.raises(InvalidWork, match="Nothing is rated"):
        submit_now(assignment, Work(responses={"A": Said(flags={"hallucination": True})}))
