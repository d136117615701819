"""Does the place on the screen or the length of a text decide?

Position: the order of responses is drawn at random for every assignment, so without position bias the best-ranked
response stands at each place equally often, whatever labelers like, however much they differ, and however many
responses come from one model. The null hypothesis is made true by us, not assumed: that is why Pearson's chi-square is
right here although prompts and labelers repeat. Length has no such guarantee: long answers may be better ones.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from labeling.agreement.clusters import codes
from labeling.agreement.figures import Figure, Floats, Ints, undefined
from labeling.agreement.shares import share_interval

FEWEST_EXPECTED = 5.0
"""Below this many expected first places a position, chi-square is too rough; the shuffles are drawn again instead."""
REDRAWS = 9_999


@dataclass(frozen=True, kw_only=True)
class PositionBias:
    """First places by shown position among judgments of K responses, and how surprising they are.

    rates: (K,) shares of first place, the first position first; a shared first place is shared out.
    p_value: chance of a departure from 1/K at least as large with no position bias; undefined where nothing was ranked.
    method: "chi-square" or "redrawn orders".
    """

    responses: int
    judgments: int
    rates: tuple[float, ...]
    p_value: Figure
    method: str


def position_bias(shown_ranks: Iterable[Sequence[int | None]], *, seed: int = 0) -> list[PositionBias]:
    """One answer for each K that occurs. shown_ranks: a judgment's ranks in the order in which responses were shown.

    Judgments with a missing rank, and those that tie everything, say nothing about position and are left out.
    The statistic is sum over positions of (first places - n / K)^2, divided by the variance that random orders give
    it: for a judgment with t responses tied for first that is 1 / (t K) - 1 / K^2, which makes it Pearson's chi-square
    with K - 1 degrees of freedom where nothing is tied.
    """
    groups: dict[int, list[Sequence[int]]] = defaultdict(list)
    for ranks in shown_ranks:
        given = [rank for rank in ranks if rank is not None]
        if len(given) == len(ranks) and len(set(given)) > 1:
            groups[len(given)].append(given)
    return [position_bias_of(np.array(group, dtype=np.int64), seed=seed) for _, group in sorted(groups.items())]


def position_bias_of(ranks: Ints, *, seed: int = 0) -> PositionBias:
    """Of judgments of one size: ranks (S, K) in the order shown, none missing and no row all tied."""
    judgments, responses = ranks.shape
    best = ranks == ranks.min(axis=1, keepdims=True)
    shares = best / best.sum(axis=1, keepdims=True)
    firsts = shares.sum(axis=0)
    departure = float(((firsts - judgments / responses) ** 2).sum())
    enough = judgments / responses >= FEWEST_EXPECTED
    p_value = _chi_square(best, departure) if enough else _redrawn(shares, departure, seed)
    return PositionBias(
        responses=responses,
        judgments=judgments,
        rates=tuple(float(rate) for rate in firsts / judgments),
        p_value=Figure(value=p_value, count=judgments),
        method="chi-square" if enough else "redrawn orders",
    )


def _chi_square(best: np.ndarray[tuple[int, int], np.dtype[np.bool_]], departure: float) -> float:
    responses = best.shape[1]
    variance = float((1 / (best.sum(axis=1) * responses) - 1 / responses**2).sum())
    return float(chdtrc(responses - 1, departure * (responses - 1) / (responses * variance)))


def _redrawn(shares: Floats, departure: float, seed: int) -> float:
    """The share of redrawn orders that depart as far; the order that was shown counts as one of them."""
    rng = np.random.default_rng(seed)
    judgments, responses = shares.shape
    drawn = rng.permuted(np.broadcast_to(shares, (REDRAWS, judgments, responses)), axis=2).sum(axis=1)
    further = ((drawn - judgments / responses) ** 2).sum(axis=1) >= departure - 1e-9
    return float((1 + further.sum()) / (1 + REDRAWS))


@dataclass(frozen=True, kw_only=True)
class JudgedLengths:
    """One labeler's ranks of the responses to a prompt, with the responses' lengths (tokens or characters)."""

    prompt: Hashable
    labeler: Hashable
    ranks: Sequence[int | None]
    lengths: Sequence[int]


def longer_preferred(judgments: Iterable[JudgedLengths], *, margin: float = 0.0, level: float = 0.95) -> Figure:
    """Of the pairs that one labeler did not tie, the share where the longer response won; `count` is these pairs.

    margin: pairs count only where the longer is longer by more than this share of the shorter (0.1: by a tenth).
    The interval takes prompts and labelers as clusters. A share above one half proves no bias by itself: compare it
    between cohorts, and with the gain at equal length.
    """
    won: list[float] = []
    prompts: list[Hashable] = []
    labelers: list[Hashable] = []
    for judged in judgments:
        for outcome in _longer_won(judged, margin):
            won.append(outcome)
            prompts.append(judged.prompt)
            labelers.append(judged.labeler)
    return longer_won(np.array(won, dtype=np.float64), prompts=codes(prompts), labelers=codes(labelers), level=level)


def longer_won(outcomes: Floats, *, prompts: Ints, labelers: Ints, level: float = 0.95) -> Figure:
    """The same from pairs as arrays: outcomes (M,) is 1 where the longer response won, 0 where the shorter did."""
    if not len(outcomes):
        return undefined("No two responses differ in length and in rank; length can decide nothing here.")
    rate = float(outcomes.mean())
    return Figure(value=rate, count=len(outcomes)).with_interval(
        share_interval(rate, outcomes, prompts=prompts, labelers=labelers, level=level)
    )


def _longer_won(judged: JudgedLengths, margin: float) -> Iterable[float]:
    if len(judged.lengths) != len(judged.ranks):
        raise ValueError(
            f"Prompt {judged.prompt!r} has {len(judged.ranks)} ranks and {len(judged.lengths)} lengths; give as many."
        )
    both = [(rank, length) for rank, length in zip(judged.ranks, judged.lengths, strict=True) if rank is not None]
    for at, (rank, length) in enumerate(both):
        for other_rank, other_length in both[at + 1 :]:
            if rank != other_rank and max(length, other_length) > min(length, other_length) * (1 + margin):
                yield float((length > other_length) == (rank < other_rank))
