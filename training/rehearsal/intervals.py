"""Means with their 95 % intervals, paired by prompt. Normal approximation: there are hundreds of prompts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TWO_SIDED = 1.96
ONE_SIDED = 1.645


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error."""

    mean: float
    error: float

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.mean - TWO_SIDED * self.error

    @property
    def surely_above(self) -> float:
        """Lower bound of a one-sided test at 95 %."""
        return self.mean - ONE_SIDED * self.error

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {TWO_SIDED * self.error:.2f}"


def estimate(values: Sequence[float]) -> Estimate:
    """Raises ValueError for fewer than two values: they have no error that could be told."""
    if len(values) < 2:
        raise ValueError(f"{len(values)} values; expected at least 2")
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return Estimate(mean, math.sqrt(variance / len(values)))


Ratings = Mapping[str, float]
"""What a system got, by prompt."""


def difference(better: Ratings, worse: Ratings) -> Estimate:
    """Mean of the differences on the same prompts. Raises ValueError if the prompts are not the same."""
    return estimate([after - before for after, before in _paired(better, worse)])


def _paired(one: Ratings, other: Ratings) -> list[tuple[float, float]]:
    if one.keys() != other.keys():
        raise ValueError(f"the two have {len(one.keys() ^ other.keys())} prompts that only one of them answered")
    return [(value, other[prompt]) for prompt, value in one.items()]


def clustered_difference(better: Ratings, worse: Ratings, clusters: Mapping[str, str]) -> Estimate:
    """As `difference`, but prompts of a cluster may be alike: what a model knows of a creature shows in all of them."""
    values = {prompt: after - worse[prompt] for prompt, after in better.items()}
    mean = sum(values.values()) / len(values)
    sums: dict[str, float] = {}
    for prompt, value in values.items():
        sums[clusters[prompt]] = sums.get(clusters[prompt], 0.0) + value - mean
    correction = len(sums) / (len(sums) - 1)
    return Estimate(mean, math.sqrt(correction * sum(total**2 for total in sums.values())) / len(values))


def gain_at_equal_length(gains: Ratings, longer_by: Ratings) -> Estimate:
    """The gain that a straight line over the difference in length has where that difference is 0.

    Raises ValueError for fewer than three prompts, through which a line would pass without error.
    """
    pairs = _paired(gains, longer_by)
    count = len(pairs)
    if count < 3:
        raise ValueError(f"{count} prompts; expected at least 3")
    mean_gain, mean_longer = (sum(column) / count for column in zip(*pairs, strict=True))
    spread = sum((longer - mean_longer) ** 2 for _, longer in pairs)
    if spread == 0:
        return estimate([gain for gain, _ in pairs])
    slope = sum((gain - mean_gain) * (longer - mean_longer) for gain, longer in pairs) / spread
    start = mean_gain - slope * mean_longer
    residual = sum((gain - start - slope * longer) ** 2 for gain, longer in pairs) / (count - 2)
    return Estimate(start, math.sqrt(residual * (1 / count + mean_longer**2 / spread)))
