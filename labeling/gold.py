"""Gold answers: written from a task by whoever reviews, in letters and without knowing which model wrote what.

What is said may be little: that A stands above D, that B is no more than a 3. What is left open is not known, and no
labeler is measured by it. With its answer the task leaves the slot queue and is handed out beside it (beside.py).
"""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from labeling.beside import KINDS, gold_tasks
from labeling.checking import LETTERS, NOTE_LIMIT, scales_of, unstorable
from labeling.errors import InvalidWork, NotReviewable, Problem
from labeling.models import Assignment, Campaign, GoldAnswer, Guideline, Project, Task, User
from labeling.reports.beside import against_ratings, leading_scale
from labeling.setting_aside import put_back, set_aside

CHAIN = re.compile(r"[A-I](\s*>\s*[A-I])+\Z")
EXAMPLE = "A > D, B > C"


@dataclass(frozen=True)
class Gold:
    """order: "A > D, B > C", by the letters of the task's responses in their order of storage. ratings: letter, scale
    and number; flags: letter, name and answer."""

    order: str = ""
    ratings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    flags: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    why: str = ""


def responses_of(task: Task) -> list[int]:
    """Ids of its responses in their order of storage: A, B, … of its gold answer."""
    return list(task.shown.order_by("place").values_list("response_id", flat=True))


def write_gold(task: Task, author: User, gold: Gold) -> GoldAnswer:
    """Makes the task gold, or changes what its answer says. Raises NotReviewable, InvalidWork; then nothing is
    written."""
    with transaction.atomic():
        locked = Task.objects.select_for_update().get(pk=task.pk)
        campaign = Campaign.objects.select_related("guideline").get(pk=locked.campaign_id)
        _refuse_if_not_for_it(locked, campaign, author)
        shown = responses_of(locked)
        letters = LETTERS[: len(shown)]
        problems = list(_problems_of(gold, campaign.guideline, letters))
        if problems:
            raise InvalidWork(problems)
        ids = dict(zip(letters, shown, strict=True))
        above = [[ids[better], ids[worse]] for better, worse in pairs_in(gold.order)]
        judged: dict[str, dict[str, Any]] = {}
        for kind, said in (("ratings", gold.ratings), ("flags", gold.flags)):
            for (letter, name), value in said.items():
                judged.setdefault(str(ids[letter]), {}).setdefault(kind, {})[name] = value
        written, _ = GoldAnswer.objects.update_or_create(
            task=locked,
            defaults={"author": author, "above": above, "judged": judged, "why": gold.why, "retired_at": None},
        )
        _copies_of(locked).update(above=above, judged=judged, why=gold.why, retired_at=None)
        # Everybody meets a screening's tasks anyway, and only in the queue.
        if locked.aside != Task.Aside.GOLD and not campaign.is_screening:
            set_aside(locked, Task.Aside.GOLD)
    return written


def _refuse_if_not_for_it(task: Task, campaign: Campaign, author: User) -> None:
    if campaign.kind not in KINDS or campaign.imported:
        raise NotReviewable("Gold is for tasks whose responses are ranked or rated here.")
    if Assignment.objects.filter(task=task, labeler__user=author).exists():
        raise NotReviewable("You were handed this task yourself as a labeler; its answer is left to others.")


def retire_gold(task: Task) -> None:
    """It is handed to nobody any more as gold, and goes back into the queue. What was said of it stays, and judges
    nobody; neither does its copy in a screening."""
    with transaction.atomic():
        Task.objects.select_for_update().get(pk=task.pk)
        GoldAnswer.objects.filter(task=task, retired_at__isnull=True).update(retired_at=timezone.now())
        _copies_of(task).filter(retired_at__isnull=True).update(retired_at=timezone.now())
    put_back(task)


def _copies_of(task: Task) -> QuerySet[GoldAnswer]:
    """Gold of screenings that was made of this task's: of the same prompt and responses (two queries)."""
    shown = set(responses_of(task))
    found = Task.objects.filter(campaign__screening_of__isnull=False, prompt=task.prompt_id).exclude(pk=task.pk)
    copies = [
        one.pk for one in found.prefetch_related("shown") if {each.response_id for each in one.shown.all()} == shown
    ]
    return GoldAnswer.objects.filter(task__in=copies)


def pairs_in(order: str) -> list[tuple[str, str]]:
    """ "A > B > D, C > D" as [("A", "B"), ("B", "D"), ("C", "D")]; what follows from these is not among them."""
    found: list[tuple[str, str]] = []
    for chain in _chains(order):
        steps = [letter.strip() for letter in chain.split(">")]
        found += [pair for pair in zip(steps, steps[1:], strict=False) if pair not in found]
    return found


