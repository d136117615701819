"""Who gets which task next: claim and lease. What is given back is in releasing.py, what is skipped in skipping.py.

One code serves PostgreSQL and SQLite. On PostgreSQL rows are locked; on SQLite select_for_update does nothing and the
IMMEDIATE transaction serialises instead. Locks are taken in one order: cursor, membership, tasks by id, assignment.
Leases are compared with the database's clock, never with this machine's.
"""

import random
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from labeling.access import LABELS, READS_DATA, RESEARCHES
from labeling.beside import next_beside, not_avoided
from labeling.circumstances import Circumstances, circumstances_of
from labeling.errors import (
    CampaignNotOpen,
    GuidelineUnread,
    KeptOut,
    TooManyInHand,
)
from labeling.models import (
    Assignment,
    Campaign,
    ClaimCursor,
    CohortMember,
    Labeler,
    Membership,
    Prompt,
    Review,
    Submission,
    Task,
    TaskResponse,
    WorkKind,
)
from labeling.prepared import Prepared, as_time
from labeling.quotas import has_enough_of, make_task
from labeling.releasing import release_expired
from labeling.row_writing import Write, changed, insert, write
from labeling.screening import decide_what_is_due, hindrance_to
from labeling.tallies import count_claim

NOTHING_FOR = timedelta(seconds=30)
"""How long a claim remembers that there was nothing, but for what comes back; without it every claim costs the search
once round."""
KEPT_APART = 4
"""Tasks at least, wherever there are so many, before a rater meets another response to the same prompt."""
LEASE_CEILING = 4
"""Saving keeps a lease alive, but never beyond this many times the campaign's lease since the task was handed out."""
MOST_IN_HAND = 5
"""Live leases of one person in all campaigns of a project."""
NO_POSITION = 2**62
"""Behind every task."""

PSEUDONYM_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"

SEE_GENERATORS = RESEARCHES | READS_DATA
"""Roles that are shown which model wrote what, on pages or in the data they may pull."""

KEPT_OUT = gettext_lazy("Your role shows you which model wrote what; judging models blind is left to others.")
NO_MEMBER = gettext_lazy("You do not belong to this project any more, so it hands you no work.")
NOT_IN_COHORT = gettext_lazy(
    "This work is for a group of labelers that you are not in. An owner of the project can put you in."
)

NOT_OPEN = {
    Campaign.State.DRAFT: gettext_lazy("%(campaign)s is not open yet; it hands out no tasks now."),
    Campaign.State.PAUSED: gettext_lazy("%(campaign)s is paused; it hands out no tasks now."),
    Campaign.State.CLOSED: gettext_lazy("%(campaign)s is closed; it hands out no tasks any more."),
}
UNREAD = gettext_lazy("The guideline of this work has changed. Read what is new, then go on.")
TOO_MANY = gettext_lazy(
    "You have %(many)s tasks in hand, in several campaigns. Submit or skip one of them before you take another."
)

