"""A claim that is under way while its ground is taken away: nothing stays in hand of who left or of what is closed. And
several tasks are locked in one order, whoever locks them."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from threading import Event
from time import monotonic, sleep

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from labeling import assigning, releasing
from labeling.assigning import claim, labeler_of
from labeling.campaigning import change_overlap
from labeling.errors import CampaignNotOpen, KeptOut
from labeling.leaving import leave
from labeling.members import change_role
from labeling.models import Assignment, Campaign, ClaimCursor, Labeler, Membership, Project, Role, Task, User, WorkKind
from labeling.opening import close_campaign
from tests.labeling.test_races import assert_slots_are_exact, at_once
from tests.labeling.work import make_campaign, make_labeler, must_claim, skip_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

SOON_SECONDS = 1.0
"""Longer than an act takes that waits for nobody."""


def wait_until_somebody_waits() -> None:
    """Until a connection to this database waits for a lock."""
    until = monotonic() + 30
    while monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # Or a transaction sees what it saw at first.
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        sleep(0.02)
    raise TimeoutError("nobody waits for a lock")


def while_it_is_claimed(
    campaign: Campaign, labeler: Labeler, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs the act after the claim has looked at everything and before it takes a task."""
    looked, acted = Event(), Event()
    find = assigning._find

    def find_later(*arguments):  # type: ignore[no-untyped-def]
        looked.set()
        # It comes only where the act does not wait for this claim, as it should.
        acted.wait(timeout=SOON_SECONDS)
        return find(*arguments)

    def take() -> None:
        with suppress(CampaignNotOpen, KeptOut):
            claim(campaign, labeler)

    def act_then() -> None:
        assert looked.wait(timeout=30)
        act()
        acted.set()

    monkeypatch.setattr(assigning, "_find", find_later)
    at_once([take, act_then])


def nothing_is_in_hand(campaign: Campaign) -> bool:
    assert_slots_are_exact(campaign)
    return not Assignment.objects.filter(state=Assignment.State.LIVE).exists()


def test_who_leaves_while_a_task_is_handed_to_them_holds_none(
    project: Project, labeler: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, membership = make_campaign(project), Membership.objects.get(user=labeler)
    while_it_is_claimed(campaign, labeler_of(membership), lambda: leave(membership), monkeypatch)
    assert nothing_is_in_hand(campaign)


@pytest.mark.parametrize(("kind", "role"), [(WorkKind.RANKING, Role.CUSTOMER), (WorkKind.RATING, Role.RESEARCHER)])
def test_who_gets_another_role_while_a_task_is_handed_to_them_holds_none_that_it_may_not_do(
    project: Project, labeler: User, monkeypatch: pytest.MonkeyPatch, kind: str, role: str
) -> None:
    campaign, membership = make_campaign(project, kind=kind), Membership.objects.get(user=labeler)
    while_it_is_claimed(campaign, labeler_of(membership), lambda: change_role(membership, role), monkeypatch)
    assert nothing_is_in_hand(campaign)


@pytest.mark.parametrize("claimed_before", [False, True])
def test_what_is_handed_out_while_the_campaign_closes_is_taken_back_too(
    project: Project, monkeypatch: pytest.MonkeyPatch, claimed_before: bool
) -> None:
    campaign, ada = make_campaign(project, tasks=2), make_labeler(project, "ada")
    if claimed_before:
        skip_now(must_claim(campaign, ada))
    while_it_is_claimed(campaign, ada, lambda: close_campaign(campaign, release=True), monkeypatch)
    assert nothing_is_in_hand(campaign)


def test_a_claim_that_waited_for_another_sees_that_the_campaign_was_closed_meanwhile(project: Project) -> None:
    campaign, ada = make_campaign(project), make_labeler(project, "ada")
    skip_now(must_claim(campaign, ada))
    held, closed = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            ClaimCursor.objects.select_for_update().get()
            held.set()
            assert closed.wait(timeout=30)

    def take() -> str:
        assert held.wait(timeout=30)
        try:
            claim(campaign, ada)
        except CampaignNotOpen:
            return "refused"
        return "handed"

    def close() -> None:
        assert held.wait(timeout=30)
        wait_until_somebody_waits()
        close_campaign(campaign)
        closed.set()

    assert "refused" in at_once([hold, take, close])  # type: ignore[list-item]


def meets_in_order(act: Callable[[], object], *tasks: Task) -> None:
    """Somebody holds the first of these tasks, and takes the second once the act waits: the act must not hold that."""
    first, second = sorted(tasks, key=lambda task: task.pk)
    # So it lies behind the second in the table and in the indexes.
    Task.objects.filter(pk=first.pk).update(position=99)
    ready = Event()

    def hold_both() -> None:
        with transaction.atomic():
            Task.objects.select_for_update().get(pk=first.pk)
            ready.set()
            wait_until_somebody_waits()
            Task.objects.select_for_update().get(pk=second.pk)

    def act_meanwhile() -> None:
        assert ready.wait(timeout=30)
        act()

    at_once([hold_both, act_meanwhile])


def test_a_change_of_the_overlap_locks_tasks_in_the_order_of_their_ids(project: Project) -> None:
    campaign = make_campaign(project, tasks=2)
    meets_in_order(lambda: change_overlap(campaign, 3), *campaign.tasks.all())
    assert set(campaign.tasks.values_list("overlap", "open_slots")) == {(3, 3)}


def test_who_leaves_gives_tasks_back_in_the_order_of_their_ids(
    project: Project, labeler: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasing, "RELEASE_AT_ONCE", 1)
    membership = Membership.objects.get(user=labeler)
    held = [must_claim(make_campaign(project), labeler_of(membership)) for _ in range(2)]
    Assignment.objects.filter(pk=held[0].pk).update(lease_until=Now() + timedelta(hours=9))
    meets_in_order(lambda: leave(membership), *(one.task for one in held))
    assert not Assignment.objects.filter(state=Assignment.State.LIVE).exists()
