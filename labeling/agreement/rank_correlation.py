"""Kendall's tau-b and W: do labelers put the responses to one prompt in the same order."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations

import numpy as np

from labeling.agreement.figures import Figure, Floats, Interval, Totals, undefined
from labeling.agreement.intervals import bootstrap_by_prompt
from labeling.agreement.rankings import Ranking, check_lengths, order

Ranks = Sequence[int | None]


def tau_b(first: Ranks, second: Ranks) -> Figure:
    """(concordant - discordant) / sqrt(pairs the first does not tie * pairs the second does not tie).

    Over the responses that both ranked; `count` is their pairs. Source: Kendall 1945, "The treatment of ties in
    ranking problems", section 3 (the variant scipy.stats.kendalltau calls b).
    """
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    signs = [(order(a, c), order(b, d)) for (a, b), (c, d) in combinations(both, 2)]
    if not signs:
        return undefined(f"Both ranked {len(both)} of the responses; an order needs two.")
    moves = np.array(signs, dtype=np.float64)
    untied = (moves**2).sum(axis=0)
    if not untied.all():
        return undefined("A labeler ranked all responses as equal; there is no order to correlate with.")
    return Figure(value=float((moves[:, 0] * moves[:, 1]).sum() / np.sqrt(untied.prod())), count=len(signs))


def mean_tau_b(rankings: Iterable[Ranking], *, bootstrap: bool = False) -> Figure:
    """Mean of tau-b over all pairs of labelers who ranked the same prompt, each pair once; `count` is these pairs.

    Pairs without a tau (all tied, fewer than two responses ranked by both) are left out. With bootstrap, an interval
    over prompts.
    """
    groups = _by_prompt(rankings)
    found = [
        [tau_b(one.ranks, other.ranks).value for one, other in combinations(group, 2)] for group in groups.values()
    ]
    return _mean([[tau for tau in taus if tau is not None] for taus in found], bootstrap, "tau")


def concordance(rankings: Sequence[Ranks]) -> Figure:
    """Kendall's W of the rankings of one prompt: 0 no concordance, 1 the same order by all; `count` is the labelers.

    W = 12 S / (m^2 (n^3 - n) - m T), S the sum of squared deviations of the rank sums of n responses by m labelers,
    ranks within ties averaged, T the sum of t^3 - t over every group of t tied responses. Responses that some did not
    rank are left out for all. Source: Kendall and Babington Smith 1939; ties: Kendall 1948, chapter 6.
    """
    if len(rankings) < 2:
        return undefined("One ranking alone; concordance needs two labelers.")
    table = np.array([[np.nan if rank is None else rank for rank in ranks] for ranks in rankings], dtype=np.float64)
    table = table[:, np.isfinite(table).all(axis=0)]
    labelers, responses = table.shape
    if responses < 2:
        return undefined(f"All labelers ranked {responses} of the responses; an order needs two.")
    midranks = _midranks(table)
    sums = midranks.sum(axis=0)
    scatter = ((sums - sums.mean()) ** 2).sum()
    tied = sum(float(size**3 - size) for row in midranks for size in np.unique(row, return_counts=True)[1])
    most = labelers**2 * (responses**3 - responses) - labelers * tied
    if most <= 0:
        return undefined("Every labeler ranked all responses as equal; there is no order to agree on.")
    return Figure(value=float(12 * scatter / most), count=labelers)


def _midranks(table: Floats) -> Floats:
    """(m, n) ranks -> (m, n), 1 to n in each row, tied ones sharing the mean of their places."""
    behind = (table[:, :, None] > table[:, None, :]).sum(axis=2)
    alike = (table[:, :, None] == table[:, None, :]).sum(axis=2)
    return np.asarray(behind + (alike + 1) / 2, dtype=np.float64)


def mean_concordance(rankings: Iterable[Ranking], *, bootstrap: bool = False) -> Figure:
    """Mean of Kendall's W over prompts with two or more rankings; `count` is these prompts."""
    found = [concordance([ranking.ranks for ranking in group]).value for group in _by_prompt(rankings).values()]
    return _mean([[] if value is None else [value] for value in found], bootstrap, "W")


def _by_prompt(rankings: Iterable[Ranking]) -> dict[Hashable, list[Ranking]]:
    given = list(rankings)
    check_lengths(given)
    groups: dict[Hashable, list[Ranking]] = defaultdict(list)
    for ranking in given:
        if any(other.labeler == ranking.labeler for other in groups[ranking.prompt]):
            raise ValueError(f"Labeler {ranking.labeler!r} ranked prompt {ranking.prompt!r} twice; drop the repeat.")
        groups[ranking.prompt].append(ranking)
    return groups


def _mean(values: list[list[float]], bootstrap: bool, name: str) -> Figure:
    """Mean over all values of all prompts, prompts kept together for the interval."""
    sums: Floats = np.array([[sum(some), len(some)] for some in values if some], dtype=np.float64).reshape(-1, 2)
    if not len(sums):
        return undefined(f"No prompt has two rankings with an order in them, so there is no {name}.")
    totals = Totals(sums=sums, statistic=lambda drawn: drawn[:, 0] / drawn[:, 1])
    figure = Figure(value=totals.value(), count=int(sums[:, 1].sum()))
    found: Interval | str = bootstrap_by_prompt(totals) if bootstrap else ""
    return figure.with_interval(found) if bootstrap else figure
