"""Slots that are given back: leases that ran out, and whatever is taken back from those who hold it.

Locks are taken in the order of assigning.py: tasks by id, then assignments.
"""

from collections import Counter

from django.db import transaction
from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Now

from labeling.models import Assignment, Campaign, ClaimCursor, Labeler, Task

State = Assignment.State

RELEASE_AT_ONCE = 100
"""Lapsed leases that one call releases at most."""
NUMBER = IntegerField()


def release_expired(*, campaign: Campaign | None = None, but_not_of: Labeler | None = None) -> int:
    """Gives the slots of lapsed leases back, of one campaign or of all; returns how many. Part of every claim, and of a
    sweep. Tasks that somebody has locked just now are left for the next call."""
    lapsed = Assignment.objects.filter(state=State.LIVE, lease_until__lte=Now())
    if campaign is not None:
        lapsed = lapsed.filter(campaign=campaign)
    if but_not_of is not None:
        lapsed = lapsed.exclude(labeler=but_not_of)
    return _release(lapsed.order_by("lease_until"), skip_locked=True)


def release_held(campaign: Campaign) -> int:
    """Takes back whatever is in hand of a campaign, whose draft is kept; returns how much it was. Needs the campaign
    to be seen by others as one that hands out nothing: claims that are under way are waited for, later ones refused."""
    with transaction.atomic():
        # A claim has its cursor locked from before it looks at the state until its task is handed out.
        list(ClaimCursor.objects.filter(campaign=campaign).order_by("pk").select_for_update().values_list("pk"))
    return release_all(Assignment.objects.filter(campaign=campaign, state=State.LIVE))


def release_all(held: QuerySet[Assignment]) -> int:
    """Takes back all of these live leases, waiting for whoever has a task locked just now; returns how many."""
    released = 0
    while held.exists():
        # By task: where the caller's transaction holds those of one portion while it waits for the next.
        released += _release(held.order_by("task_id"), skip_locked=False)
    return released


def _release(held: QuerySet[Assignment], *, skip_locked: bool) -> int:
    """Makes the first RELEASE_AT_ONCE of these live leases expired at most, and gives their slots back."""
    task_ids = list(held.values_list("task_id", flat=True)[:RELEASE_AT_ONCE])
    if not task_ids:
        return 0
    with transaction.atomic():
        locked = Task.objects.filter(pk__in=task_ids).order_by("pk").select_for_update(skip_locked=skip_locked)
        found = held.filter(task_id__in=[task.pk for task in locked]).select_for_update(of=("self",))
        released = {
            pk: (task_id, not beside) for pk, task_id, beside in found.values_list("pk", "task_id", "occurrence")
        }
        Assignment.objects.filter(pk__in=released).update(state=State.EXPIRED)
        for task_id, slots in Counter(task_id for task_id, took_slot in released.values() if took_slot).items():
            give_back_slots(task_id, slots)
    return len(released)


def give_back_slots(task_id: int, slots: int = 1) -> None:
    """Needs the task locked. A task that is aside wants nobody in their place: it has so many fewer."""
    queue = Q(aside="")
    Task.objects.filter(pk=task_id).update(
        open_slots=Case(When(queue, then=F("open_slots") + slots), default=F("open_slots"), output_field=NUMBER),
        overlap=Case(When(queue, then=F("overlap")), default=F("overlap") - slots, output_field=NUMBER),
        returned=Case(When(queue, then=Value(True)), default=Value(False)),
    )
