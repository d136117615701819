"""Tasks and campaigns that are done are noticed and announced, once each.

Of a campaign the last submission cannot tell: of two that come in at once each sees the other's task as still open. So
it is looked at after the commit, and by the sweep; the note on the campaign's row decides who announces it.
"""

from django.db import transaction
from django.db.models import Count, Exists, QuerySet
from django.db.models.functions import Now

from labeling.models import Assignment, Campaign, Submission, Task, WorkKind
from labeling.prepared import Prepared
from labeling.quotas import places_left
from labeling.webhooks import announce

State = Assignment.State


def note_task(task: Task, submission: Submission) -> None:
    """After a submission that counts, in its transaction and with the task locked: announces the task where this was
    the last one it waited for."""
    campaign = submission.assignment.campaign
    if submission.number != 1 or submission.assignment.occurrence:  # Gold and repeats are no part of the overlap.
        return
    if task.open_slots:  # While somebody is still to be handed it, it waits for them.
        return
    counted = _COUNTED.value([task.pk]) or 0
    if counted != task.overlap:
        return
    announce(
        campaign.project_id,
        "task.completed",
        {"task": task.pk, "campaign": campaign.pk, "kind": campaign.kind, "submissions": counted},
    )
    transaction.on_commit(lambda: complete(campaign.pk), robust=True)


def _counted_asked(task: int) -> QuerySet[Assignment, tuple[int]]:
    counted = Assignment.objects.filter(task=task, occurrence=0, current_submission__counted=True).order_by()
    return counted.values("task").annotate(many=Count("pk")).values_list("many")


_COUNTED = Prepared(_counted_asked, int)


def complete(campaign_id: int) -> bool:
    """Notes and announces the campaign where all its work is done; whether it did (one to six queries)."""
    # Nearly every task that is done leaves others open; then this one query is all.
    campaign = next(iter(_UNNOTED.rows([campaign_id])), None)
    if campaign is None or not is_done(campaign):
        return False
    with transaction.atomic():
        if not _unnoted().filter(pk=campaign.pk).update(completed_at=Now()):
            return False
        done = Assignment.objects.filter(campaign=campaign, occurrence=0, current_submission__counted=True).count()
        announce(
            campaign.project_id,
            "campaign.completed",
            {"campaign": campaign.pk, "name": campaign.name, "kind": campaign.kind, "submissions": done},
        )
    return True


def _unnoted() -> QuerySet[Campaign]:
    at_work = (Campaign.State.OPEN, Campaign.State.PAUSED)
    return Campaign.objects.filter(completed_at=None, imported=False, state__in=at_work)


def _without_open_tasks(campaign: int) -> QuerySet[Campaign]:
    return _unnoted().filter(~Exists(Task.objects.filter(campaign=campaign, open_slots__gt=0)), pk=campaign)


_UNNOTED = Prepared(_without_open_tasks, int)


def is_done(campaign: Campaign) -> bool:
    """Every task has what it asks for; no slot is free, none in anybody's hands, no prompt still to be written."""
    tasks = Task.objects.filter(campaign=campaign)
    if tasks.filter(open_slots__gt=0).exists() or not tasks.exists():
        return False
    if Assignment.objects.filter(campaign=campaign, state=State.LIVE).exists():
        return False
    return campaign.kind != WorkKind.PROMPT or places_left(campaign) == 0


def complete_all() -> int:
    """Part of the sweep: what a process that died after a submission left unsaid."""
    return sum(complete(pk) for pk in _unnoted().values_list("pk", flat=True))


def is_wanted_again(campaign_id: int) -> None:
    """Tasks came in, or a higher overlap: when all is done anew, it is announced anew."""
    Campaign.objects.filter(pk=campaign_id, completed_at__isnull=False).update(completed_at=None)
