"""Confidence intervals of a statistic that is a function of sums over prompts.

Two claims, two intervals. By prompts: the same labelers, other prompts like these. By prompts and labelers: other
labelers like these as well; wider, and the one to quote where people are spoken of and not these persons.
docs/agreement.md has the coverage of both in simulation.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from labeling.agreement.clusters import PairVariance, interval_around
from labeling.agreement.figures import Floats, Interval, Totals
from labeling.agreement.judged import Judged
from labeling.agreement.shared import shared_units
from labeling.agreement.sums import by_prompt

By = Literal["none", "prompts", "prompts and labelers"]
FEWEST_PROMPTS = 5
"""Below this many prompts a bootstrap draws the same few samples over and over and says nothing."""
MOST_DRAWN = 1_000
"""Above this many prompts, groups of them are drawn instead, so that a large campaign costs no more than this one."""
AT_ONCE = 2_000_000
"""Bootstrap weights held as numbers at one time (16 MB)."""


def bootstrap_by_prompt(
    totals: Totals, *, replicates: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval | str:
    """The bias-corrected and accelerated interval over prompts drawn with replacement, or why there is none.

    totals.sums: (G, k), a row a prompt. Replicates where the statistic is undefined are left out; where they are more
    than one in twenty there is no interval. The seed makes a page show the same interval twice.
    Source: Efron 1987, "Better bootstrap confidence intervals", equations 2.3 and 6.6.
    """
    prompts = len(totals.sums)
    if prompts < FEWEST_PROMPTS:
        return f"{prompts} prompts are too few to resample; from {FEWEST_PROMPTS} on there is an interval."
    value = totals.value()
    if value is None:
        return "The figure itself is undefined."
    totals = _in_groups(totals, seed)
    drawn = _replicates(totals, replicates=replicates, seed=seed)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < 0.95 * replicates:
        return "In more than one in twenty resamples the figure is undefined; more prompts are needed."
    if np.ptp(drawn) < 1e-12:
        return "Every resample of the prompts gives this same figure; it takes more prompts to see how far it is off."
    low, high = np.quantile(drawn, _accelerated(totals, value, drawn, level))
    return Interval(low=float(low), high=float(high), clusters="prompts", level=level)


def _in_groups(totals: Totals, seed: int) -> Totals:
    """At most MOST_DRAWN rows: prompts put together at random. Groups of independent prompts are independent, so the
    interval stays one over prompts, with that many groups to learn their variance from."""
    prompts = len(totals.sums)
    if prompts <= MOST_DRAWN:
        return totals
    group = np.random.default_rng(seed).permutation(prompts) % MOST_DRAWN
    return replace(totals, sums=by_prompt(totals.sums, group))


def _replicates(totals: Totals, *, replicates: int, seed: int) -> Floats:
    drawn = _draws(len(totals.sums), replicates, seed)
    at_once = max(1, AT_ONCE // len(totals.sums))
    parts = (drawn[start : start + at_once].astype(np.float64) for start in range(0, replicates, at_once))
    return np.concatenate([totals.statistic(part @ totals.sums) for part in parts])


@lru_cache(maxsize=8)
def _draws(prompts: int, replicates: int, seed: int) -> NDArray[np.uint8]:
    """(replicates, prompts) how often each prompt is drawn. Kept, at most 2 MB each: a report has dozens of figures
    over as many prompts."""
    rng = np.random.default_rng(seed)
    found = np.empty((replicates, prompts), dtype=np.uint8)
    at_once = max(1, AT_ONCE // prompts)
    for start in range(0, replicates, at_once):
        now = min(at_once, replicates - start)
        picks = rng.integers(prompts, size=(now, prompts)) + np.arange(now)[:, None] * prompts
        found[start : start + now] = np.bincount(picks.ravel(), minlength=now * prompts).reshape(now, prompts)
    return found


def _accelerated(totals: Totals, value: float, drawn: Floats, level: float) -> Floats:
    """The two quantiles of the replicates to read, moved for their median bias and for skewness."""
    below = (np.mean(drawn < value) + np.mean(drawn <= value)) / 2
    bias = ndtri(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    without = totals.statistic(totals.sums.sum(axis=0) - totals.sums)
    moves = without.mean() - without if np.isfinite(without).all() else np.zeros(1)
    spread = (moves**2).sum() ** 1.5
    skew = (moves**3).sum() / (6 * spread) if spread > 0 else 0.0
    edges = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    return np.asarray(ndtr(bias + edges / (1 - skew * edges)), dtype=np.float64)


def interval_with_labelers(
    totals: Totals,
    judged: Judged,
    *,
    influence: Callable[[Floats], Floats],
    weights: Floats | None = None,
    alone: Callable[[Floats], Floats] | None = None,
    level: float = 0.95,
) -> Interval | str:
    """The interval over prompts and labelers by linearisation, or why there is none.

    influence: from the statistic's gradient in the sums, (k,), to what a pair of judgments of these values adds to it,
    (C, C). weights: (N,) what a judgment's unit is worth in that, 1 by default. alone: from the gradient to what the
    only judgment of a unit adds, (C,). Pairs that share a prompt or a labeler are not independent: see
    clusters.shared_variance. No agreement is above 1, so no interval is.
    """
    speaking = judged.labelers if alone else judged.labelers[judged.sizes() >= 2]
    if (speaking < 0).any():
        return "Some judgments name no labeler; only the interval over prompts can be had."
    value = totals.value()
    if value is None:
        return "The figure itself is undefined."
    gradient = _gradient(totals)
    gathered = PairVariance()
    table, by_itself = influence(gradient), alone(gradient) if alone else None
    for block in shared_units(judged, [table], weights=weights, alone=by_itself):
        gathered.add(block, block.sums[:, 0])
    variance = gathered.found()
    found = variance if isinstance(variance, str) else interval_around(value, variance, level=level)
    if isinstance(found, str) or found.high <= 1.0:
        return found
    return replace(found, high=1.0)


def _gradient(totals: Totals) -> Floats:
    """Of the statistic at the sums, shape (k,), by central differences: every statistic here is smooth in them."""
    at = totals.sums.sum(axis=0)
    step = 1e-5 * max(1.0, float(np.abs(at).max()))
    moved = np.concatenate([at + step * np.eye(len(at)), at - step * np.eye(len(at))])
    values = totals.statistic(moved)
    return np.asarray((values[: len(at)] - values[len(at) :]) / (2 * step), dtype=np.float64)
