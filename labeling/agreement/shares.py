"""Intervals of shares: win rates, flag rates. A share never leaves 0 to 1, and "none so far" is not "never"."""

import numpy as np
from scipy.special import stdtr, stdtrit

from labeling.agreement.clusters import (
    FEWEST_EFFECTIVE,
    FEWEST_OF_BOTH,
    NO_VARIANCE,
    shared_variance,
    too_few_clusters,
)
from labeling.agreement.figures import Figure, Floats, Interval, Ints, undefined


def share_interval(
    share: float, outcomes: Floats, *, prompts: Ints, labelers: Ints, level: float = 0.95
) -> Interval | str:
    """Wilson's interval with as many independent outcomes as the clusters are worth, or why there is none.

    outcomes: (M,) in 0 to 1, the mean of which is `share`; prompts, labelers: (M,) their clusters. The effective number
    is share (1 - share) / V, V the variance with prompts and labelers as clusters, and Student's t stands for the
    normal quantile. Where all outcomes are 0, or all 1, V says nothing: each prompt then counts as one outcome.
    Sources: Wilson 1927; Korn and Graubard 1998, "Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data" (effective number and degrees of freedom).
    """
    few = too_few_clusters(prompts, labelers)
    if few:
        return few
    variance = shared_variance((outcomes - share) / len(outcomes), prompts=prompts, first=labelers)
    spread = share * (1 - share)
    number = spread / variance.total if variance.total > NO_VARIANCE and spread > 0 else variance.effective_prompts
    low, high = _wilson(share, number, variance.reach(level=level))
    return Interval(low=low, high=high, clusters="prompts and labelers", level=level)


def even_p_value(outcomes: Floats, *, prompts: Ints, labelers: Ints) -> Figure:
    """Two-sided p-value of a share of one half, prompts and labelers as clusters (Student's t)."""
    few = too_few_clusters(prompts, labelers)
    if few:
        return undefined(few)
    share = float(outcomes.mean())
    variance = shared_variance((outcomes - share) / len(outcomes), prompts=prompts, first=labelers)
    if variance.total <= NO_VARIANCE:
        return undefined("All outcomes are the same; a test needs variation to compare with.")
    distance = abs(share - 0.5) / float(np.sqrt(variance.total))
    return Figure(value=float(2 * stdtr(variance.degrees(), -distance)), count=len(outcomes))


def ratio_interval(share: float, sums: Floats, *, level: float = 0.95) -> Interval | str:
    """Wilson's interval of a share over prompts alone, or why there is none.

    sums: (G, 2), for each prompt how many outcomes were yes and how many there were. The effective number of outcomes
    is share (1 - share) / V, V the variance of the ratio with prompts as clusters (Cochran 1977, section 6.3), and
    Student's t has the prompts' effective number less one. Where V says nothing, each prompt counts as one outcome.
    """
    return ratio_interval_of(share, moments_of(sums).sum(axis=0), level=level)


def moments_of(sums: Floats) -> Floats:
    """(G, 2) yes and outcomes of each prompt -> (G, 6) what their interval is made of, to be added up: yes, outcomes,
    yes squared, yes times outcomes, outcomes squared, 1."""
    yes, sizes = sums.T
    return np.column_stack([yes, sizes, yes**2, yes * sizes, sizes**2, np.ones(len(sums))])


def ratio_interval_of(share: float, moments: Floats, *, level: float = 0.95) -> Interval | str:
    """The same from moments_of all prompts added up, (6,)."""
    _, total, yes_squared, yes_times_size, sizes_squared, prompts = moments.tolist()
    effective = total**2 / sizes_squared
    if prompts < FEWEST_OF_BOTH or effective < FEWEST_EFFECTIVE:
        return f"{prompts:.0f} prompts, too few to see how far the figure may be off."
    # (yes - share * size) squared, of all prompts; whole and half numbers, so that nothing is lost in it.
    squared = max(0.0, yes_squared - 2 * share * yes_times_size + share**2 * sizes_squared)
    variance = squared / total**2 * effective / (effective - 1)
    spread = share * (1 - share)
    number = spread / variance if variance > NO_VARIANCE and spread > 0 else effective
    low, high = _wilson(share, number, float(stdtrit(effective - 1, (1 + level) / 2)))
    return Interval(low=low, high=high, clusters="prompts", level=level)


def _wilson(share: float, number: float, reach: float) -> tuple[float, float]:
    weight = reach**2 / number
    middle = (share + weight / 2) / (1 + weight)
    half = reach * float(np.sqrt(share * (1 - share) / number + weight / (4 * number))) / (1 + weight)
    return 0.0 if share == 0 else max(0.0, middle - half), 1.0 if share == 1 else min(1.0, middle + half)
