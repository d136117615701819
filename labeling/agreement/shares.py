"""Intervals of shares: win rates, flag rates. A share never leaves 0 to 1, and "none so far" is not "never"."""

import numpy as np

from labeling.agreement.clusters import NO_VARIANCE, shared_variance, too_few_clusters
from labeling.agreement.figures import Floats, Interval, Ints


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


def _wilson(share: float, number: float, reach: float) -> tuple[float, float]:
    weight = reach**2 / number
    middle = (share + weight / 2) / (1 + weight)
    half = reach * float(np.sqrt(share * (1 - share) / number + weight / (4 * number))) / (1 + weight)
    return 0.0 if share == 0 else max(0.0, middle - half), 1.0 if share == 1 else min(1.0, middle + half)
