"""Tasks leave the slot queue and come back: as gold, or withdrawn until somebody has looked at them.

A task that is aside keeps what it has, submitted or in hand, as its overlap, and has no open slot; what is let go of
makes the overlap smaller (releasing.give_back_slots). Back in the queue it is wanted by as many as its campaign asks.
"""

from django.db import transaction
from django.db.models import F

from labeling.models import Campaign, ClaimCursor, Task


def set_aside(task: Task, why: Task.Aside) -> None:
    """Needs the task locked."""
    taken = task.overlap - task.open_slots
    Task.objects.filter(pk=task.pk).update(aside=why, overlap=taken, open_slots=0, returned=False)


def put_back(task: Task) -> None:
    """Into the queue again, before new tasks; a task that is in it stays as it is."""
    with transaction.atomic():
        # Cursors before tasks, as everywhere: whoever found nothing looks again.
        ClaimCursor.objects.filter(campaign=task.campaign_id).update(nothing_until=None)
        locked = Task.objects.select_for_update().get(pk=task.pk)
        if not locked.aside:
            return
        wanted = max(locked.overlap, Campaign.objects.get(pk=locked.campaign_id).overlap + locked.room)
        Task.objects.filter(pk=locked.pk).update(
            aside="", overlap=wanted, open_slots=wanted - F("overlap"), returned=wanted > locked.overlap
        )
