"""What is handed out beside the queue, looked at: gold against what is certain, and hidden repeats against the first
answer. Neither is data, and neither is in any figure of agreement."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from django.db.models import QuerySet

from labeling.agreement import Figure, undefined
from labeling.agreement.clusters import codes
from labeling.agreement.habits import HiddenRepeat, repeated_comparisons
from labeling.agreement.shares import ratio_interval
from labeling.agreement.sums import by_prompt
from labeling.checking import scales_of
from labeling.models import Assignment, GoldAnswer, Guideline, Judgment, Task
from labeling.reports.scope import Scope

Name = TypeVar("Name", int, str)
"""Of a response: its id or its letter."""

NEAR = 1
"""A rating of 1 to 7 that is off by so much is right still."""
MOST_GOLD = 200
FEWEST_AGAINST = 3
"""Labelers who answered, before most of them can be said to contradict gold."""


@dataclass(frozen=True)
class GoldSaid:
    """One labeler's answer to one gold task: how many of the certain things they got right."""

    labeler: int
    task: int
    prompt: int
    right: int
    certain: int


@dataclass(frozen=True)
class GoldTask:
    """A gold task with what labelers made of it. problem: why it judges nobody."""

    task: Task
    answered: int
    share: Figure
    problem: str


def problem_of(gold: GoldAnswer, said: Iterable[tuple[int, int]] = ()) -> str:
    """Why it judges nobody; empty where it is usable. Needs its task's campaign and guideline at hand.

    said: of each labeler who answered, how many things they said as gold has them, and how many that it is certain of.
    """
    if gold.retired_at:
        return "It is retired; it judges nobody any more."
    if contradiction(gold.above):
        return "Its order goes round in a circle; it judges nobody until it is put right."
    if against := against_ratings(gold.above, ratings_of(gold)):
        better, worse = against
        return f"It puts response {better} above {worse} and rates it lower; it judges nobody until it is put right."
    if not gold.above and not gold.judged:
        return "It is certain of nothing, so it judges nobody."
    answers = [one for one in said if one[1]]
    right, certain = sum(one[0] for one in answers), sum(one[1] for one in answers)
    if len(answers) >= FEWEST_AGAINST and 2 * right < certain:
        return (
            "Most labelers say otherwise: look at the gold before the labelers; it judges nobody until it is changed."
        )
    return ""


def usable(gold: QuerySet[GoldAnswer], answers: QuerySet[Assignment]) -> list[GoldAnswer]:
    """What of it may judge somebody (three queries). answers: which can contradict it. Those of whoever is judged are
    not among them: they would help to throw out what they had wrong."""
    found = list(gold.select_related("task__campaign__guideline"))
    said: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one in said_of(found, answers):
        said[one.task].append((one.right, one.certain))
    return [one for one in found if not problem_of(one, said[one.task_id])]


def ratings_of(gold: GoldAnswer) -> dict[int, int]:
    """By response, of the scale that an order is compared with."""
    scale = leading_scale(gold.task.campaign.guideline)
    found = {int(response): answers.get("ratings", {}).get(scale) for response, answers in gold.judged.items()}
    return {response: rating for response, rating in found.items() if rating is not None}


def leading_scale(guideline: Guideline) -> str:
    """Its first scale: labelers too are asked about an order against this one, and against no other."""
    return str(scales_of(guideline)[0]["name"])


def against_ratings(above: Sequence[Sequence[Name]], ratings: Mapping[Name, int]) -> list[Name]:
    """Better and worse by the order, or by what follows from it, where the worse is rated higher; empty if none is."""
    below: dict[Name, list[Name]] = defaultdict(list)
    for better, worse in above:
        below[better].append(worse)
    for better in [one for one in below if one in ratings]:
        reached, ahead = {better}, [better]
        while ahead:
            for worse in below.get(ahead.pop(), []):
                if ratings.get(worse, 0) > ratings[better]:
                    return [better, worse]
                if worse not in reached:
                    reached.add(worse)
                    ahead.append(worse)
    return []


