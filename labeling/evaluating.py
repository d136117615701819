"""What people's ratings say of generators: means, differences, win rates, flags, and how sure that is.

Pure functions on plain data. Every interval takes both prompts and labelers as clusters: two ratings of one prompt are
alike, and so are two by one labeler. The estimator (two-way cluster variance, Student's t with effective degrees of
freedom) was chosen because its coverage holds in simulation; docs/agreement.md has the table.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TypeVar

import numpy as np
from scipy.special import ndtri, stdtr

from labeling.agreement.clusters import (
    NO_VARIANCE,
    SharedVariance,
    clustered_interval,
    codes,
    shared_variance,
    too_few_clusters,
)
from labeling.agreement.figures import Figure, Floats, Ints, undefined
from labeling.agreement.shares import share_interval

Cell = TypeVar("Cell", bound=Hashable)
MOST_TIMES = 1000
"""A difference that would take more than this many times the ratings is called none."""


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One labeler's rating of one response. generator: whatever is compared; a pair (generator, cohort of the rater)
    makes a cell of a two-by-two evaluation. value: 1 to 7, or None where it was not answered."""

    generator: Hashable
    prompt: Hashable
    labeler: Hashable
    value: float | None


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Answered ratings as arrays of shape (M,), with each rating's weight in the estimate."""

    generators: Ints
    prompts: Ints
    labelers: Ints
    values: Floats
    weights: Floats
    shared_prompts: int


def mean_rating(ratings: Iterable[Rating], *, generator: Hashable, level: float = 0.95) -> Figure:
    """The mean over prompts of a prompt's mean rating, so that every prompt counts alike; `count` is the ratings."""
    return contrast(ratings, {generator: 1.0}, level=level)


def mean_difference(
    ratings: Iterable[Rating], *, generator: Hashable, baseline: Hashable, level: float = 0.95
) -> Figure:
    """generator less baseline, paired: only prompts rated for both count, each alike. `count` is the ratings."""
    return contrast(ratings, {generator: 1.0, baseline: -1.0}, level=level)


def contrast(ratings: Iterable[Rating], cells: Mapping[Cell, float], *, level: float = 0.95) -> Figure:
    """The sum over cells of coefficient * mean rating, on the prompts that were rated in every cell.

    With cells (A, x): 1, (A, y): -1, (B, x): -1, (B, y): 1 it is the interaction of a two-by-two evaluation.
    """
    coefficients: dict[Hashable, float] = {cell: coefficient for cell, coefficient in cells.items()}
    rows = _rows(list(ratings), coefficients)
    if isinstance(rows, str):
        return undefined(rows)
    value = float((rows.weights * rows.values).sum())
    figure = Figure(value=value, count=len(rows.values))
    return figure.with_interval(
        clustered_interval(value, _influence(rows), prompts=rows.prompts, first=rows.labelers, level=level)
    )


def paired_p_value(ratings: Iterable[Rating], *, generator: Hashable, baseline: Hashable) -> Figure:
    """Two-sided p-value of no difference, from the same standard error and degrees of freedom as the interval."""
    rows = _rows(list(ratings), {generator: 1.0, baseline: -1.0})
    if isinstance(rows, str):
        return undefined(rows)
    few = too_few_clusters(rows.prompts, rows.labelers)
    if few:
        return undefined(few)
    variance = _variance(rows)
    if variance.total <= NO_VARIANCE:
        return undefined("Nothing varies between prompts or labelers; a test needs variation to compare with.")
    distance = abs(float((rows.weights * rows.values).sum())) / sqrt(variance.total)
    return Figure(value=float(2 * stdtr(variance.degrees(), -distance)), count=len(rows.values))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values for several comparisons at once: the chance of even one false claim stays below what is written.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, at in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[at]))
        adjusted[at] = highest
    return adjusted


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One labeler's comparison on one prompt: 1 the generator is better, 0 the baseline, a half for a tie."""

    prompt: Hashable
    labeler: Hashable
    value: float


def outcomes(ratings: Iterable[Rating], *, generator: Hashable, baseline: Hashable) -> list[Outcome]:
    """Whose rating is higher, wherever one labeler rated both on one prompt (several responses: their mean)."""
    values: dict[tuple[Hashable, Hashable], dict[Hashable, list[float]]] = {}
    for one in ratings:
        if one.value is not None and one.generator in (generator, baseline):
            values.setdefault((one.prompt, one.labeler), {}).setdefault(one.generator, []).append(one.value)
    found = []
    for (prompt, labeler), by_generator in values.items():
        if len(by_generator) == 2:
            ours, theirs = (sum(some) / len(some) for some in (by_generator[generator], by_generator[baseline]))
            found.append(Outcome(prompt=prompt, labeler=labeler, value=((ours > theirs) + (ours >= theirs)) / 2))
    return found


def win_rate(compared: Sequence[Outcome], *, level: float = 0.95) -> Figure:
    """The share of comparisons that the generator won, a tie counting half to each; `count` is the comparisons."""
    if not compared:
        return undefined("Nobody compared the two on the same prompt; rate or rank both with the same labelers.")
    return _share([one.value for one in compared], compared, level)


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One labeler's answer to one yes-or-no question about one response; None where it was not answered."""

    prompt: Hashable
    labeler: Hashable
    value: bool | None


