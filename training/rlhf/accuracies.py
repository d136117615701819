"""Where a reward model orders responses as labelers did: overall, by length, by labeler, by cohort, beside people.

Every figure is a share of comparisons (a labeler and two responses that he told apart) with its 95 % interval over
prompts. Scores go in as one list for each item, so that whoever scores decides how.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

from training.rlhf.intervals import Interval, interval
from training.rlhf.losses import untied_pairs
from training.rlhf.rankings import Item, Judge, agreement

LEAST_LABELERS = 5
"""Of a cohort by itself; what fewer people said tells of the people."""
SHORTEST_TOKENS = 16
"""Where the first bucket of lengths ends; each of the others is twice as wide."""

Scores = Sequence[Sequence[float]]
"""Of each item's responses."""


def accuracy(items: Sequence[Item], scores: Scores) -> Interval:
    """The share of comparisons that the scores order as the labelers did; equal scores are half right."""
    found = [agreement(item, said) for item, said in zip(items, scores, strict=True)]
    return over_prompts((item.id, *one) for item, one in zip(items, found, strict=True))


def over_prompts(counted: Iterable[tuple[str, float, float]]) -> Interval:
    """(prompt, right, comparisons) rows -> their share with an interval over prompts; those without any are no rows."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for prompt, right, comparisons in counted:
        if comparisons:
            sums[prompt][0] += right
            sums[prompt][1] += comparisons
    return interval([right for right, _ in sums.values()], [many for _, many in sums.values()])


def by_length(items: Sequence[Item], scores: Scores) -> list[dict[str, Any]]:
    """By the length of the longer response of a pair, in tokens, the stop token counted; the shortest bucket first."""
    buckets: dict[int, list[tuple[str, float, float]]] = defaultdict(list)
    for item, said in zip(items, scores, strict=True):
        lengths = [len(response) for response in item.exchange.responses]
        for better, worse in _pairs(item):
            bucket = _bucket(max(lengths[better], lengths[worse]))
            buckets[bucket].append((item.id, _right(said, better, worse), 1.0))
    return [
        {"tokens": [_start(bucket), _end(bucket)], "comparisons": len(rows), "accuracy": over_prompts(rows)}
        for bucket, rows in sorted(buckets.items())
    ]


def _bucket(tokens: int) -> int:
    bucket = 0
    while tokens > _end(bucket):
        bucket += 1
    return bucket


def _start(bucket: int) -> int:
    return _end(bucket - 1) + 1 if bucket else 1


def _end(bucket: int) -> int:
    return SHORTEST_TOKENS << bucket


def by_labeler(items: Sequence[Item], scores: Scores) -> dict[str, dict[str, Any]]:
    """By pseudonym."""
    return _by(items, scores, lambda judge: judge.labeler)


def by_cohort(items: Sequence[Item], scores: Scores) -> dict[str, dict[str, Any]]:
    """By cohort, beside the agreement of its people among themselves; cohorts of too few people are left out."""
    members: dict[str, set[str]] = defaultdict(set)
    for judge in (judge for item in items for judge in item.judges):
        if judge.cohort is not None:
            members[judge.cohort].add(judge.labeler)
    told = {cohort for cohort, people in members.items() if len(people) >= LEAST_LABELERS}
    found = _by(items, scores, lambda judge: judge.cohort if judge.cohort in told else None)
    for cohort, figures in found.items():
        inside = [item.judged_by(lambda judge, cohort=cohort: judge.cohort == cohort) for item in items]  # type: ignore[misc]
        figures |= {"labelers": len(members[cohort]), "people": among_people(inside)}
    return found


def _by(items: Sequence[Item], scores: Scores, name: Callable[[Judge], str | None]) -> dict[str, dict[str, Any]]:
    counted: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for item, said in zip(items, scores, strict=True):
        for (ranks, _), judge in zip(item.orders, item.judges, strict=True):
            key, pairs = name(judge), untied_pairs(ranks)
            if key is not None and pairs:
                counted[key].append((item.id, sum(_right(said, *pair) for pair in pairs), float(len(pairs))))
    return {
        key: {"comparisons": int(sum(many for _, _, many in rows)), "accuracy": over_prompts(rows)}
        for key, rows in sorted(counted.items())
    }


def among_people(items: Sequence[Item]) -> Interval:
    """Of two labelers who both told two responses apart, how often they did so alike: what a reward model that knows
    everything but which of them it is asked about can hardly pass."""
    together: dict[str, list[tuple[str, set[tuple[int, int]]]]] = defaultdict(list)
    for item in items:
        for (ranks, _), judge in zip(item.orders, item.judges, strict=True):
            together[item.id].append((judge.labeler, set(untied_pairs(ranks))))
    return over_prompts(
        (prompt, float(len(one & other)), float(len(one & other) + len(one & {(b, a) for a, b in other})))
        for prompt, said in together.items()
        for (first, one), (second, other) in combinations(said, 2)
        if first != second
    )


def _pairs(item: Item) -> list[tuple[int, int]]:
    return [pair for ranks, _ in item.orders for pair in untied_pairs(ranks)]


def _right(scores: Sequence[float], better: int, worse: int) -> float:
    return (scores[better] > scores[worse]) + 0.5 * (scores[better] == scores[worse])
