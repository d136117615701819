"""Who gets which task next: claim, lease, skip, expiry.

One code serves PostgreSQL and SQLite. On PostgreSQL rows are locked; on SQLite select_for_update does nothing and the
IMMEDIATE transaction serialises instead. Locks are taken in one order: cursor, task, assignment. Leases are compared
with the database's clock, never with this machine's.
"""

import random
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Now

from labeling.access import READS_DATA, RESEARCHES
from labeling.errors import AlreadySubmitted, CampaignNotOpen, KeptOut, StaleLease
from labeling.models import (
    Assignment,
    Campaign,
    ClaimCursor,
    Labeler,
    Membership,
    Prompt,
    Task,
    TaskResponse,
    WorkKind,
)

NOTHING_FOR = timedelta(seconds=30)
"""How long a claim remembers that there was nothing, but for what comes back; without it every claim costs the search
once round."""
SKIPPED_FOR = timedelta(minutes=30)
"""When a task skipped under the policy "back later" is offered to the same labeler again."""
LEASE_CEILING = 4
"""Saving keeps a lease alive, but never beyond this many times the campaign's lease since the task was handed out."""
RELEASE_AT_ONCE = 100
"""Lapsed leases that one call releases at most."""

PSEUDONYM_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"

SEE_GENERATORS = RESEARCHES | READS_DATA
"""Roles that are shown which model wrote what, on pages or in the data they may pull."""

STALE = (
    "This page is from an earlier hold of the task: it was handed to you again since, perhaps in another tab. "
    "Reload to go on there."
)

State = Assignment.State
TAKEN_UP_AGAIN = {State.EXPIRED, State.SKIPPED}


def labeler_of(membership: Membership) -> Labeler:
    """The member as a labeler, made at the first call under a pseudonym that says nothing about the person.

    Who left and came back is the labeler they were, or one person would be counted twice in one task.
    """
    pseudonym = "L-" + "".join(secrets.choice(PSEUDONYM_ALPHABET) for _ in range(8))
    labeler, _ = Labeler.objects.get_or_create(
        project_id=membership.project_id,
        user_id=membership.user_id,
        defaults={"membership": membership, "pseudonym": pseudonym, "source": Labeler.Source.MEMBER},
    )
    if labeler.membership_id != membership.pk:
        Labeler.objects.filter(pk=labeler.pk).update(membership=membership)
    labeler.membership = membership
    return labeler


def is_kept_out(campaign: Campaign, labeler: Labeler) -> bool:
    """Whoever is shown which model wrote what does not rate models."""
    return (
        campaign.kind == WorkKind.RATING
        and labeler.membership is not None
        and labeler.membership.role in SEE_GENERATORS
    )


def claim(campaign: Campaign, labeler: Labeler) -> Assignment | None:
    """The labeler's task in this campaign: the one they hold, or the next one under a new lease; None if there is none.

    Raises CampaignNotOpen where the campaign hands out no work, KeptOut where it hands none to this person.
    """
    if is_kept_out(campaign, labeler):
        raise KeptOut("Your role shows you which model wrote what; ratings of models are left to others.")
    # In a transaction of its own: a claim that waits for a task must hold no other.
    release_expired(campaign=campaign, but_not_of=labeler)
    with transaction.atomic():
        cursor, clock = _lock_cursor(campaign, labeler)
        if cursor.campaign.state != Campaign.State.OPEN:
            raise CampaignNotOpen(f"{cursor.campaign.name} is {cursor.campaign.state}; it hands out no tasks now.")
        held = _held(cursor.campaign, labeler, clock)
        if held is not None:
            return held
        if cursor.nothing_until and cursor.nothing_until > clock and not _came_back(cursor, clock):
            return None
        return _claim_next(cursor, clock)


def _came_back(cursor: ClaimCursor, clock: datetime) -> bool:
    """Whether a slot for this labeler came back. Looked for, not remembered: whoever gives a slot back holds the task,
    and to change the cursors then would wait the wrong way round for a claim."""
    return open_tasks(cursor.campaign, cursor.labeler, clock).filter(returned=True).first() is not None


def _claim_next(cursor: ClaimCursor, clock: datetime) -> Assignment | None:
    own_cursor = ClaimCursor.objects.filter(pk=cursor.pk)
    while True:
        task, position = _find(cursor, clock)
        if task is None:
            own_cursor.update(nothing_until=clock + NOTHING_FOR)
            return None
        earlier = Assignment.objects.filter(task=task, labeler=cursor.labeler_id, occurrence=0).first()
        if earlier is not None and earlier.state not in TAKEN_UP_AGAIN:
            # It was submitted from another tab between the look and the lock: the next look does not show it.
            continue
        take_slot(task)
        own_cursor.update(position=position, nothing_until=None)
        return _take_up(earlier, cursor, clock) if earlier else _hand_out(task, cursor, clock)


