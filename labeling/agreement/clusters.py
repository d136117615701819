"""Variance of a sum whose terms share prompts and labelers.

Two ratings of one prompt are alike, and so are two by one labeler. Counting them as independent makes intervals too
short: with 20 labelers of ordinary spread they cover 70 % where 95 % is written, with 5 labelers 46 %.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from labeling.agreement.figures import Floats, Interval, Ints
from labeling.agreement.shared import Shared
from labeling.agreement.sums import Tally, is_dense, numbered

FEWEST_OF_BOTH = 3
"""Below this many prompts or labelers, a variance between them is a guess."""
FEWEST_EFFECTIVE = 2.0
"""Below this many clusters of equal size, in effect one prompt or one labeler speaks for all."""
NO_VARIANCE = 1e-14
"""A standard error below 1e-7 is rounding (gradients are differences), and no certainty."""


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
    None where it has one. Degrees of freedom count clusters in effect: a hundred ratings by one busy labeler and one
    each by nineteen others are not twenty labelers' worth.
    """
    second = first if second is None else second
    few = too_few_clusters(prompts, first, second)
    if few:
        return few
    return interval_around(value, shared_variance(influence, prompts=prompts, first=first, second=second), level=level)


def interval_around(value: float, variance: "SharedVariance", *, level: float = 0.95) -> Interval | str:
    """value ± t * standard error, or why there is no such interval."""
    if variance.total <= NO_VARIANCE:
        return "Nothing varies between prompts or labelers; more are needed to see how far the figure may be off."
    half = variance.reach(level=level) * float(np.sqrt(variance.total))
    return Interval(low=value - half, high=value + half, clusters="prompts and labelers", level=level)


@dataclass(frozen=True, kw_only=True)
class SharedVariance:
    """The variance of a sum by what its terms share: a prompt, a labeler, or both.

    effective_prompts, effective_labelers: clusters of equal size that would vary as much.
    """

    prompts: float
    labelers: float
    both: float
    effective_prompts: float
    effective_labelers: float

    @property
    def total(self) -> float:
        """V_P + V_L - V_PL, and never less than the larger of V_P and V_L: the difference can come out below what one
        way alone shows, even below 0."""
        return max(self.prompts + self.labelers - self.both, self.prompts, self.labelers)

    def degrees(self, *, times: float = 1.0) -> float:
        """Degrees of freedom with `times` as many prompts and labelers: the effective number of the rarer, less one.

        Satterthwaite's, which weigh both, made shorter intervals that covered 91 to 93 % where this covers 94 to 96 %.
        """
        return times * min(self.effective_prompts, self.effective_labelers) - 1

    def reach(self, *, level: float, times: float = 1.0) -> float:
        """How many standard errors a two-sided interval of this level reaches to either side (Student's t)."""
        return float(stdtrit(self.degrees(times=times), (1 + level) / 2))


def shared_variance(influence: Floats, *, prompts: Ints, first: Ints, second: Ints | None = None) -> SharedVariance:
    """The variance of the sum of `influence`, shape (M,): products of all rows that share a prompt or a labeler.

    first, second: (M,) the labelers of a row; second is None where a row has one. V_P and V_L are multiplied by
    G / (G - 1), G the effective number of clusters: ask too_few_clusters first, since of one there is no variance.
    Source: Cameron, Gelbach and Miller 2011, "Robust inference with multiway clustering", section 2.3; two labelers a
    row: Aronow, Samii and Assenova 2015, "Cluster-robust variance estimation for dyadic data".
    """
    second = first if second is None else second
    width = int(max(first.max(initial=0), second.max(initial=0))) + 1
    of_prompts, of_labelers = effective_clusters(prompts), effective_clusters(_members(first, second))
    return SharedVariance(
        prompts=_shared_products(influence, prompts, prompts) * of_prompts / (of_prompts - 1),
        labelers=_shared_products(influence, first, second) * of_labelers / (of_labelers - 1),
        both=_shared_products(influence, prompts * width + first, prompts * width + second),
        effective_prompts=of_prompts,
        effective_labelers=of_labelers,
    )