def flag_rate(flags: Iterable[Flag], *, level: float = 0.95) -> Figure:
    """The share of answers that are yes; unanswered is not no. `count` is the answers."""
    answered = [one for one in flags if one.value is not None]
    if not answered:
        return undefined("Nobody answered this flag.")
    return _share([float(bool(one.value)) for one in answered], answered, level)


@dataclass(frozen=True, kw_only=True)
class Settling:
    """What it would take for the interval of a difference to leave 0, with this chance, if the difference is real.

    more_ratings: beyond those there are, with prompts and labelers growing in proportion to `prompts` and `labelers`;
    0 where it is settled. same_labelers_suffice: whether more prompts for the same people could do it as well.
    """

    difference: float
    power: float
    more_ratings: int
    prompts: int
    labelers: int
    same_labelers_suffice: bool


def settling(
    ratings: Iterable[Rating],
    *,
    generator: Hashable,
    baseline: Hashable,
    difference: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> Settling | str:
    """How many more ratings would settle a difference, or why that cannot be said.

    difference: the smallest that matters; by default the one observed, which is optimistic where it came out large by
    luck. The variance falls as prompts and labelers grow together; what labelers differ by falls with labelers alone.
    """
    rows = _rows(list(ratings), {generator: 1.0, baseline: -1.0})
    if isinstance(rows, str):
        return rows
    few = too_few_clusters(rows.prompts, rows.labelers)
    if few:
        return few
    variance = _variance(rows)
    seen = float((rows.weights * rows.values).sum())
    wanted = abs(seen) if difference is None else abs(difference)
    if variance.total <= NO_VARIANCE:
        return "Nothing varies between prompts or labelers; how many ratings it takes cannot be told from these."
    times = _times(wanted, variance, power, level)
    if times is None:
        return f"A difference of {wanted:.3g} would take more than {MOST_TIMES} times the ratings; count it as none."
    if difference is None and variance.reach(level=level) ** 2 * variance.total < seen**2:
        times = 1.0
    floor = max(0.0, variance.labelers - variance.both)
    reach = variance.reach(level=level) + float(ndtri(power))
    return Settling(
        difference=wanted,
        power=power,
        more_ratings=max(0, ceil((times - 1) * len(rows.values))),
        prompts=ceil(max(1.0, times) * rows.shared_prompts),
        labelers=ceil(max(1.0, times) * len(np.unique(rows.labelers))),
        same_labelers_suffice=times <= 1 or reach**2 * floor < wanted**2,
    )


def _times(wanted: float, variance: SharedVariance, power: float, level: float) -> float | None:
    """By how much prompts and labelers must grow, in doublings refined by halves; None beyond MOST_TIMES."""

    def enough(times: float) -> bool:
        reach = variance.reach(level=level, times=times) + float(ndtri(power))
        return reach**2 * variance.total / times <= wanted**2

    if not enough(MOST_TIMES):
        return None
    low, high = 1.0, float(MOST_TIMES)
    if enough(low):
        return low
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _rows(ratings: Sequence[Rating], cells: Mapping[Hashable, float]) -> _Rows | str:
    """The answered ratings on the prompts that every cell has; the weight of one is coefficient / (prompts * ratings
    of its cell on its prompt). Or which cell is missing."""
    used = [one for one in ratings if one.value is not None and one.generator in cells]
    missing = [cell for cell in cells if not any(one.generator == cell for one in used)]
    if missing:
        return f"Nobody rated {missing[0]}."
    by_prompt: dict[Hashable, dict[Hashable, int]] = {}
    for one in used:
        by_cell = by_prompt.setdefault(one.prompt, {})
        by_cell[one.generator] = by_cell.get(one.generator, 0) + 1
    shared = {prompt for prompt, by_cell in by_prompt.items() if len(by_cell) == len(cells)}
    if not shared:
        return "No prompt was rated for all of " + ", ".join(str(cell) for cell in cells) + "."
    kept = [one for one in used if one.prompt in shared]
    weights = [cells[one.generator] / (len(shared) * by_prompt[one.prompt][one.generator]) for one in kept]
    return _Rows(
        generators=codes(one.generator for one in kept),
        prompts=codes(one.prompt for one in kept),
        labelers=codes(one.labeler for one in kept),
        values=np.array([one.value for one in kept], dtype=np.float64),
        weights=np.array(weights, dtype=np.float64),
        shared_prompts=len(shared),
    )


def _influence(rows: _Rows) -> Floats:
    """What each rating moves the estimate by: its weight times its distance from its own cell's mean."""
    absolute = np.abs(rows.weights)
    means = np.bincount(rows.generators, weights=absolute * rows.values) / np.bincount(rows.generators, absolute)
    return np.asarray(rows.weights * (rows.values - means[rows.generators]), dtype=np.float64)


def _variance(rows: _Rows) -> SharedVariance:
    return shared_variance(_influence(rows), prompts=rows.prompts, first=rows.labelers)


def _share(values: Sequence[float], clusters: Sequence[Outcome] | Sequence[Flag], level: float) -> Figure:
    shares = np.array(values, dtype=np.float64)
    share = float(shares.mean())
    return Figure(value=share, count=len(shares)).with_interval(
        share_interval(
            share,
            shares,
            prompts=codes(one.prompt for one in clusters),
            labelers=codes(one.labeler for one in clusters),
            level=level,
        )
    )