def _lock_cursor(campaign: Campaign, labeler: Labeler) -> tuple[ClaimCursor, datetime]:
    """The labeler's cursor, locked, and the database's time. Of two claims at once the second waits here."""
    cursors = (
        ClaimCursor.objects.filter(campaign=campaign, labeler=labeler)
        .select_related("campaign")
        .select_for_update(of=("self",))
        .annotate(clock=Now())
    )
    cursor = cursors.first()
    if cursor is None:
        ClaimCursor.objects.bulk_create([ClaimCursor(campaign=campaign, labeler=labeler)], ignore_conflicts=True)
        cursor = cursors.get()
    cursor.labeler = labeler
    return cursor, cursor.clock


def _held(campaign: Campaign, labeler: Labeler, clock: datetime) -> Assignment | None:
    """The live lease, as it is; or one that ran out and whose slot nobody has taken back, begun anew."""
    held = Assignment.objects.filter(campaign=campaign, labeler=labeler, state=State.LIVE).first()
    if held is None or (held.lease_until and held.lease_until > clock):
        return held
    begun = Assignment.objects.filter(pk=held.pk, state=State.LIVE).update(**_new_lease(campaign, clock))
    if not begun:  # A sweep released it between the two statements.
        return None
    held.refresh_from_db()
    return held


def _new_lease(campaign: Campaign, clock: datetime) -> dict[str, object]:
    lease = timedelta(minutes=campaign.lease_minutes)
    return {"state": State.LIVE, "lease_token": uuid4(), "lease_until": clock + lease, "opened_at": clock}


def open_tasks(campaign: Campaign, labeler: Labeler, clock: datetime) -> QuerySet[Task]:
    """Tasks that this labeler could be handed: a slot is free, the words are nobody's own, and they neither hold it,
    submitted it, nor skipped it for good (or for a while that is not over)."""
    taken_before = (
        Assignment.objects.filter(task=OuterRef("pk"), labeler=labeler)
        .exclude(state=State.EXPIRED)
        .exclude(state=State.SKIPPED, skipped_until__lte=clock)
    )
    own_response = TaskResponse.objects.filter(task=OuterRef("pk"), response__labeler=labeler)
    own_prompt = Prompt.objects.filter(pk=OuterRef("prompt_id"), submission__assignment__labeler=labeler)
    return (
        Task.objects.alias(
            taken_before=_is_there(taken_before), own_response=_is_there(own_response), own_prompt=_is_there(own_prompt)
        )
        .filter(campaign=campaign, open_slots__gt=0, taken_before=False, own_response=False, own_prompt=False)
        .order_by("position")
    )


def _is_there(rows: QuerySet[Any]) -> Coalesce:
    """Whether a row of the outer query has such rows, asked for each in turn as the index delivers them.

    PostgreSQL turns NOT EXISTS into a join, takes it to leave one row, and then reads and sorts the whole campaign to
    find the first: 130,000 buffers instead of 20 at ten thousand tasks.
    """
    return Coalesce(Subquery(rows.order_by().annotate(there=Value(True)).values("there")[:1]), Value(False))


def _find(cursor: ClaimCursor, clock: datetime) -> tuple[Task | None, int]:
    """The next task, locked, and where the cursor goes: returned tasks first, then on, then once round."""
    tasks = open_tasks(cursor.campaign, cursor.labeler, clock)
    free = tasks.select_for_update(skip_locked=True, of=("self",))
    if task := free.filter(returned=True).first():
        # The cursor stays: it would jump over what lies between.
        return task, cursor.position
    for part in (Q(position__gt=cursor.position), Q(position__lte=cursor.position)):
        if task := free.filter(part).first():
            return task, task.position
    # What is left may be locked by somebody's claim for a moment: wait for it, rather than say that there is nothing.
    while tasks.exists():
        if task := tasks.select_for_update(of=("self",)).first():
            return task, task.position
    return None, cursor.position


def take_slot(task: Task) -> None:
    """Needs the task locked. A returned task stays marked until its last slot is taken: it is to be finished first."""
    left = task.open_slots - 1
    Task.objects.filter(pk=task.pk).update(open_slots=left, returned=task.returned and left > 0)


