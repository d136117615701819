"""How many prompts are still to be written, and by whom. A prompt-writing campaign makes each task as it is claimed.

A task is a place within the quota: it is done once, and one that comes back is handed out before another is made. So
what is held and what counts are never more than the quota.
"""

from django.db.models import Max, Q

from labeling.models import Assignment, Campaign, Labeler, Task

State = Assignment.State


def has_enough_of(campaign: Campaign, labeler: Labeler) -> bool:
    """Whether this labeler may write no more of them (one query). Needs their cursor locked to stay true."""
    return campaign.per_labeler is not None and written_by(campaign, labeler) >= campaign.per_labeler


def written_by(campaign: Campaign, labeler: Labeler) -> int:
    """What the labeler holds in the campaign, and what they wrote that counts (one query)."""
    taken = Q(state=State.LIVE) | Q(state=State.SUBMITTED, current_submission__counted=True)
    return Assignment.objects.filter(taken, campaign=campaign, labeler=labeler, occurrence=0).count()


def places_left(campaign: Campaign) -> int | None:
    """Tasks that can still be made (one query); None where there is no quota."""
    if campaign.quota is None:
        return None
    return max(0, campaign.quota - Task.objects.filter(campaign=campaign).count())


def make_task(campaign: Campaign) -> Task | None:
    """The campaign's next task, with its slot free; None where the quota is used up. Needs a transaction.

    The campaign's row is locked, so that two claims at once do not both take the last place.
    """
    locked = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if places_left(locked) == 0:
        return None
    last = Task.objects.filter(campaign=locked).aggregate(last=Max("position"))["last"]
    return Task.objects.create(campaign=locked, overlap=1, open_slots=1, position=0 if last is None else last + 1)


def left_to_write(campaign: Campaign, labeler: Labeler, *, came_back: int, up_to: int) -> int:
    """Prompts that this labeler could still write besides the one in hand (two queries at most), counted up to a
    number. came_back: tasks that are free for them."""
    places = places_left(campaign)
    left = up_to if places is None else min(up_to, places + came_back)
    if campaign.per_labeler is None:
        return left
    return max(0, min(left, campaign.per_labeler - written_by(campaign, labeler)))
