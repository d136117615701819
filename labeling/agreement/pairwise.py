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

from labeling.agreement.figures import Bools, Figure, Floats, Interval, Ints, Totals, undefined
from labeling.agreement.intervals import By, bootstrap_by_prompt, interval_with_labelers
from labeling.agreement.judged import NOBODY_TWICE, Judged, LabelerPairs
from labeling.agreement.rankings import ORDERS, TIED
from labeling.agreement.shares import ratio_interval
from labeling.agreement.sums import by_prompt

Ties = Literal["answer", "left out", "half"]
"""A tie agrees with a tie alone; or pairs of labelers of whom one said tie do not count; or a tie against a preference
is worth half an agreement (and a tie against a tie a whole one)."""

PAPER_TRAINING, PAPER_HELD_OUT = 0.726, 0.773
"""Reference lines: Ouyang et al. 2022, section 3.4."""
PAPER_TRAINING_ERROR, PAPER_HELD_OUT_ERROR = 0.015, 0.013
"""What stands behind their ±; the paper does not say of what, and a standard error is the wider reading."""


def pairwise_agreement(judged: Judged, *, ties: Ties = "answer", near: int = 0, by: By = "none") -> Figure:
    """Of all pairs of labelers who judged the same unit, the share that said the same; `count` is these pairs.

    Every pair counts once, so a unit with m judgments has weight m (m - 1) / 2. For rankings pass comparisons(…);
    `ties` other than "answer" needs them. near: ratings that lie so many steps apart still agree. Raises
    ValueError where values that are no orders should be left out as ties.
    """
    pairs = LabelerPairs.of(judged)
    if not len(pairs.first):
        return undefined(NOBODY_TWICE)
    agree, weight = _agreement(judged, pairs, ties, near)
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


def agreement_of_each(
    judged: Judged,
    *,
    ties: Ties = "answer",
    near: int = 0,
    intervals: bool = False,
    level: float = 0.95,
    own: Bools | None = None,
) -> dict[Hashable, Figure]:
    """Each labeler with everyone they share units with; a labeler who shares none has the reason instead.

    intervals: over prompts, the colleagues being as they are. own: (N,) only these judgments of each labeler, against
    all of the others.
    """
    pairs = LabelerPairs.of(judged)
    agree, weight = _agreement(judged, pairs, ties, near)
    first, second = judged.labelers[pairs.first], judged.labelers[pairs.second]
    other = second != first
    who = np.r_[first, second[other]]
    rows = np.r_[np.arange(len(first)), np.flatnonzero(other)]
    if own is not None:
        kept = own[np.r_[pairs.first, pairs.second[other]]]
        who, rows = who[kept], rows[kept]
    found = _shares(
        who, agree[rows], weight[rows], judged.prompts[pairs.first][rows], level=level if intervals else None
    )
    return {
        name: found.get(code) or undefined(f"{name} shares no judged unit with anyone.")
        for code, name in enumerate(judged.names)
    }


def agreement_of_pairs(
    judged: Judged, *, ties: Ties = "answer", near: int = 0, intervals: bool = False
) -> dict[tuple[Hashable, Hashable], Figure]:
    """Each two labelers who share a unit (the one met first is named first); others are absent."""
    pairs = LabelerPairs.of(judged)
    agree, weight = _agreement(judged, pairs, ties, near)
    first, second = judged.labelers[pairs.first], judged.labelers[pairs.second]
    known = (first >= 0) & (second >= 0) & (first != second)
    size = len(judged.names)
    code = np.minimum(first, second)[known] * size + np.maximum(first, second)[known]
    prompts = judged.prompts[pairs.first][known]
    found = _shares(code, agree[known], weight[known], prompts, level=0.95 if intervals else None)
    return {(judged.names[one // size], judged.names[one % size]): figure for one, figure in found.items()}


def agreement_between(
    judged: Judged, groups: Ints, *, ties: Ties = "answer", near: int = 0
) -> dict[tuple[int, int], Figure]:
    """Agreement of labelers of one group with those of another, (a, b) with a <= b; with (a, a) within a group.

    groups: (N,) of each judgment, -1 for one that is in none.
    """
    pairs = LabelerPairs.of(judged)
    agree, weight = _agreement(judged, pairs, ties, near)
    first, second = groups[pairs.first], groups[pairs.second]
    known = (first >= 0) & (second >= 0)
    size = int(groups.max(initial=0)) + 1
    code = np.minimum(first, second)[known] * size + np.maximum(first, second)[known]
    found = _shares(code, agree[known], weight[known], judged.prompts[pairs.first][known], level=0.95)
    return {(one // size, one % size): figure for one, figure in found.items()}


def agreement_in_groups(judged: Judged, groups: Ints, *, ties: Ties = "answer", near: int = 0) -> dict[int, Figure]:
    """Pairwise agreement of each group of judgments by itself, without intervals. groups: (N,), the same for all
    judgments of a unit."""
    pairs = LabelerPairs.of(judged)
    agree, weight = _agreement(judged, pairs, ties, near)
    return _shares(groups[pairs.first], agree, weight, judged.prompts[pairs.first], level=None)


def _shares(groups: Ints, agree: Floats, weight: Floats, prompts: Ints, *, level: float | None) -> dict[int, Figure]:
    """Of each group of rows (M,), the share that agrees; the unknown labeler, -1, is left out."""
    known = groups >= 0
    width = int(prompts.max(initial=0)) + 1
    cells, place = np.unique(groups[known] * width + prompts[known], return_inverse=True)
    agreed, sizes = (np.bincount(place, weights=one[known], minlength=len(cells)) for one in (agree, weight))
    starts = np.flatnonzero(np.diff(cells // width, prepend=-1))
    found: dict[int, Figure] = {}
    for group, start, end in zip(cells[starts] // width, starts, np.r_[starts, len(cells)][1:], strict=True):
        total = float(sizes[start:end].sum())
        if not total:
            found[int(group)] = undefined("All they share are ties.")
            continue
        figure = Figure(value=float(agreed[start:end].sum() / total), count=int(total))
        if level is not None:
            sums = np.column_stack([agreed[start:end], sizes[start:end]]).astype(np.float64)
            figure = figure.with_interval(ratio_interval(figure.known(), sums, level=level))
        found[int(group)] = figure
    return found


def _agreement(judged: Judged, pairs: LabelerPairs, ties: Ties, near: int) -> tuple[Floats, Floats]:
    """What each pair of judgments adds to the agreement, and to the number of pairs; shape (M,) each."""
    one, other = judged.values[pairs.first], judged.values[pairs.second]
    same = (np.abs(one - other) <= near).astype(np.float64)
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