def give_back_slots(task_id: int, slots: int = 1) -> None:
    """Needs the task locked."""
    Task.objects.filter(pk=task_id).update(open_slots=F("open_slots") + slots, returned=True)


def _take_up(earlier: Assignment, cursor: ClaimCursor, clock: datetime) -> Assignment:
    """The labeler's own earlier assignment under a new lease, draft and order kept."""
    lease = _new_lease(cursor.campaign, clock) | {"skipped_until": None}
    for name, value in lease.items():
        setattr(earlier, name, value)
    earlier.save(update_fields=lease)
    return earlier


def _hand_out(task: Task, cursor: ClaimCursor, clock: datetime) -> Assignment:
    """A new assignment, its responses in an order of its own."""
    order = list(task.shown.values_list("response_id", flat=True))
    random.SystemRandom().shuffle(order)
    lease = _new_lease(cursor.campaign, clock)
    return Assignment.objects.create(
        task=task, campaign=cursor.campaign, labeler_id=cursor.labeler_id, order=order, **lease
    )


def extended_lease(assignment: Assignment, clock: datetime) -> datetime | None:
    """Until when a lease lasts that is used now; never earlier than before, never beyond the ceiling."""
    if assignment.lease_until is None or assignment.opened_at is None:
        return assignment.lease_until
    lease = timedelta(minutes=assignment.campaign.lease_minutes)
    return max(assignment.lease_until, min(clock + lease, assignment.opened_at + LEASE_CEILING * lease))


@dataclass(frozen=True)
class SkipReason:
    """Why a task is not done. for_good: not offered to the same person again, whatever the campaign's policy."""

    name: str
    words: str
    for_good: bool = False


SKIP_REASONS = (
    SkipReason("unclear", "I cannot tell what the prompt asks"),
    SkipReason("subject", "I do not know enough about the subject"),
    SkipReason("language", "I do not read this language well", for_good=True),
    SkipReason("distress", "I would rather not read this (costs nothing)", for_good=True),
    SkipReason("broken", "Something is broken on the page"),
)


def skip(assignment: Assignment, reason: SkipReason, *, lease_token: UUID) -> None:
    """Gives the slot back; the draft is kept. Skipping twice is skipping once. Raises AlreadySubmitted, StaleLease."""
    with transaction.atomic():
        Task.objects.select_for_update().get(pk=assignment.task_id)
        locked = (
            Assignment.objects.select_for_update(of=("self",))
            .select_related("campaign")
            .annotate(clock=Now())
            .get(pk=assignment.pk)
        )
        if locked.state == State.SUBMITTED:
            raise AlreadySubmitted("This task is submitted already; it cannot be skipped any more.")
        if locked.lease_token != lease_token:
            raise StaleLease(STALE)
        if locked.state == State.SKIPPED:
            return
        if locked.state == State.LIVE:
            give_back_slots(locked.task_id)
        again = locked.campaign.skip_policy == Campaign.SkipPolicy.BACK_LATER and not reason.for_good
        Assignment.objects.filter(pk=locked.pk).update(
            state=State.SKIPPED,
            skip_reason=reason.name,
            skipped_until=locked.clock + SKIPPED_FOR if again else None,
            lease_until=None,
        )


def release_expired(*, campaign: Campaign | None = None, but_not_of: Labeler | None = None) -> int:
    """Gives the slots of lapsed leases back, of one campaign or of all; returns how many. Part of every claim, and of a
    sweep. Tasks that somebody has locked just now are left for the next call."""
    lapsed = Assignment.objects.filter(state=State.LIVE, lease_until__lte=Now())
    if campaign is not None:
        lapsed = lapsed.filter(campaign=campaign)
    if but_not_of is not None:
        lapsed = lapsed.exclude(labeler=but_not_of)
    task_ids = list(lapsed.order_by("lease_until").values_list("task_id", flat=True)[:RELEASE_AT_ONCE])
    if not task_ids:
        return 0
    with transaction.atomic():
        locked = Task.objects.filter(pk__in=task_ids).order_by("pk").select_for_update(skip_locked=True)
        found = lapsed.filter(task_id__in=[task.pk for task in locked]).select_for_update(of=("self",))
        released = dict(found.values_list("pk", "task_id"))
        Assignment.objects.filter(pk__in=released).update(state=State.EXPIRED)
        for task_id, slots in Counter(released.values()).items():
            give_back_slots(task_id, slots)
    return len(released)
