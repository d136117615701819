"""Pairwise agreement: how often two labelers say the same. The paper's figure, so the first that is read.

Ouyang et al. 2022, section 3.4, report 72.6 ± 1.5 % (labelers of the training data) and 77.3 ± 1.3 % (held out), and
Stiennon et al. 2020 73 ± 4 % among researchers. Neither says how ties enter. Ouyang et al. encourage ties in ranking
and give no pair to the reward model for them, so the convention here is that a tie is an answer like the other two:
two labelers agree where both prefer the same response or both call them equal (`ties="answer"`). The two other
readings are one argument away and should stand beside it where ties are common.
"""

from collections.abc import Hashable
from dataclasses import replace
from typing import Literal

import numpy as np

from labeling.agreement.figures import Bools, Figure, Floats, Ints, Totals, undefined
from labeling.agreement.intervals import By, bootstrap_by_prompt, interval_with_labelers
from labeling.agreement.judged import NOBODY_TWICE, Judged
from labeling.agreement.rankings import ORDERS, TIED
from labeling.agreement.shared import shared_units
from labeling.agreement.shares import moments_of, ratio_interval_of
from labeling.agreement.sums import Tally, by_prompt, summed

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
    counts, prompts = judged.counts()
    several = counts.sum(axis=1) >= 2
    if not several.any():
        return undefined(NOBODY_TWICE)
    agree, weight = _tables(judged, ties, near)
    rows = np.column_stack([_within(counts[several], table) for table in (agree, weight)])
    number = int(rows[:, 1].sum())
    if not number:
        return undefined("Every pair of labelers has a tie in it; with ties left out nothing remains.")
    totals = Totals(sums=by_prompt(rows, prompts[several]), statistic=_ratio)
    figure = Figure(value=totals.value(), count=number)
    if by == "none":
        return figure
    if by == "prompts":
        return figure.with_interval(bootstrap_by_prompt(totals))
    return figure.with_interval(
        interval_with_labelers(
            totals, judged, influence=lambda gradient: np.asarray(agree * gradient[0] + weight * gradient[1])
        )
    )


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
    known = (judged.labelers >= 0) & (judged.sizes() >= 2)
    if own is not None:
        known &= own
    agree, weight = (_with_others(judged, table)[known] for table in _tables(judged, ties, near))
    found = _shares(judged.labelers[known], agree, weight, judged.prompts[known], level=level if intervals else None)
    return {
        name: found.get(code) or undefined(f"{name} shares no judged unit with anyone.")
        for code, name in enumerate(judged.names)
    }


def agreement_of_pairs(
    judged: Judged, *, ties: Ties = "answer", near: int = 0, intervals: bool = False
) -> dict[tuple[Hashable, Hashable], Figure]:
    """Each two labelers who share a unit (the one met first is named first); others are absent."""
    known = judged.only(judged.labelers >= 0)
    found = _of_two(known, _tables(judged, ties, near), level=0.95 if intervals else None)
    names = judged.names
    return {(names[one], names[other]): figure for (one, other), figure in found.items() if one != other}


def agreement_between(
    judged: Judged, groups: Ints, *, ties: Ties = "answer", near: int = 0
) -> dict[tuple[int, int], Figure]:
    """Agreement of labelers of one group with those of another, (a, b) with a <= b; with (a, a) within a group.

    groups: (N,) of each judgment, -1 for one that is in none.
    """
    grouped = replace(judged, labelers=groups).only(groups >= 0)
    return _of_two(grouped, _tables(judged, ties, near), level=0.95)


def agreement_in_groups(judged: Judged, groups: Ints, *, ties: Ties = "answer", near: int = 0) -> dict[int, Figure]:
    """Pairwise agreement of each group of judgments by itself, without intervals. groups: (N,), the same for all
    judgments of a unit."""
    counts, prompts = judged.counts()
    of_units = judged.of_units(groups)
    several = counts.sum(axis=1) >= 2
    agree, weight = (_within(counts[several], table) for table in _tables(judged, ties, near))
    return _shares(of_units[several], agree, weight, prompts[several], level=None)


def _of_two(judged: Judged, tables: tuple[Floats, Floats], *, level: float | None) -> dict[tuple[int, int], Figure]:
    """Each two of the labelers who share units, the lower code first; with themself, who judged units again."""
    tally = Tally(6)
    for block in shared_units(judged, tables):
        low, high = np.minimum(block.first, block.second), np.maximum(block.first, block.second)
        tally.add((low << 32) + high, *moments_of(block.sums).T)
    return {
        (int(code >> 32), int(code & (2**32 - 1))): _share(moments, level)
        for code, moments in zip(tally.numbers, tally.sums, strict=True)
    }


def _shares(groups: Ints, agree: Floats, weight: Floats, prompts: Ints, *, level: float | None) -> dict[int, Figure]:
    """Of each group of rows (M,), the share that agrees."""
    width = int(prompts.max(initial=0)) + 1
    cells, sums = summed(groups * width + prompts, np.column_stack([agree, weight]))
    found, moments = summed(cells // width, moments_of(sums))
    return {int(group): _share(one, level) for group, one in zip(found, moments, strict=True)}


def _share(moments: Floats, level: float | None) -> Figure:
    agreed, number = moments[:2].tolist()
    if not number:
        return undefined("All they share are ties.")
    figure = Figure(value=agreed / number, count=int(number))
    return figure if level is None else figure.with_interval(ratio_interval_of(figure.known(), moments, level=level))


def _tables(judged: Judged, ties: Ties, near: int) -> tuple[Floats, Floats]:
    """(C, C) each: what a pair of judgments with these values adds to the agreement, and to the number of pairs."""
    value = np.arange(len(judged.levels))
    same = (np.abs(value[:, None] - value) <= near).astype(np.float64)
    if ties == "answer":
        return same, np.ones_like(same)
    if judged.levels != ORDERS:
        raise ValueError(f"ties={ties!r} needs comparisons; these values are {list(judged.levels)!r}.")
    tie = value == ORDERS.index(TIED)
    if ties == "half":
        return np.where(tie[:, None] ^ tie, 0.5, same), np.ones_like(same)
    decided = (~tie[:, None] & ~tie).astype(np.float64)
    return same * decided, decided


def _within(counts: Ints, table: Floats) -> Floats:
    """(U, C) how often each value was given to a unit -> (U,) the table's sum over the unit's pairs of judgments."""
    return np.asarray((counts @ table * counts).sum(axis=1) - counts @ table.diagonal()) / 2


def _with_others(judged: Judged, table: Floats) -> Floats:
    """(N,) the table's sum over the pairs of each judgment with the others of its unit; where one labeler judged a unit
    again, that pair is half to each of the two."""
    found = _beside_itself(judged, table)
    if judged.again.any():
        people = int(judged.labelers.max(initial=0)) + 1
        by_person = replace(judged, units=judged.units * people + judged.labelers).only(judged.again)
        found[judged.again] -= _beside_itself(by_person, table) / 2
    return found


def _beside_itself(judged: Judged, table: Floats) -> Floats:
    """(N,) the table's sum over each judgment with the others of its unit, whoever's they are."""
    of_unit = judged.of_each(judged.counts()[0] @ table)
    own = judged.values
    return np.asarray(of_unit[np.arange(len(judged)), own] - table[own, own], dtype=np.float64)


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, 0] / sums[:, 1], dtype=np.float64)
