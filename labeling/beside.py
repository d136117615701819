"""What is handed out beside the slot queue: gold, and a labeler's own tasks once more, without a mark on either.

Of a hundred tasks that a labeler is handed a campaign's gold_rate are gold and its repeat_rate repeats, each drawn
somewhere in a stretch of its own by the seed of the labeler's cursor: evenly spread, reproducible for whoever can read
the database, and not to be foreseen by anybody else. They take no slot (occurrence is above 0), so they count for no
overlap. Where none fits when one is due, the next task of the queue is handed out instead.
"""

from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from labeling.models import Assignment, Campaign, ClaimCursor, Prompt, Task, TaskResponse, WorkKind

State = Assignment.State

KINDS = (WorkKind.RANKING, WorkKind.RATING)
"""Kinds of work that have gold and repeats: what is written is never the same twice."""
REPEAT_AFTER = 20
"""Tasks of the labeler at least that lie between a task and its repeat; their page of recent work shows fewer."""
LOOKED_AT = 300
"""Candidates that one is drawn among."""


def is_due(campaign: Campaign, cursor: ClaimCursor) -> str:
    """What the next task is by the schedule: "gold", "repeat", or empty for one of the queue (no query)."""
    return due_at(campaign, seed=cursor.seed, number=cursor.handed)


def due_at(campaign: Campaign, *, seed: int, number: int) -> str:
    """What the labeler's task of this number is, counted from 0."""
    rate = campaign.gold_rate + campaign.repeat_rate
    if not rate or campaign.kind not in KINDS:
        return ""
    stretch = number * rate // 100
    first, after = (-(-100 * place // rate) for place in (stretch, stretch + 1))
    if number != first + drawn(seed, f"place {stretch}") % (after - first):
        return ""
    # Of every so many, as many are gold as is its share, from a beginning that is drawn too.
    begin = drawn(seed, "first") % rate
    before, now = ((begin + place * campaign.gold_rate) // rate for place in (stretch, stretch + 1))
    return "gold" if now > before else "repeat"


def drawn(seed: int, what: str) -> int:
    """A number that the seed draws for this, always the same."""
    return int.from_bytes(sha256(f"accord beside {seed} {what}".encode()).digest()[:8], "big")


def next_beside(cursor: ClaimCursor, clock: datetime) -> Assignment | Task | None:
    """What is handed out beside the queue now: an assignment of the labeler's to be taken up again, or a task that they
    are given anew; None where nothing is due or fits. Needs the cursor locked, its campaign and labeler at hand."""
    due = is_due(cursor.campaign, cursor)
    if not due:
        return None
    return _lapsed(cursor, clock) or (_gold(cursor) if due == "gold" else _repeat(cursor, clock))


def _lapsed(cursor: ClaimCursor, clock: datetime) -> Assignment | None:
    """One that they let lapse, or skipped for a while that is over."""
    mine = Assignment.objects.filter(campaign=cursor.campaign, labeler=cursor.labeler, occurrence__gt=0)
    return mine.filter(Q(state=State.EXPIRED) | Q(state=State.SKIPPED, skipped_until__lte=clock)).first()


def gold_tasks(campaign: Campaign) -> QuerySet[Task]:
    return Task.objects.filter(campaign=campaign, aside=Task.Aside.GOLD, gold__retired_at__isnull=True)


def gold_left(cursor: ClaimCursor) -> QuerySet[Task]:
    """Gold that the labeler has not met, did not write the answer or the words of, and does not avoid."""
    labeler = cursor.labeler
    met = Assignment.objects.filter(task=OuterRef("pk"), labeler=labeler)
    own_response = TaskResponse.objects.filter(task=OuterRef("pk"), response__labeler=labeler)
    own_prompt = Prompt.objects.filter(pk=OuterRef("prompt_id"), submission__assignment__labeler=labeler)
    left = gold_tasks(cursor.campaign).filter(~Exists(met), ~Exists(own_response), ~Exists(own_prompt))
    if labeler.user_id is not None:
        left = left.exclude(gold__author=labeler.user_id)
    return not_avoided(left, labeler.avoids)


def not_avoided(tasks: QuerySet[Task], avoids: int) -> QuerySet[Task]:
    """Tasks whose texts hold nothing of what is avoided, kinds of Content as bits."""
    return tasks.alias(avoided=F("content").bitand(avoids)).filter(avoided=0) if avoids else tasks


def _gold(cursor: ClaimCursor) -> Task | None:
    found = list(gold_left(cursor).order_by("pk").values_list("pk", flat=True)[:LOOKED_AT])
    return _one_of(found, cursor)


def _one_of(tasks: list[int], cursor: ClaimCursor) -> Task | None:
    return Task.objects.get(pk=tasks[drawn(cursor.seed, f"which {cursor.handed}") % len(tasks)]) if tasks else None


def _repeat(cursor: ClaimCursor, clock: datetime) -> Task | None:
    """A task that the labeler submitted long enough ago, and whose time to be corrected is over."""
    mine = Assignment.objects.filter(campaign=cursor.campaign, labeler=cursor.labeler)
    recent = list(mine.order_by("-pk").values_list("pk", flat=True)[:REPEAT_AFTER])
    if len(recent) < REPEAT_AFTER:
        return None
    again = Assignment.objects.filter(task=OuterRef("task_id"), labeler=cursor.labeler, occurrence__gt=0)
    window = timedelta(minutes=cursor.campaign.correction_minutes)
    originals = mine.filter(
        ~Exists(again),
        pk__lt=min(recent),
        occurrence=0,
        state=State.SUBMITTED,
        current_submission__submitted_at__lte=clock - window,
        task__aside="",
    )
    found = list(originals.order_by("-pk").values_list("task_id", flat=True)[:LOOKED_AT])
    return _one_of(found, cursor)


def with_beside(left: int, cursor: ClaimCursor | None, campaign: Campaign, *, up_to: int) -> int:
    """How many tasks are left for the labeler where the queue has so many: with what comes beside them on the way.

    Each task that is handed out takes one off, whichever kind it is, so the count tells nobody which it was. Repeats
    are counted as they are due, gold as far as there is some (one query where the campaign has gold).
    """
    if not left or cursor is None or not (campaign.gold_rate or campaign.repeat_rate) or campaign.kind not in KINDS:
        return left
    gold = gold_left(cursor).count() if campaign.gold_rate else 0
    number, found = cursor.handed, 0
    while left and found < up_to:
        due = due_at(campaign, seed=cursor.seed, number=number)
        if due == "gold" and gold:
            gold -= 1
        elif due != "repeat" or number < REPEAT_AFTER:
            left -= 1
        number += 1
        found += 1
    return found
