"""Adaptive overlap: a task is given to one more labeler where those who judged it disagree.

The extra judgment is data like any other and is in no figure of agreement: it was asked for because two disagreed.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from django.db import transaction
from django.db.models import F

from labeling.agreement.rankings import order
from labeling.errors import WrongState
from labeling.models import Assignment, Campaign, Judgment, Task, WorkKind

FAR_APART = 2
"""Two overall ratings that differ by so much disagree."""
AT_LEAST = 0.5
"""Of the pairs of responses that two rankings order alike, a tie agreeing with a tie alone; below it they disagree."""
LOOKED_AT_ONCE = 500

Ranks = dict[int, int | None]


def ask_another(task_id: int, campaign: Campaign) -> bool:
    """One more slot for the task, if it is complete, its labelers disagree, and the campaign has extra ones left for
    it. Needs the task locked. Answers whether it was given one (three queries at most)."""
    if not campaign.extra or campaign.state == Campaign.State.CLOSED:
        return False
    task = Task.objects.get(pk=task_id)
    if task.open_slots or task.room >= campaign.extra or task.aside:
        return False
    if task.assignments.filter(state=Assignment.State.LIVE, occurrence=0).exists() or not disagree(task):
        return False
    Task.objects.filter(pk=task.pk).update(
        room=F("room") + 1, overlap=F("overlap") + 1, open_slots=F("open_slots") + 1, returned=True
    )
    return True


def ask_again_in(campaign: Campaign) -> int:
    """The same for every task of a campaign, as its settings are now. Answers how many were given a slot.

    Raises WrongState where the campaign is closed, imported, or has no extra labelers to give.
    """
    if campaign.imported or campaign.state == Campaign.State.CLOSED:
        raise WrongState(f"{campaign.name} hands out nothing any more; nobody can be asked again.")
    if not campaign.extra:
        raise WrongState(
            f"{campaign.name} has no labelers beyond its overlap. Allow one or more in its settings first."
        )
    asked, last = 0, 0
    while ids := _complete(campaign, last):
        last = ids[-1]
        for pk in ids:
            with transaction.atomic():
                Task.objects.select_for_update().get(pk=pk)
                asked += ask_another(pk, campaign)
    return asked


def _complete(campaign: Campaign, after: int) -> list[int]:
    found = Task.objects.filter(campaign=campaign, open_slots=0, room__lt=campaign.extra, aside="", pk__gt=after)
    return list(found.order_by("pk").values_list("pk", flat=True)[:LOOKED_AT_ONCE])


def disagree(task: Task) -> bool:
    """Whether the labelers whose judgments count disagree, on the average of every two (one query)."""
    said: dict[int, dict[int, Judgment]] = {}
    counted = Judgment.objects.filter(
        submission__assignment__task=task, submission__assignment__occurrence=0, submission__counted=True,
        submission__withdrawn_at__isnull=True, submission__assignment__current_submission=F("submission"),
    )  # fmt: skip
    for judgment in counted.order_by("submission_id", "response_id"):
        said.setdefault(judgment.submission_id, {})[judgment.response_id] = judgment
    if task.campaign.kind == WorkKind.RANKING:
        ranks: list[Ranks] = [{pk: one.rank for pk, one in of.items()} for of in said.values()]
        shares = [share for one, other in combinations(ranks, 2) if (share := _alike(one, other)) is not None]
        return bool(shares) and sum(shares) / len(shares) < AT_LEAST
    ratings = [one.ratings.get("overall") for of in said.values() for one in of.values()]
    return far_apart([rating for rating in ratings if rating is not None])


def far_apart(ratings: Sequence[int]) -> bool:
    return bool(ratings) and max(ratings) - min(ratings) >= FAR_APART


def _alike(one: Ranks, other: Ranks) -> float | None:
    """The share of pairs that two rankings order alike, None where they share no pair."""
    found = [same for same in _pairs(one, other) if same is not None]
    return sum(found) / len(found) if found else None


def _pairs(one: Ranks, other: Ranks) -> Iterable[bool | None]:
    for first, second in combinations(sorted(set(one) & set(other)), 2):
        ours, theirs = order(one[first], one[second]), order(other[first], other[second])
        yield None if ours is None or theirs is None else ours == theirs
