"""Claims and submissions at the same time, on real connections."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import TypeVar
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Q

from labeling.assigning import claim, labeler_of
from labeling.campaigning import change_overlap
from labeling.checking import Work
from labeling.errors import AlreadyReviewed, AlreadySubmitted, InvalidWork, StaleLease
from labeling.models import (
    Assignment,
    Campaign,
    Labeler,
    Membership,
    Project,
    Prompt,
    Role,
    Submission,
    Task,
    User,
    WorkKind,
)
from labeling.opening import close_campaign
from labeling.releasing import release_expired
from labeling.reviewing import review
from labeling.skipping import WRITING_SKIP_REASONS
from tests.conftest import make_member
from tests.labeling.work import (
    let_lapse,
    make_campaign,
    make_labeler,
    must_claim,
    ranked,
    recounted_slots,
    skip_now,
    submit_now,
    written,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

T = TypeVar("T")


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """Runs the acts in threads that start together, each on a connection of its own."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], T]) -> T:
        try:
            barrier.wait(timeout=10)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return [future.result(timeout=60) for future in [threads.submit(run, act) for act in acts]]


def labelers(project: Project, count: int) -> list[Labeler]:
    return [make_labeler(project, f"person-{number}") for number in range(count)]


def assert_slots_are_exact(campaign: Campaign) -> None:
    for task in Task.objects.filter(campaign=campaign):
        assert task.open_slots == recounted_slots(task), task


def test_a_double_click_hands_out_one_task(project: Project) -> None:
    campaign = make_campaign(project, tasks=5, overlap=3)
    ada = make_labeler(project, "ada")
    # Once at the very first claim, which makes the cursor, and once more when it is there.
    for _ in range(2):
        handed = at_once([lambda: must_claim(campaign, ada)] * 6)
        assert len({assignment.pk for assignment in handed}) == 1
        submit_now(handed[0], ranked(1, 2, 3, 4))
    assert_slots_are_exact(campaign)


def test_eight_labelers_never_exceed_the_overlap(project: Project) -> None:
    campaign = make_campaign(project, tasks=3, overlap=2)
    handed = at_once([lambda person=person: claim(campaign, person) for person in labelers(project, 8)])  # type: ignore[misc]
    assert len([assignment for assignment in handed if assignment]) == 6
    assert set(Task.objects.values_list("open_slots", flat=True)) == {0}
    assert_slots_are_exact(campaign)


def test_whoever_comes_at_the_same_moment_is_not_told_that_nothing_is_left(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, overlap=4)
    handed = at_once([lambda person=person: claim(campaign, person) for person in labelers(project, 4)])  # type: ignore[misc]
    assert all(handed)


@pytest.mark.threat(14)
def test_the_same_key_sent_four_times_at_once_is_one_submission(project: Project) -> None:
    campaign = make_campaign(project, tasks=1)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    key = uuid4()
    outcomes = at_once([lambda: submit_now(assignment, ranked(1, 2, 3, 4), key=key)] * 4)
    assert sorted(outcome.repeated for outcome in outcomes) == [False, True, True, True]
    assert Submission.objects.count() == 1


def test_two_late_submissions_for_one_free_slot_count_once(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, overlap=1)
    late = []
    for person in labelers(project, 3):
        late.append(must_claim(campaign, person))
        let_lapse(late[-1])
        release_expired()
    outcomes = at_once([lambda one=one: submit_now(one, ranked(1, 2, 3, 4)) for one in late])  # type: ignore[misc]
    assert sorted(outcome.submission.counted for outcome in outcomes) == [False, False, True]
    assert_slots_are_exact(campaign)


def test_two_sweeps_and_a_claim_give_each_lapsed_slot_back_once(project: Project) -> None:
    campaign = make_campaign(project, tasks=4, overlap=2)
    people = labelers(project, 9)
    for person in people[:8]:
        let_lapse(must_claim(campaign, person))
    at_once([release_expired, release_expired, lambda: claim(campaign, people[8])])
    release_expired()
    assert_slots_are_exact(campaign)
    assert Assignment.objects.filter(state=Assignment.State.EXPIRED).count() == 8


def test_skip_submit_and_sweep_of_one_assignment_agree(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, overlap=1)
    ada = make_labeler(project, "ada")
    assignment = must_claim(campaign, ada)
    let_lapse(assignment)

    def skipped() -> None:
        with suppress(AlreadySubmitted):
            skip_now(assignment)

    at_once([skipped, release_expired, lambda: submit_now(assignment, ranked(1, 2, 3, 4))])  # type: ignore[list-item]
    assert_slots_are_exact(campaign)
    assert Submission.objects.get().counted


def test_many_loops_by_many_labelers_leave_exact_counters(project: Project) -> None:
    campaign = make_campaign(project, tasks=12, overlap=3)

    def work(person: Labeler) -> int:
        done = 0
        while assignment := claim(campaign, person):
            submit_now(assignment, ranked(1, 2, 3, 4))
            done += 1
        return done

    done = at_once([lambda person=person: work(person) for person in labelers(project, 6)])  # type: ignore[misc]
    assert sum(done) == 36 == Submission.objects.filter(counted=True).count()
    assert_slots_are_exact(campaign)


