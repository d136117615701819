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
from labeling.agreement.figures import Bools, Figure, Floats, Ints, undefined
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
class Ratings:
    """Ratings as arrays of shape (M,), for where there are a great many.

    generators: codes of `names`; prompts, labelers: numbers from 0 that tell them apart; values: NaN where unanswered.
    """

    generators: Ints
    prompts: Ints
    labelers: Ints
    values: Floats
    names: tuple[Hashable, ...]

    @classmethod
    def of(cls, ratings: "Given") -> "Ratings":
        if isinstance(ratings, Ratings):
            return ratings
        given = list(ratings)
        return cls(
            generators=codes(one.generator for one in given),
            prompts=codes(one.prompt for one in given),
            labelers=codes(one.labeler for one in given),
            values=np.array([np.nan if one.value is None else one.value for one in given], dtype=np.float64),
            names=tuple(dict.fromkeys(one.generator for one in given)),
        )


Given = Ratings | Iterable[Rating]


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Answered ratings as arrays of shape (M,), with each rating's weight in the estimate. generators: places in the
    cells."""

    generators: Ints
    prompts: Ints
    labelers: Ints
    values: Floats
    weights: Floats
    shared_prompts: int


def mean_rating(ratings: Given, *, generator: Hashable, level: float = 0.95) -> Figure:
    """The mean over prompts of a prompt's mean rating, so that every prompt counts alike; `count` is the ratings."""
    return contrast(ratings, {generator: 1.0}, level=level)


def mean_difference(ratings: Given, *, generator: Hashable, baseline: Hashable, level: float = 0.95) -> Figure:
    """generator less baseline, paired: only prompts rated for both count, each alike. `count` is the ratings."""
    if generator == baseline:
        return undefined("This is the baseline; it differs by nothing from itself.")
    return contrast(ratings, {generator: 1.0, baseline: -1.0}, level=level)


def contrast(ratings: Given, cells: Mapping[Cell, float], *, level: float = 0.95) -> Figure:
    """The sum over cells of coefficient * mean rating, on the prompts that were rated in every cell.

    With cells (A, x): 1, (A, y): -1, (B, x): -1, (B, y): 1 it is the interaction of a two-by-two evaluation.
    """
    coefficients: dict[Hashable, float] = {cell: coefficient for cell, coefficient in cells.items()}
    rows = _rows(Ratings.of(ratings), coefficients)
    if isinstance(rows, str):
        return undefined(rows)
    value = float((rows.weights * rows.values).sum())
    figure = Figure(value=value, count=len(rows.values))
    return figure.with_interval(
        clustered_interval(value, _influence(rows), prompts=rows.prompts, first=rows.labelers, level=level)
    )


def interaction(one: tuple[Cell, Cell], other: tuple[Cell, Cell]) -> dict[Cell, float]:
    """The contrast of a two-by-two evaluation: by how much more each cohort likes what was written for it than the
    other does. one: what was written for the first cohort, as rated by (the first, the second); other: what was written
    for the second, as rated by the same two in the same order."""
    return {one[0]: 1.0, one[1]: -1.0, other[0]: -1.0, other[1]: 1.0}


def for_ones_own(own: Sequence[Cell], beside: Sequence[Cell]) -> dict[Cell, float]:
    """The contrast of shared quality: what each cohort gives to what was written for it (own), less what it gives to
    what is set beside it, in the mean of the cohorts, each alike."""
    share = 1 / len(own)
    return {cell: share for cell in own} | {cell: -share for cell in beside}


def paired_p_value(ratings: Given, *, generator: Hashable, baseline: Hashable) -> Figure:
    """Two-sided p-value of no difference, from the same standard error and degrees of freedom as the interval."""
    return contrast_p_value(ratings, {generator: 1.0, baseline: -1.0})


