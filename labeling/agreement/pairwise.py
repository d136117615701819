"""Pairwise agreement: how often two labelers say the same. The paper's figure, so the first that is read.

Ouyang et al. 2022, section 3.4, report 72.6 ± 1.5 % (labelers of the training data) and 77.3 ± 1.3 % (held out), and
Stiennon et al. 2020 73 ± 4 % among researchers. Neither says how ties enter. Ouyang et al. encourage ties in ranking
and give no pair to the reward model for them, so the convention here is that a tie is an answer like the other two:
two labelers agree where both prefer the same response or both call them equal (`ties="answer"`). The two other
readings are one argument away and should stand beside it where ties are common.
"""

from collections.abc import Hashable
from typing import Literal

import numpy as np

from labeling.agreement.figures import Figure, Floats, Interval, Ints, Totals, undefined
from labeling.agreement.intervals import By, bootstrap_by_prompt, interval_with_labelers
from labeling.agreement.judged import NOBODY_TWICE, Judged, LabelerPairs
from labeling.agreement.rankings import ORDERS, TIED
from labeling.agreement.sums import by_prompt

Ties = Literal["answer", "left out", "half"]
"""A tie agrees with a tie alone; or pairs of labelers of whom one said tie do not count; or a tie against a preference
is worth half an agreement (and a tie against a tie a whole one)."""

PAPER_TRAINING, PAPER_HELD_OUT = 0.726, 0.773
"""Reference lines: Ouyang et al. 2022, section 3.4."""


def pairwise_agreement(judged: Judged, *, ties: Ties = "answer", by: By = "none") -> Figure:
    """Of all pairs of labelers who judged the same unit, the share that said the same; `count` is these pairs.

    Every pair counts once, so a unit with m judgments has weight m (m - 1) / 2. For rankings pass comparisons(…);
    `ties` other than "answer" needs them. Raises ValueError where values that are no orders should be left out as ties.
    """
    pairs = LabelerPairs.of(judged)
    if not len(pairs.first):
        return undefined(NOBODY_TWICE)
    agree, weight = _agreement(judged, pairs, ties)
    if not weight.sum():
        return undefined("Every pair of labelers has a tie in it; with ties left out nothing remains.")
    prompts = judged.prompts[pairs.first]
    totals = Totals(
        sums=by_prompt(np.column_stack([agree, weight]), prompts),
        statistic=_ratio,
    )
    figure = Figure(value=totals.value(), count=int(weight.sum()))
    if by == "none":
        return figure
    found = bootstrap_by_prompt(totals) if by == "prompts" else _with_labelers(judged, pairs, totals, agree, weight)
    return figure.with_interval(found)


def agreement_of_each(judged: Judged, *, ties: Ties = "answer") -> dict[Hashable, Figure]:
    """Each labeler with everyone they share units with; a labeler who shares none has the reason instead."""
    pairs = LabelerPairs.of(judged)
    agree, weight = _agreement(judged, pairs, ties)
    both = np.r_[judged.labelers[pairs.first], judged.labelers[pairs.second]]
    known = both >= 0
    size = len(judged.names)
    right = np.bincount(both[known], weights=np.r_[agree, agree][known], minlength=size)
    total = np.bincount(both[known], weights=np.r_[weight, weight][known], minlength=size)
    return {
        name: _share(right[code], total[code], f"{name} shares no judged unit with anyone.")
        for code, name in enumerate(judged.names)
    }


def agreement_of_pairs(judged: Judged, *, ties: Ties = "answer") -> dict[tuple[Hashable, Hashable], Figure]:
    """Each two labelers who share a unit (the one met first is named first); others are absent."""
    pairs = LabelerPairs.of(judged)
    agree, weight = _agreement(judged, pairs, ties)
    first, second = judged.labelers[pairs.first], judged.labelers[pairs.second]
    known = (first >= 0) & (second >= 0) & (first != second)
    size = len(judged.names)
    code = np.minimum(first, second)[known] * size + np.maximum(first, second)[known]
    found, place = np.unique(code, return_inverse=True)
    right = np.bincount(place, weights=agree[known], minlength=len(found))
    total = np.bincount(place, weights=weight[known], minlength=len(found))
    return {
        (judged.names[one // size], judged.names[one % size]): _share(right[at], total[at], "All they share are ties.")
        for at, one in enumerate(found)
    }


def _agreement(judged: Judged, pairs: LabelerPairs, ties: Ties) -> tuple[Floats, Floats]:
    """What each pair of judgments adds to the agreement, and to the number of pairs; shape (M,) each."""
    one, other = judged.values[pairs.first], judged.values[pairs.second]
    same = (one == other).astype(np.float64)
    if ties == "answer":
        return same, np.ones(len(same))
    if judged.levels != ORDERS:
        raise ValueError(f"ties={ties!r} needs comparisons; these values are {list(judged.levels)!r}.")
    tie = ORDERS.index(TIED)
    if ties == "half":
        return np.where((one == tie) ^ (other == tie), 0.5, same), np.ones(len(same))
    decided = ((one != tie) & (other != tie)).astype(np.float64)
    return same * decided, decided


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, 0] / sums[:, 1], dtype=np.float64)


def _share(right: float, total: float, reason: str) -> Figure:
    return Figure(value=float(right / total), count=int(total)) if total else undefined(reason)


def _with_labelers(
    judged: Judged, pairs: LabelerPairs, totals: Totals, agree: Floats, weight: Floats
) -> Interval | str:
    first: Ints = judged.labelers[pairs.first]
    return interval_with_labelers(
        totals,
        influence=lambda gradient: agree * gradient[0] + weight * gradient[1],
        prompts=judged.prompts[pairs.first],
        first=first,
        second=judged.labelers[pairs.second],
    )