STALE = gettext_lazy(
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
    """Whoever is shown which model wrote what does not judge models, unless nothing depends on it: in a rehearsal."""
    return (
        (campaign.blind or campaign.kind == WorkKind.RATING)
        and labeler.membership is not None
        and labeler.membership.role in SEE_GENERATORS
        and not campaign.project.simulated
    )


def kept_out_of() -> Q:
    """Assignments of which is_kept_out holds, for a labeler whose role is shown the models."""
    blind = Q(campaign__blind=True) | Q(campaign__kind=WorkKind.RATING)
    return blind & Q(campaign__project__simulated=False)


def is_in_cohort(campaign: Campaign, labeler: Labeler) -> bool:
    """Whether the campaign is for everybody, or for a cohort that the labeler is in now (at most one query)."""
    if campaign.cohort_id is None:
        return True
    return CohortMember.objects.filter(cohort=campaign.cohort_id, labeler=labeler, until__isnull=True).exists()


def claim(campaign: Campaign, labeler: Labeler) -> Assignment | None:
    """The labeler's task in this campaign: the one they hold, or the next one under a new lease; None if there is none.

    Raises CampaignNotOpen where the campaign hands out no work, KeptOut where it hands none to this person,
    GuidelineUnread where they are to read its guideline first, TooManyInHand where they hold enough. All of it is
    looked at under locks: who closes the campaign and takes back what is in hand, or ends the membership, waits for
    this claim, or this claim finds out.
    """
    if is_kept_out(campaign, labeler):
        raise KeptOut(str(KEPT_OUT))
    decide_what_is_due(campaign, labeler)
    released = False
    while True:
        with transaction.atomic():
            cursor, clock, lapsed = _lock_cursor(campaign, labeler)
            if cursor is not None and (released or not lapsed):
                handed_out = _claim_at(cursor, clock)
                count_claim(campaign.kind, handed_out is not None)
                return handed_out
        # Each in a transaction of its own: a claim that waits for a task must hold no other, and whoever waits for the
        # claims under way sees a new cursor only so.
        if cursor is None:
            ClaimCursor.objects.bulk_create([ClaimCursor(campaign=campaign, labeler=labeler)], ignore_conflicts=True)
        else:
            release_expired(campaign=campaign, but_not_of=labeler)
            released = True


def _claim_at(cursor: ClaimCursor, clock: datetime) -> Assignment | None:
    """Needs the cursor locked."""
    labeler = cursor.labeler
    _lock_membership(labeler)
    # Read after the lock: what is joined to a row that was waited for is as it was before the wait.
    now = circumstances_of(cursor.campaign, labeler)
    campaign = cursor.campaign = now.campaign
    if campaign.state != Campaign.State.OPEN:
        raise CampaignNotOpen(str(NOT_OPEN[Campaign.State(campaign.state)]) % {"campaign": campaign.name})
    if is_kept_out(campaign, labeler):
        raise KeptOut(str(KEPT_OUT))
    held = _held(now, clock)
    if held is not None:
        return held
    if not now.in_cohort:
        raise KeptOut(str(NOT_IN_COHORT))
    if hindrance := hindrance_to(campaign, labeler):
        raise KeptOut(hindrance)
    if labeler.source == Labeler.Source.MEMBER:
        if now.must_read:
            raise GuidelineUnread(str(UNREAD), campaign.guideline_id)
        if now.in_hand >= MOST_IN_HAND:
            raise TooManyInHand(TOO_MANY % {"many": MOST_IN_HAND})
    if beside := next_beside(cursor, clock):
        return _hand_out_beside(beside, cursor, clock)
    if campaign.kind == WorkKind.PROMPT and has_enough_of(campaign, labeler):
        return None
    # Looked for, not remembered: whoever gives a slot back holds the task, and to change the cursors then would wait
    # the wrong way round for a claim.
    none_since = campaign.kind != WorkKind.PROMPT and cursor.nothing_until and cursor.nothing_until > clock
    if none_since and not (now.came_back and open_tasks(campaign, labeler, clock).filter(returned=True).exists()):
        return None
    return _claim_next(cursor, now, clock)


def _claim_next(cursor: ClaimCursor, now: Circumstances, clock: datetime) -> Assignment | None:
    while True:
        task, position = _find(cursor, now, clock)
        if task is None and cursor.campaign.kind == WorkKind.PROMPT:
            task = make_task(cursor.campaign)
        if task is None:
            ClaimCursor.objects.filter(pk=cursor.pk).update(nothing_until=clock + NOTHING_FOR)
            return None
        # Nobody but its labeler makes one, and their claims wait for each other: what was not there is not there now.
        earlier = None
        if getattr(task, "earlier", True) is not None:
            earlier = Assignment.objects.filter(task=task, labeler=cursor.labeler_id, occurrence=0).first()
        if earlier is not None and earlier.state not in TAKEN_UP_AGAIN:
            # It was submitted from another tab between the look and the lock: the next look does not show it.
            continue
        if earlier is not None:
            write(slot_taken(task), _cursor_moved(cursor, position, handed=0))
            return _take_up(earlier, cursor, clock)
        return _hand_out(task, cursor, clock, slot_taken(task), _cursor_moved(cursor, position, handed=1))


def _cursor_moved(cursor: ClaimCursor, position: int, *, handed: int) -> Write:
    return changed(ClaimCursor, cursor.pk, position=position, nothing_until=None, handed=cursor.handed + handed)


def _hand_out_beside(beside: Assignment | Task, cursor: ClaimCursor, clock: datetime) -> Assignment:
    """Takes no slot, so it needs no lock of the task; the cursor stays where it is in the queue."""
    moved = _cursor_moved(cursor, cursor.position, handed=1)
    if isinstance(beside, Assignment):
        write(moved)
        return _take_up(beside, cursor, clock)
    return _hand_out(beside, cursor, clock, moved, occurrence=1)


def _lock_cursor(campaign: Campaign, labeler: Labeler) -> tuple[ClaimCursor | None, datetime, bool]:
    """The labeler's cursor, locked, the database's time, and whether others' leases in the campaign ran out; no cursor
    before their first claim. Of two claims at once the second waits here."""
    cursor = _CURSOR.first([campaign.pk, labeler.pk])
    if cursor is None:
        return None, timezone.now(), False
    cursor.campaign, cursor.labeler = campaign, labeler
    told = vars(cursor)
    return cursor, as_time(told["clock"]), bool(told["lapsed"])


def _cursor_asked(campaign: int, labeler: int) -> QuerySet[ClaimCursor]:
    lapsed = Assignment.objects.filter(campaign=campaign, state=State.LIVE, lease_until__lte=Now())
    return (
        ClaimCursor.objects.filter(campaign=campaign, labeler=labeler)
        .select_for_update()
        .annotate(clock=Now(), lapsed=Exists(lapsed.exclude(labeler=labeler)))
    )


_CURSOR = Prepared(_cursor_asked, int, int, by_value=True)


def _lock_membership(labeler: Labeler) -> None:
    """Who leaves, or gets another role, waits for this claim. Of whoever is no member, imported or simulated, there is
    nothing to lock. Raises KeptOut where the membership or its role is gone."""
    if labeler.source != Labeler.Source.MEMBER:
        return
    if labeler.membership_id is None:
        raise KeptOut(str(NO_MEMBER))
    membership = _MEMBERSHIP.first([labeler.membership_id])
    if membership is None:
        raise KeptOut(str(NO_MEMBER))
    if membership.role not in LABELS:
        role = membership.get_role_display()
        raise KeptOut(gettext("Your role here is %(role)s now; it is handed no work.") % {"role": role})
    labeler.membership = membership


def _membership_asked(membership: int) -> QuerySet[Membership]:
    # no_key: what is written elsewhere at this moment may refer to it.
    return Membership.objects.select_for_update(no_key=True).filter(pk=membership)


_MEMBERSHIP = Prepared(_membership_asked, int)


def _held(now: Circumstances, clock: datetime) -> Assignment | None:
    """The live lease, as it is; or one that ran out and whose slot nobody has taken back, begun anew."""
    if now.held is None:
        return None
    held = Assignment.objects.filter(pk=now.held, state=State.LIVE).first()
    if held is None or (held.lease_until and held.lease_until > clock):
        return held
    begun = Assignment.objects.filter(pk=held.pk, state=State.LIVE).update(**_new_lease(now.campaign, clock))
    if not begun:  # A sweep released it between the two statements.
        return None
    held.refresh_from_db()
    return held


def _new_lease(campaign: Campaign, clock: datetime) -> dict[str, object]:
    lease = timedelta(minutes=campaign.lease_minutes)
    return {"state": State.LIVE, "lease_token": uuid4(), "lease_until": clock + lease, "opened_at": clock}


def tasks_handed_out(campaign: Campaign) -> QuerySet[Task]:
    """The campaign's tasks; while it is a pilot, the first ones by position only."""
    tasks = Task.objects.filter(campaign=campaign)
    if campaign.pilot_tasks is None:
        return tasks
    beyond = tasks.order_by("position").values("position")[campaign.pilot_tasks : campaign.pilot_tasks + 1]
    return tasks.filter(position__lt=Coalesce(Subquery(beyond), Value(NO_POSITION)))


def open_tasks(campaign: Campaign, labeler: Labeler, clock: datetime) -> QuerySet[Task]:
    """Tasks that this labeler could be handed: a slot is free, the words are not their own, they reviewed neither these
    nor an answer to the task, their texts hold nothing that the labeler avoids, and they neither hold it, submitted
    it, nor skipped it for good (or for a while that is not over). Asks beforehand whether they review at all (one
    query)."""
    # Hardly anybody who labels reviews: the others' claims need not look.
    reviews = labeler.user_id is not None and Review.objects.filter(reviewer=labeler.user_id).exists()
    return _open_tasks(tasks_handed_out(campaign), labeler, clock, reviews=reviews)


def _open_tasks(tasks: QuerySet[Task], labeler: Labeler, clock: datetime | Now, *, reviews: bool) -> QuerySet[Task]:
    taken_before = (
        Assignment.objects.filter(task=OuterRef("pk"), labeler=labeler)
        .exclude(state=State.EXPIRED)
        .exclude(state=State.SKIPPED, skipped_until__lte=clock)
    )
    own_response = TaskResponse.objects.filter(task=OuterRef("pk"), response__labeler=labeler)
    own_prompt = Prompt.objects.filter(pk=OuterRef("prompt_id"), submission__assignment__labeler=labeler)
    found = (
        not_avoided(tasks, labeler.avoids)
        .alias(
            taken_before=_is_there(taken_before), own_response=_is_there(own_response), own_prompt=_is_there(own_prompt)
        )
        .filter(open_slots__gt=0, taken_before=False, own_response=False, own_prompt=False)
        .order_by("position")
    )
    assert labeler.user_id is not None or not reviews
    return _without_what_they_reviewed(found, labeler.user_id) if reviews and labeler.user_id else found


def _without_what_they_reviewed(tasks: QuerySet[Task], reviewer_id: int) -> QuerySet[Task]:
    """Of whichever version: who reviewed the first words knows what was asked for in the second."""
    reviewed = Submission.objects.filter(reviews__reviewer=reviewer_id).values("assignment")
    response = TaskResponse.objects.filter(task=OuterRef("pk"), response__submission__assignment__in=reviewed)
    prompt = Prompt.objects.filter(pk=OuterRef("prompt_id"), submission__assignment__in=reviewed)
    answer = Assignment.objects.filter(task=OuterRef("pk"), pk__in=reviewed)
    return tasks.alias(
        reviewed_response=_is_there(response), reviewed_prompt=_is_there(prompt), reviewed_answer=_is_there(answer)
    ).filter(reviewed_response=False, reviewed_prompt=False, reviewed_answer=False)


def _is_there(rows: QuerySet[Any]) -> Coalesce:
    """Whether a row of the outer query has such rows, asked for each in turn as the index delivers them.

    PostgreSQL turns NOT EXISTS into a join, takes it to leave one row, and then reads and sorts the whole campaign to
    find the first: 130,000 buffers instead of 20 at ten thousand tasks.
    """
    return Coalesce(Subquery(rows.order_by().annotate(there=Value(True)).values("there")[:1]), Value(False))


def _find(cursor: ClaimCursor, now: Circumstances, clock: datetime) -> tuple[Task | None, int]:
    """The next task, locked, and where the cursor goes: returned tasks first, then on, then once round."""
    if not _keeps_apart(cursor.campaign) and cursor.campaign.pilot_tasks is None:
        labeler = cursor.labeler
        values = [cursor.campaign_id, labeler.pk, labeler.user_id or 0, labeler.avoids, cursor.position]
        for part in (RETURNED, AHEAD, BEHIND) if now.came_back else (AHEAD, BEHIND):
            if task := _FREE.first(values, part, bool(labeler.avoids), now.reviews):
                # Past a returned one the cursor would jump over what lies between.
                return task, cursor.position if part == RETURNED else task.position
    tasks = _open_tasks(tasks_handed_out(cursor.campaign), cursor.labeler, clock, reviews=now.reviews)
    for wanted in (tasks.exclude(prompt__in=_just_met(cursor)), tasks) if _keeps_apart(cursor.campaign) else (tasks,):
        free = wanted.select_for_update(skip_locked=True, of=("self",))
        if task := free.filter(returned=True).first():
            return task, cursor.position
        for side in (Q(position__gt=cursor.position), Q(position__lte=cursor.position)):
            if task := free.filter(side).first():
                return task, task.position
    # What is left may be locked by somebody's claim for a moment: wait for it, rather than say that there is nothing.
    while tasks.exists():
        if task := tasks.select_for_update(of=("self",)).first():
            return task, task.position
    return None, cursor.position


RETURNED, AHEAD, BEHIND = "returned", "ahead", "behind"


def _free_tasks(
    campaign: int, labeler: int, user: int, avoids: int, position: int, part: str, avoiding: bool, reviews: bool
) -> QuerySet[Task]:
    """The first free task of a part of the campaign, with the id of the labeler's own earlier assignment, if any."""
    who = Labeler(pk=labeler, user_id=user, avoids=avoids if avoiding else 0)
    parts = {RETURNED: Q(returned=True), AHEAD: Q(position__gt=position), BEHIND: Q(position__lte=position)}
    earlier = Assignment.objects.filter(task=OuterRef("pk"), labeler=labeler, occurrence=0).values("pk")
    found = _open_tasks(Task.objects.filter(campaign=campaign), who, Now(), reviews=reviews).filter(parts[part])
    with_prompt = found.annotate(earlier=Subquery(earlier[:1])).select_related("prompt")
    return with_prompt.select_for_update(skip_locked=True, of=("self",))[:1]


_FREE = Prepared(_free_tasks, int, int, int, int, int, by_value=True)


def _keeps_apart(campaign: Campaign) -> bool:
    return campaign.kind == WorkKind.RATING


def _just_met(cursor: ClaimCursor) -> list[int]:
    """Prompts of the labeler's last tasks: another response to one of them would be judged beside the first."""
    last = Assignment.objects.filter(campaign=cursor.campaign, labeler=cursor.labeler).order_by("-pk")
    return [pk for pk in last.values_list("task__prompt_id", flat=True)[:KEPT_APART] if pk is not None]


def take_slot(task: Task) -> None:
    """Needs the task locked."""
    write(slot_taken(task))


def slot_taken(task: Task) -> Write:
    """What is to be written where a slot is taken; the instance has it already. A returned task stays marked until its
    last slot is taken: it is to be finished first."""
    task.open_slots -= 1
    task.returned = task.returned and task.open_slots > 0
    return changed(Task, task.pk, open_slots=task.open_slots, returned=task.returned)


def _take_up(earlier: Assignment, cursor: ClaimCursor, clock: datetime) -> Assignment:
    """The labeler's own earlier assignment under a new lease, draft and order kept."""
    lease = _new_lease(cursor.campaign, clock) | {"skipped_until": None}
    for name, value in lease.items():
        setattr(earlier, name, value)
    earlier.save(update_fields=lease)
    return earlier


def _hand_out(
    task: Task, cursor: ClaimCursor, clock: datetime, *written_with_it: Write, occurrence: int = 0
) -> Assignment:
    """A new assignment under the guideline in force, its responses in an order of its own."""
    texts = dict(_SHOWN.rows([task.pk]))
    order = list(texts)
    random.SystemRandom().shuffle(order)
    lease = _new_lease(cursor.campaign, clock)
    handed = Assignment(
        task=task,
        campaign=cursor.campaign,
        labeler_id=cursor.labeler_id,
        occurrence=occurrence,
        guideline_id=cursor.campaign.guideline_id,
        order=order,
        **lease,
    )
    insert(handed, *written_with_it)
    handed.texts = texts
    return handed


def _shown_asked(task: int) -> QuerySet[TaskResponse, tuple[int, str]]:
    return TaskResponse.objects.filter(task=task).values_list("response_id", "response__text")


_SHOWN = Prepared(_shown_asked, int)


def extended_lease(assignment: Assignment, clock: datetime) -> datetime | None:
    """Until when a lease lasts that is used now; never earlier than before, never beyond the ceiling."""
    if assignment.lease_until is None or assignment.opened_at is None:
        return assignment.lease_until
    lease = timedelta(minutes=assignment.campaign.lease_minutes)
    return max(assignment.lease_until, min(clock + lease, assignment.opened_at + LEASE_CEILING * lease))