def test_a_member_becomes_one_labeler(project: Project, labeler: User) -> None:
    membership = Membership.objects.get(user=labeler)
    made = at_once([lambda: labeler_of(Membership.objects.get(pk=membership.pk)).pk] * 4)
    assert len(set(made)) == 1


@pytest.mark.parametrize(("before", "after"), [(3, 1), (1, 3)])
def test_the_overlap_changes_while_people_claim_and_submit(project: Project, before: int, after: int) -> None:
    campaign = make_campaign(project, tasks=6, overlap=before)

    def work(person: Labeler) -> None:
        for _ in range(6):
            if assignment := claim(campaign, person):
                submit_now(assignment, ranked(1, 2, 3, 4))

    workers: list[Callable[[], object]] = [lambda person=person: work(person) for person in labelers(project, 5)]  # type: ignore[misc]
    at_once([*workers, lambda: change_overlap(campaign, after), lambda: change_overlap(campaign, after)])
    assert_slots_are_exact(campaign)
    for task in Task.objects.filter(campaign=campaign):
        assert after <= task.overlap <= max(before, after)
        assert task.assignments.filter(current_submission__counted=True).count() <= task.overlap


def test_a_close_that_takes_back_and_submissions_at_the_same_time_agree(project: Project) -> None:
    campaign = make_campaign(project, tasks=2, overlap=3)
    held = [must_claim(campaign, person) for person in labelers(project, 5)]
    acts: list[Callable[[], object]] = [lambda one=one: submit_now(one, ranked(1, 2, 3, 4)) for one in held]  # type: ignore[misc]
    at_once([*acts, lambda: close_campaign(campaign, release=True)])
    assert_slots_are_exact(campaign)
    assert Submission.objects.count() == 5
    assert not Assignment.objects.filter(state=Assignment.State.LIVE).exists()


def test_labelers_who_write_at_once_never_exceed_the_quota(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=3)
    people = labelers(project, 8)
    handed = [one for one in at_once([lambda person=person: claim(campaign, person) for person in people]) if one]  # type: ignore[misc]
    assert len(handed) == 3
    skip_now(handed[0], WRITING_SKIP_REASONS[0])
    let_lapse(handed[1])
    handed = [one for one in at_once([lambda person=person: claim(campaign, person) for person in people]) if one]  # type: ignore[misc]
    assert Task.objects.filter(campaign=campaign).count() == 3
    assert Assignment.objects.filter(campaign=campaign, state=Assignment.State.LIVE).count() == 3
    assert_slots_are_exact(campaign)


def test_of_the_same_words_sent_at_once_one_becomes_a_prompt(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=4)
    handed = [must_claim(campaign, person) for person in labelers(project, 4)]

    def send(assignment: Assignment) -> str:
        try:
            return f"counted: {submit_now(assignment, written('What is a fjord?')).submission.counted}"
        except InvalidWork as refusal:
            return refusal.problems[0].code

    assert sorted(at_once([lambda one=one: send(one) for one in handed])) == ["counted: True"] + ["prompt_exists"] * 3  # type: ignore[misc]
    assert Prompt.objects.count() == Submission.objects.count() == 1


def test_a_late_prompt_and_a_claim_at_once_do_not_exceed_a_persons_share(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=9, per_labeler=1)
    people = labelers(project, 5)
    late = [must_claim(campaign, person) for person in people]
    for assignment in late:
        let_lapse(assignment)
    release_expired()

    def send(assignment: Assignment) -> None:
        with suppress(StaleLease):
            submit_now(assignment, written(f"What is {assignment.pk}?"))

    sends = [lambda one=one: send(one) for one in late]  # type: ignore[misc]
    at_once([*sends, *(lambda person=person: claim(campaign, person) for person in people)])  # type: ignore[misc]
    taken = Q(state=Assignment.State.LIVE) | Q(current_submission__counted=True)
    assert {Assignment.objects.filter(taken, labeler=person).count() for person in people} == {1}
    assert_slots_are_exact(campaign)


def test_of_several_reviewers_at_once_one_decides(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=6)
    ada = make_labeler(project, "ada")
    reviewers = [make_member(project, f"reviewer-{number}", Role.REVIEWER) for number in range(6)]

    def decide(submission: Submission, reviewer: User) -> str:
        state = "accepted" if reviewer == reviewers[0] else "returned"
        try:
            return review(submission, reviewer, state=state, remarks="Which?", seen=0).state
        except AlreadyReviewed:
            return "told"

    for _ in range(6):
        one = submit_now(must_claim(campaign, ada), Work(text="An apple.")).submission
        decided = at_once([lambda one=one, by=by: decide(one, by) for by in reviewers])  # type: ignore[misc]
        assert decided.count("told") == 5
        assert one.responses.get().review_state == one.reviews.get().state in decided