def _chains(order: str) -> list[str]:
    return [part.strip() for part in re.split(r"[,;\n]", order.upper()) if part.strip()]


def order_of(gold: GoldAnswer, shown: Sequence[int]) -> str:
    """The order in letters again, a pair at a time."""
    letters = dict(zip(shown, LETTERS, strict=False))
    return ", ".join(f"{letters[better]} > {letters[worse]}" for better, worse in gold.above)


def _problems_of(gold: Gold, guideline: Guideline, letters: str) -> Iterator[Problem]:
    if not (gold.order.strip() or gold.ratings or gold.flags):
        yield Problem("nothing_said", f"Nothing is said yet: an order such as {EXAMPLE}, a rating, or a flag.", "order")
    yield from _order_problems(gold.order, letters)
    scales = [scale["name"] for scale in scales_of(guideline)]
    leading = leading_scale(guideline)
    ratings = {letter: rating for (letter, scale), rating in gold.ratings.items() if scale == leading}
    pairs = pairs_in(gold.order)
    if not circle_in(pairs) and (against := against_ratings(pairs, ratings)):
        better, worse = against
        says = (
            f"The order puts {better} above {worse}, but {better} is rated {ratings[better]} and {worse} "
            f"{ratings[worse]} ({leading}); change the order or a rating."
        )
        yield Problem("order_against_ratings", says, "order")
    for (letter, scale), rating in gold.ratings.items():
        if letter not in letters or scale not in scales or not 1 <= rating <= 7:
            says = f"The {scale} rating of response {letter} is {rating}; expected a whole number from 1 to 7."
            yield Problem("rating_out_of_range", says, f"rating-{letter}-{scale}")
    for letter, flag in gold.flags:
        if letter not in letters or flag not in guideline.flag_names:
            yield Problem("unknown_flag", f"{flag!r} is not a flag of this guideline.", f"flag-{letter}-{flag}")
    if len(gold.why) > NOTE_LIMIT:
        yield Problem("text_too_long", f"The reason has {len(gold.why):,} characters; at most {NOTE_LIMIT:,}.", "why")
    if wrong := unstorable(gold.why):
        yield Problem("text_unstorable", f"The reason holds {wrong}; remove it.", "why")


def _order_problems(order: str, letters: str) -> Iterator[Problem]:
    for chain in _chains(order):
        if not CHAIN.match(chain):
            yield Problem("order_unread", f"{chain[:40]!r} is no order; write it like {EXAMPLE}.", "order")
            return
    pairs = pairs_in(order)
    for letter in sorted({letter for pair in pairs for letter in pair if letter not in letters}):
        yield Problem("unknown_response", f"There is no response {letter} here.", "order")
    if circle := circle_in(pairs):
        says = f"The order goes round in a circle: {' > '.join(circle)}. Nobody could agree with it."
        yield Problem("order_contradicts_itself", says, "order")


def circle_in(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """A way from a letter back to itself, or empty where the order has none."""
    below: dict[str, list[str]] = {}
    for better, worse in pairs:
        below.setdefault(better, []).append(worse)

    def walk(way: list[str]) -> list[str]:
        for worse in below.get(way[-1], []):
            if worse in way:
                return [*way[way.index(worse) :], worse]
            if found := walk([*way, worse]):
                return found
        return []

    return next((circle for letter in below if (circle := walk([letter]))), [])


def answers_in(campaign: Campaign) -> QuerySet[GoldAnswer]:
    """What is handed out as gold, the oldest first, with how many labelers have met it."""
    return (
        GoldAnswer.objects.filter(task__in=gold_tasks(campaign)).select_related("task__prompt", "author").order_by("pk")
    )


def with_gold(project: Project) -> QuerySet[Campaign]:
    """Campaigns in which people work and of which some share is to be gold, those that want it first."""
    under_way = Campaign.objects.filter(project=project, kind__in=KINDS, imported=False, gold_rate__gt=0)
    return under_way.exclude(state=Campaign.State.CLOSED)


def untouched_task(campaign: Campaign) -> Task | None:
    """One drawn among tasks that nobody was handed yet, to write a gold answer for."""
    touched = Assignment.objects.filter(task=OuterRef("pk"))
    free = Task.objects.filter(~Exists(touched), campaign=campaign, aside="").values_list("pk", flat=True)
    found = list(free.order_by("-position")[:500])
    return Task.objects.get(pk=secrets.choice(found)) if found else None