class PairVariance:
    """The same variance for pairs of judgments, of which blocks of whole prompts come one after another, each two
    labelers of a prompt summed: what it keeps grows with the labelers and not with the judgments."""

    def __init__(self) -> None:
        self._prompts = np.zeros(3)
        """How many, their pairs, and the squares of these."""
        self._of_prompts, self._of_both = 0.0, 0.0
        self._labelers, self._two = Tally(2), Tally(1)

    def add(self, block: Shared, influence: Floats) -> None:
        """influence: (M,) what all pairs of a row of the block move the value by."""
        _, prompt = numbered(block.prompts)
        sizes = np.bincount(prompt, weights=block.pairs)
        self._prompts += np.array([len(sizes), sizes.sum(), (sizes**2).sum()])
        self._of_prompts += float((np.bincount(prompt, weights=influence) ** 2).sum())
        two = block.first != block.second
        for side, rows in ((block.first, slice(None)), (block.second, two)):
            self._labelers.add(side[rows], influence[rows], block.pairs[rows])
        of_rows = np.bincount(np.r_[block.rows[:, 0], block.rows[two, 1]], weights=np.r_[influence, influence[two]])
        self._of_both += float((of_rows**2).sum() - (influence[two] ** 2).sum())
        low, high = np.minimum(block.first, block.second)[two], np.maximum(block.first, block.second)[two]
        self._two.add((low << 32) + high, influence[two])

    def found(self) -> "SharedVariance | str":
        """Or why there is none."""
        number, pairs, squares = self._prompts.tolist()
        sizes = self._labelers.sums[:, 1]
        prompts = _effective(pairs, squares)
        labelers = _effective(float(sizes.sum()), float((sizes**2).sum()))
        few = _few(int(number), len(sizes), min(prompts, labelers))
        if few:
            return few
        of_labelers = float((self._labelers.sums[:, 0] ** 2).sum() - (self._two.sums**2).sum())
        return SharedVariance(
            prompts=self._of_prompts * prompts / (prompts - 1),
            labelers=of_labelers * labelers / (labelers - 1),
            both=self._of_both,
            effective_prompts=prompts,
            effective_labelers=labelers,
        )


def too_few_clusters(prompts: Ints, first: Ints, second: Ints | None = None) -> str:
    """Why there is no variance between these prompts and labelers; empty where there is."""
    members = _members(first, first if second is None else second)
    effective = min(effective_clusters(prompts), effective_clusters(members))
    return _few(len(_sizes(prompts)), len(_sizes(members)), effective)


def _few(prompts: int, labelers: int, effective: float) -> str:
    if min(prompts, labelers) < FEWEST_OF_BOTH:
        return f"{prompts} prompts and {labelers} labelers; an interval takes at least {FEWEST_OF_BOTH} of each."
    if effective < FEWEST_EFFECTIVE:
        return "Nearly all of it comes from one prompt or one labeler; it takes more from the others."
    return ""


def effective_clusters(clusters: Ints) -> float:
    """(M,) codes -> the number of clusters of equal size that would vary as much: (sum n)^2 / sum n^2 (Kish 1965)."""
    sizes = _sizes(clusters).astype(np.float64)
    return _effective(float(sizes.sum()), float((sizes**2).sum()))


def _effective(sizes: float, squares: float) -> float:
    return sizes**2 / squares if squares else 0.0


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
    if is_dense(clusters):
        return np.asarray(np.bincount(clusters, weights=influence), dtype=np.float64)
    _, code = numbered(clusters)
    return np.asarray(np.bincount(code, weights=influence), dtype=np.float64)


def _sizes(clusters: Ints) -> Ints:
    """How many rows each cluster has, clusters in the order of their numbers."""
    if is_dense(clusters):
        counts = np.bincount(clusters)
        return np.asarray(counts[counts > 0], dtype=np.int64)
    return np.asarray(np.unique(clusters, return_counts=True)[1], dtype=np.int64)