def contradiction(above: Sequence[Sequence[int]]) -> bool:
    """Whether an order of pairs, better before worse, goes round in a circle."""
    below: dict[int, set[int]] = defaultdict(set)
    waits: dict[int, int] = defaultdict(int)
    for better, worse in {(pair[0], pair[1]) for pair in above}:
        if worse not in below[better]:
            below[better].add(worse)
            waits[worse] += 1
            waits[better] += 0
    free = [one for one, number in waits.items() if not number]
    placed = 0
    while free:
        one = free.pop()
        placed += 1
        for worse in below[one]:
            waits[worse] -= 1
            if not waits[worse]:
                free.append(worse)
    return placed < len(waits)


def right_and_certain(gold: GoldAnswer, said: Mapping[int, Judgment]) -> tuple[int, int]:
    """How many things that gold is certain of were said rightly, and how many there are that were answered. said: by
    response."""
    parts = (pairs_right(gold, said), answers_right(gold, said, "flags"), answers_right(gold, said, "ratings"))
    return sum(right for right, _ in parts), sum(certain for _, certain in parts)


def pairs_right(gold: GoldAnswer, said: Mapping[int, Judgment]) -> tuple[int, int]:
    """Of the pairs of its order; a tie is not above."""
    right = certain = 0
    for better, worse in gold.above:
        one, other = said.get(better), said.get(worse)
        if one is not None and other is not None and one.rank is not None and other.rank is not None:
            certain += 1
            right += one.rank < other.rank
    return right, certain


def answers_right(gold: GoldAnswer, said: Mapping[int, Judgment], kind: Literal["flags", "ratings"]) -> tuple[int, int]:
    """Of its flags, each as it is; of its ratings, each within NEAR."""
    right = certain = 0
    for response, answers in gold.judged.items():
        given = getattr(said[int(response)], kind) if int(response) in said else {}
        for name, value in answers.get(kind, {}).items():
            if given.get(name) is not None and value is not None:
                certain += 1
                right += given[name] == value if kind == "flags" else abs(given[name] - value) <= NEAR
    return right, certain


def flags_of(gold: GoldAnswer) -> list[tuple[int, str]]:
    """What it is certain of in flags: response and name."""
    return [(int(response), name) for response, answers in gold.judged.items() for name in answers.get("flags", {})]


@dataclass(frozen=True)
class GoldReport:
    said: list[GoldSaid]
    tasks: list[GoldTask]
    nothing: str = "Nobody has answered gold yet."

    def of(self, labeler: int) -> Figure:
        return _share([one for one in self.said if one.labeler == labeler], "Met no gold yet.")

    @property
    def whole(self) -> Figure:
        return _share(self.said, self.nothing)


def gold_report(scope: Scope) -> GoldReport:
    """Four queries. Gold with a problem judges nobody, and is named; what is retired is not looked at."""
    found = GoldAnswer.objects.filter(task__campaign__project=scope.project, retired_at__isnull=True)
    if scope.campaign:
        found = found.filter(task__campaign=scope.campaign)
    gold = list(found.select_related("task__campaign__guideline"))
    answers = scope.narrowed(Assignment.objects.filter(task__in=[one.task_id for one in gold]))
    by_task: dict[int, list[GoldSaid]] = defaultdict(list)
    for said in said_of(gold, answers):
        by_task[said.task].append(said)
    tasks = [_gold_task(one, by_task[one.task_id]) for one in gold]
    judged = [said for one in tasks if not one.problem for said in by_task[one.task.pk]]
    return GoldReport(judged, sorted(tasks, key=lambda one: (not one.problem, one.task.pk))[:MOST_GOLD])