def contrast_p_value(ratings: Given, cells: Mapping[Cell, float]) -> Figure:
    """Two-sided p-value of a contrast that is 0."""
    coefficients: dict[Hashable, float] = {cell: coefficient for cell, coefficient in cells.items()}
    rows = _rows(Ratings.of(ratings), coefficients)
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


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One labeler's answer to one yes-or-no question about one response; None where it was not answered."""

    prompt: Hashable
    labeler: Hashable
    value: bool | None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Outcomes or flags as arrays of shape (M,). values: 0 to 1, NaN where unanswered."""

    prompts: Ints
    labelers: Ints
    values: Floats

    @classmethod
    def of(cls, given: "Answers | Iterable[Outcome] | Iterable[Flag]") -> "Answers":
        """The answered ones."""
        if isinstance(given, Answers):
            said = np.isfinite(given.values)
            return cls(prompts=given.prompts[said], labelers=given.labelers[said], values=given.values[said])
        answered = [one for one in given if one.value is not None]
        return cls(
            prompts=codes(one.prompt for one in answered),
            labelers=codes(one.labeler for one in answered),
            values=np.array([one.value for one in answered], dtype=np.float64),
        )


def outcomes(ratings: Given, *, generator: Hashable, baseline: Hashable) -> Answers:
    """Whose rating is higher, wherever one labeler rated both on one prompt (several responses: their mean)."""
    given = Ratings.of(ratings)
    sides = [given.names.index(name) if name in given.names else -1 for name in (generator, baseline)]
    said = np.isfinite(given.values) & np.isin(given.generators, sides)
    ours = (given.generators[said] == sides[0]).astype(np.int64)
    width = int(given.labelers.max(initial=0)) + 1
    both, place = np.unique(given.prompts[said] * width + given.labelers[said], return_inverse=True)
    cells = 2 * place + ours
    counts = np.bincount(cells, minlength=2 * len(both)).reshape(-1, 2)
    sums = np.bincount(cells, weights=given.values[said], minlength=2 * len(both)).reshape(-1, 2)
    compared = (counts > 0).all(axis=1)
    theirs, own = (sums[compared] / counts[compared]).T
    return Answers(
        prompts=both[compared] // width,
        labelers=both[compared] % width,
        values=((own > theirs).astype(np.float64) + (own >= theirs)) / 2,
    )


def win_rate(compared: Answers | Iterable[Outcome], *, level: float = 0.95) -> Figure:
    """The share of comparisons that the generator won, a tie counting half to each; `count` is the comparisons."""
    nobody = "Nobody compared the two on the same prompt; rate or rank both with the same labelers."
    return _share(Answers.of(compared), nobody, level)


def flag_rate(flags: Answers | Iterable[Flag], *, level: float = 0.95) -> Figure:
    """The share of answers that are yes; unanswered is not no. `count` is the answers."""
    return _share(Answers.of(flags), "Nobody answered this flag.", level)


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
    ratings: Given,
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
    rows = _rows(Ratings.of(ratings), {generator: 1.0, baseline: -1.0})
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
        return f"A difference of {wanted:.3g} would take more than {MOST_TIMES} times the ratings: too small to settle."
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


def _rows(given: Ratings, cells: Mapping[Hashable, float]) -> _Rows | str:
    """The answered ratings on the prompts that every cell has; the weight of one is coefficient / (prompts * ratings
    of its cell on its prompt). Or which cell is missing."""
    cell_of = np.full(len(given.names), -1, dtype=np.int64)
    for place, name in enumerate(cells):
        if name in given.names:
            cell_of[given.names.index(name)] = place
    cell_of_each: Ints = cell_of[given.generators]
    used: Ints = np.flatnonzero(np.isfinite(given.values) & (cell_of_each >= 0))
    cell: Ints = cell_of_each[used]
    rated = np.bincount(cell, minlength=len(cells))
    if not rated.all():
        return f"Nobody rated {list(cells)[int(rated.argmin())]}."
    prompts: Ints = given.prompts[used]
    number = int(prompts.max()) + 1
    by_prompt = np.bincount(prompts * len(cells) + cell, minlength=number * len(cells)).reshape(number, len(cells))
    shared: Bools = np.asarray((by_prompt > 0).all(axis=1))
    if not shared.any():
        return "No prompt was rated for all of " + ", ".join(str(name) for name in cells) + "."
    kept = shared[prompts]
    cell, prompts, rows = cell[kept], prompts[kept], used[kept]
    shared_prompts = int(shared.sum())
    coefficients = np.array(list(cells.values()), dtype=np.float64)
    return _Rows(
        generators=cell,
        prompts=prompts,
        labelers=given.labelers[rows],
        values=given.values[rows],
        weights=coefficients[cell] / (shared_prompts * by_prompt[prompts, cell]),
        shared_prompts=shared_prompts,
    )


def _influence(rows: _Rows) -> Floats:
    """What each rating moves the estimate by: its weight times its distance from its own cell's mean."""
    absolute = np.abs(rows.weights)
    means = np.bincount(rows.generators, weights=absolute * rows.values) / np.bincount(rows.generators, absolute)
    return np.asarray(rows.weights * (rows.values - means[rows.generators]), dtype=np.float64)


def _variance(rows: _Rows) -> SharedVariance:
    return shared_variance(_influence(rows), prompts=rows.prompts, first=rows.labelers)


def _share(answers: Answers, nobody: str, level: float) -> Figure:
    if not len(answers.values):
        return undefined(nobody)
    share = float(answers.values.mean())
    return Figure(value=share, count=len(answers.values)).with_interval(
        share_interval(share, answers.values, prompts=answers.prompts, labelers=answers.labelers, level=level)
    )
