"""Gwet's AC1 and Fleiss' kappa: agreement corrected for chance, where each says what chance is.

AC1 is the one for rare flags. Where 2 % of responses are flagged and labelers nearly always agree, kappa and alpha come
out near 0, since by their account unanimous "no" is luck; AC1 does not punish rarity.
"""

from collections.abc import Callable

import numpy as np

from labeling.agreement.figures import Figure, Floats, Interval, Ints, Totals, undefined
from labeling.agreement.intervals import By, bootstrap_by_prompt, interval_with_labelers
from labeling.agreement.judged import NOBODY_TWICE, Judged
from labeling.agreement.sums import by_prompt


def gwet_ac1(judged: Judged, *, by: By = "none") -> Figure:
    """(p_a - p_e) / (1 - p_e), with p_e = sum of pi_c (1 - pi_c) / (C - 1) over the C levels that could be given.

    p_a: mean over units with two or more judgments of the share of their pairs that agree. pi_c: mean over all units
    of the share of their judgments that are c. Levels that nobody used count in C, so give them to Judged.of.
    `count` is the units with two or more judgments. Source: Gwet 2008, "Computing inter-rater reliability and its
    variance in the presence of high agreement", equations 6 and 8; missing judgments as in Gwet 2014, section 5.3.
    """
    width = len(judged.levels)
    if width < 2:
        return undefined("Only one value can be given; agreement about it means nothing.")
    return _corrected(judged, lambda shares: (shares * (1 - shares)).sum(axis=1) / (width - 1), by)


def fleiss_kappa(judged: Judged, *, by: By = "none") -> Figure:
    """(P - P_e) / (1 - P_e), with P_e = sum of p_c squared; the same number of judgments for every unit.

    P: mean over units of the share of their pairs that agree. p_c: share of all judgments that are c.
    `count` is the units. Source: Fleiss 1971, "Measuring nominal scale agreement among many raters".
    """
    counts, _ = judged.counts()
    sizes = counts.sum(axis=1)
    if len(sizes) and sizes.min() != sizes.max():
        return undefined(
            f"Units have {sizes.min()} to {sizes.max()} judgments, and Fleiss' kappa needs as many for each; "
            "Krippendorff's alpha does not."
        )
    if (counts.sum(axis=0) > 0).sum() == 1 and len(sizes) and sizes[0] >= 2:
        only = judged.levels[int(counts.sum(axis=0).argmax())]
        return undefined(f"All judgments are {only!r}; without variation kappa cannot tell agreement from chance.")
    return _corrected(judged, lambda shares: (shares**2).sum(axis=1), by)


def _corrected(judged: Judged, chance: Callable[[Floats], Floats], by: By) -> Figure:
    counts, prompts = judged.counts()
    several = int((counts.sum(axis=1) >= 2).sum())
    if not several:
        return undefined(NOBODY_TWICE)
    totals = Totals(sums=by_prompt(_unit_rows(counts), prompts), statistic=lambda sums: _statistic(sums, chance))
    figure = Figure(value=totals.value(), count=several)
    if by == "none":
        return figure
    found = bootstrap_by_prompt(totals) if by == "prompts" else _with_labelers(judged, totals)
    return figure.with_interval(found)


def _unit_rows(counts: Ints) -> Floats:
    """(U, 3 + C): share of pairs that agree, 1 where there are pairs, 1, and the shares of the values."""
    sizes = counts.sum(axis=1)
    pairs = sizes * (sizes - 1)
    agree = (counts * (counts - 1)).sum(axis=1) / np.maximum(pairs, 1)
    return np.column_stack([agree, pairs > 0, np.ones(len(sizes)), counts / sizes[:, None]]).astype(np.float64)


def _statistic(sums: Floats, chance: Callable[[Floats], Floats]) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = sums[:, 0] / sums[:, 1]
        expected = chance(sums[:, 3:] / sums[:, 2:3])
        return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)


def _with_labelers(judged: Judged, totals: Totals) -> Interval | str:
    """Each unit's row is shared out among its pairs; a unit with one judgment is a row with one labeler."""
    width = len(judged.levels)

    def alone(gradient: Floats) -> Floats:
        return np.asarray(gradient[2] + gradient[3:], dtype=np.float64)

    def influence(gradient: Floats) -> Floats:
        said = alone(gradient)
        return np.asarray(gradient[0] * np.eye(width) + gradient[1] + (said[:, None] + said) / 2, dtype=np.float64)

    sizes = judged.sizes()
    weights = np.where(sizes >= 2, 2 / np.maximum(sizes * (sizes - 1), 1), 1.0)
    return interval_with_labelers(totals, judged, influence=influence, weights=weights, alone=alone)