def said_of(gold: Sequence[GoldAnswer], answers: QuerySet[Assignment]) -> list[GoldSaid]:
    """What each of these answers got right of it, where it is certain of anything that they say (two queries)."""
    by_task = {one.task_id: one for one in gold}
    return [
        GoldSaid(assignment.labeler_id, assignment.task_id, assignment.task.prompt_id or 0, right, certain)
        for assignment, judgments in answers_of(answers.filter(task__in=by_task))
        for right, certain in [right_and_certain(by_task[assignment.task_id], judgments)]
        if certain
    ]


def _gold_task(gold: GoldAnswer, said: list[GoldSaid]) -> GoldTask:
    share = _share(said, "Nobody has answered it yet.")
    return GoldTask(gold.task, len(said), share, problem_of(gold, [(one.right, one.certain) for one in said]))


def _share(said: Sequence[GoldSaid], nothing: str) -> Figure:
    certain = sum(one.certain for one in said)
    if not certain:
        return undefined(nothing)
    rows = np.array([(one.right, one.certain) for one in said], dtype=np.float64)
    share = float(rows[:, 0].sum() / certain)
    sums = by_prompt(rows, codes(one.prompt for one in said))
    return Figure(value=share, count=certain).with_interval(ratio_interval(share, sums))


def answers_of(assignments: QuerySet[Assignment]) -> Iterator[tuple[Assignment, dict[int, Judgment]]]:
    """What was submitted of them and stands, by response; adjudications are left out (two queries)."""
    found = list(
        assignments.filter(
            current_submission__isnull=False,
            current_submission__withdrawn_at__isnull=True,
            current_submission__adjudication__isnull=True,
        )
        .select_related("task")
        .order_by("pk")
    )
    judged: dict[int | None, dict[int, Judgment]] = defaultdict(dict)
    for one in Judgment.objects.filter(submission__in=[each.current_submission_id for each in found]).order_by():
        judged[one.submission_id][one.response_id] = one
    return ((one, judged[one.current_submission_id]) for one in found)


def hidden_repeats(scope: Scope) -> list[tuple[int, HiddenRepeat]]:
    """Labeler and comparison, or rating, of everything that was shown twice to one person (three queries)."""
    again = list(
        scope.narrowed(Assignment.objects.filter(occurrence__gt=0, task__gold__isnull=True))
        .filter(current_submission__adjudication__isnull=True, current_submission__withdrawn_at__isnull=True)
        .select_related("task")
        .order_by("pk")
    )
    before = Assignment.objects.filter(occurrence=0, task__in=[each.task_id for each in again])
    first = {
        (one.task_id, one.labeler_id): one.current_submission_id
        for one in scope.narrowed(before.filter(current_submission__withdrawn_at__isnull=True))
    }
    pairs = [(one, first[one.task_id, one.labeler_id]) for one in again if (one.task_id, one.labeler_id) in first]
    wanted = {pk for one, before in pairs for pk in (one.current_submission_id, before)}
    said: dict[int | None, dict[int, Judgment]] = defaultdict(dict)
    for judgment in Judgment.objects.filter(submission__in=wanted).order_by("response_id"):
        said[judgment.submission_id][judgment.response_id] = judgment
    return [
        (one.labeler_id, repeat)
        for one, before in pairs
        for repeat in _repeats(one, said[before], said[one.current_submission_id])
    ]


def _repeats(one: Assignment, before: dict[int, Judgment], again: dict[int, Judgment]) -> Iterator[HiddenRepeat]:
    shared = sorted(set(before) & set(again))
    who: dict[str, Any] = {"prompt": one.task.prompt_id, "labeler": one.labeler_id}
    if any(before[pk].rank is not None for pk in shared):
        yield from repeated_comparisons(
            **who, first=[before[pk].rank for pk in shared], again=[again[pk].rank for pk in shared]
        )
        return
    for pk in shared:
        for scale in before[pk].ratings:
            yield HiddenRepeat(**who, first=before[pk].ratings.get(scale), again=again[pk].ratings.get(scale))
