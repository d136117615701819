"""Variance of a sum whose terms share prompts and labelers.

Two ratings of one prompt are alike, and so are two by one labeler. Counting them as independent makes intervals too
short: with 20 labelers of ordinary spread, rows taken as independent cover 50 to 70 % where 95 % is written.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from labeling.agreement.figures import Floats, Interval, Ints

FEWEST_OF_BOTH = 3
"""Below this many prompts or labelers, a variance between them is a guess."""
FEWEST_EFFECTIVE = 2.0
"""Below this many clusters of equal size, in effect one prompt or one labeler speaks for all."""


def codes(names: Iterable[Hashable]) -> Ints:
    """Names to numbers from 0, in the order of first meeting."""
    code: dict[Hashable, int] = {}
    return np.array([code.setdefault(name, len(code)) for name in names], dtype=np.int64)


def clustered_interval(
    value: float,
    influence: Floats,
    *,
    prompts: Ints,
    first: Ints,
    second: Ints | None = None,
    level: float = 0.95,
) -> Interval | str:
    """value ± t * standard error with prompts and labelers as clusters, or why there is no such interval.

    influence: (M,) what each row moves the value by; its sum is about 0. first, second: the labelers of a row, second
    None where it has one. Student's t with as many degrees of freedom as the rarer cluster has in effect, less one:
    a hundred ratings by one busy labeler and one each by nineteen others are not twenty labelers' worth.
    """
    second = first if second is None else second
    effective = enough_clusters(prompts, first, second)
    if isinstance(effective, str):
        return effective
    variance = shared_variance(influence, prompts=prompts, first=first, second=second).total
    if variance <= 1e-24:
        return "Nothing varies between prompts or labelers; more are needed to see how far the figure may be off."
    half = t_quantile(effective - 1, level=level) * float(np.sqrt(variance))
    return Interval(low=value - half, high=value + half, clusters="prompts and labelers", level=level)


@dataclass(frozen=True, kw_only=True)
class SharedVariance:
    """The variance of a sum by what its terms share: a prompt, a labeler, or both."""

    prompts: float
    labelers: float
    both: float

    @property
    def total(self) -> float:
        """V_P + V_L - V_PL, and never less than the larger of V_P and V_L: the difference can come out below what one
        way alone shows, even below 0."""
        return max(self.prompts + self.labelers - self.both, self.prompts, self.labelers)


def shared_variance(influence: Floats, *, prompts: Ints, first: Ints, second: Ints | None = None) -> SharedVariance:
    """The variance of the sum of `influence`, shape (M,): products of all rows that share a prompt or a labeler.

    first, second: (M,) the labelers of a row; second is None where a row has one. V_P and V_L are multiplied by
    G / (G - 1), G the effective number of clusters.
    Source: Cameron, Gelbach and Miller 2011, "Robust inference with multiway clustering", section 2.3; two labelers a
    row: Aronow, Samii and Assenova 2015, "Cluster-robust variance estimation for dyadic data".
    """
    second = first if second is None else second
    width = int(max(first.max(initial=0), second.max(initial=0))) + 1
    return SharedVariance(
        prompts=_shared_products(influence, prompts, prompts) * _small_sample(prompts),
        labelers=_shared_products(influence, first, second) * _small_sample(_members(first, second)),
        both=_shared_products(influence, prompts * width + first, prompts * width + second),
    )


def enough_clusters(prompts: Ints, first: Ints, second: Ints) -> float | str:
    """The effective number of prompts or of labelers, whichever is smaller, or why they are too few."""
    members = _members(first, second)
    fewest = min(len(np.unique(prompts)), len(np.unique(members)))
    if fewest < FEWEST_OF_BOTH:
        return (
            f"{len(np.unique(prompts))} prompts and {len(np.unique(members))} labelers; "
            f"an interval takes at least {FEWEST_OF_BOTH} of each."
        )
    effective = min(effective_clusters(prompts), effective_clusters(members))
    if effective < FEWEST_EFFECTIVE:
        return "Nearly all of it comes from one prompt or one labeler; it takes more from the others."
    return effective


def effective_clusters(clusters: Ints) -> float:
    """(M,) codes -> the number of clusters of equal size that would vary as much: (sum n)^2 / sum n^2 (Kish 1965)."""
    sizes = np.unique(clusters, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def t_quantile(degrees: float, *, level: float) -> float:
    """How many standard errors a two-sided interval of this level reaches."""
    return float(stdtrit(degrees, (1 + level) / 2))


def _members(first: Ints, second: Ints) -> Ints:
    """Who takes part in the rows: both labelers of a row, the only one once."""
    return np.r_[first, second[first != second]]


def _shared_products(influence: Floats, first: Ints, second: Ints) -> float:
    """Sum of the products of all two rows that share a member. Rows with the same two members would count twice: once
    is taken back."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    two = low != high
    sums = _sums(np.r_[influence, influence[two]], np.r_[low, high[two]])
    same = _sums(influence[two], low[two] * (int(high.max(initial=0)) + 1) + high[two])
    return float((sums**2).sum() - (same**2).sum())


def _sums(influence: Floats, clusters: Ints) -> Floats:
    found, code = np.unique(clusters, return_inverse=True)
    return np.asarray(np.bincount(code, weights=influence, minlength=len(found)), dtype=np.float64)


def _small_sample(clusters: Ints) -> float:
    effective = effective_clusters(clusters)
    return effective / (effective - 1) if effective > 1 + 1e-9 else 1.0
