"""Claims and submissions at the same time, on real connections."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import TypeVar
from uuid import uuid4

import pytest
from django.db import connection

from labeling.assigning import claim, labeler_of, release_expired
from labeling.errors import AlreadySubmitted
from labeling.models import Assignment, Campaign, Labeler, Membership, Project, Submission, Task, User
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
