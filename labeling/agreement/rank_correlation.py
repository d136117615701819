"""Kendall's tau-b and W: do labelers put the responses to one prompt in the same order."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from labeling.agreement.figures import Figure, Floats, Totals, undefined
from labeling.agreement.intervals import bootstrap_by_prompt
from labeling.agreement.judged import Judged
from labeling.agreement.rankings import ORDERS, TIED, Ranking, check_once, comparisons, order
from labeling.agreement.shared import shared_units
from labeling.agreement.sums import Tally, by_prompt, numbered

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
    return mean_tau_b_of(comparisons(rankings), bootstrap=bootstrap)


def mean_tau_b_of(judged: Judged, *, pairs_a_task: int | None = None, bootstrap: bool = False) -> Figure:
    """The same of comparisons, a block of prompts at a time: a loop over 50,000 pairs takes six seconds.

    pairs_a_task: of comparisons_of, whose units are numbered so within a task: a prompt that the same two ranked in two
    tasks has two taus. None: a prompt is one task.
    """
    tasks = judged.prompts if pairs_a_task is None else judged.units // pairs_a_task
    sign = np.arange(len(ORDERS), dtype=np.float64) - ORDERS.index(TIED)
    untied = np.broadcast_to((sign**2)[:, None], (len(sign), len(sign)))
    of_tasks = Tally(2)
    for block in shared_units(replace(judged, prompts=tasks), [np.outer(sign, sign), untied, untied.T]):
        together, of_one, of_other = block.sums.T
        defined = of_one * of_other > 0
        taus = together[defined] / np.sqrt(of_one * of_other)[defined]
        of_tasks.add(block.prompts[defined], taus, np.ones(len(taus)))
    known, place = numbered(tasks)
    prompts = np.zeros(len(known), dtype=np.int64)
    prompts[place] = judged.prompts
    return _mean(by_prompt(of_tasks.sums, prompts[np.searchsorted(known, of_tasks.numbers)]), bootstrap, "tau")


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
    value = float(_concordances(table[None])[0])
    if np.isnan(value):
        return undefined("Every labeler ranked all responses as equal; there is no order to agree on.")
    return Figure(value=value, count=labelers)


def _concordances(tables: Floats) -> Floats:
    """(G, m, n) ranks -> (G,) W, NaN where everything is tied. t^3 - t is t^2 - 1 for each of t tied responses."""
    _, labelers, responses = tables.shape
    alike = (tables[..., :, None] == tables[..., None, :]).sum(axis=-1)
    behind = (tables[..., :, None] > tables[..., None, :]).sum(axis=-1)
    sums = (behind + (alike + 1) / 2).sum(axis=1)
    scatter = ((sums - labelers * (responses + 1) / 2) ** 2).sum(axis=1)
    most = labelers**2 * (responses**3 - responses) - labelers * (alike**2 - 1).sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return np.where(most > 0, 12 * scatter / most, np.nan)


def mean_concordance(rankings: Iterable[Ranking], *, bootstrap: bool = False) -> Figure:
    """Mean of Kendall's W over prompts with two or more rankings; `count` is these prompts."""
    given = list(rankings)
    check_once(given)
    groups: dict[Hashable, list[Ranks]] = defaultdict(list)
    for ranking in given:
        groups[ranking.prompt].append(ranking.ranks)
    values = np.array([value for value in _each_concordance(groups.values()) if value is not None], dtype=np.float64)
    return _mean(np.column_stack([values, np.ones(len(values))]), bootstrap, "W")


def _each_concordance(groups: Iterable[list[Ranks]]) -> Iterator[float | None]:
    """W of each group; those of one shape at once, those with gaps one by one."""
    same: dict[tuple[int, int], list[list[Ranks]]] = defaultdict(list)
    for group in groups:
        if len(group) < 2 or len(group[0]) < 2 or any(rank is None for ranks in group for rank in ranks):
            yield concordance(group).value
        else:
            same[len(group), len(group[0])].append(group)
    for alike in same.values():
        for value in _concordances(np.array(alike, dtype=np.float64)):
            yield None if np.isnan(value) else float(value)


def _mean(sums: Floats, bootstrap: bool, name: str) -> Figure:
    """sums: (G, 2), of each prompt its values and how many they are, which are kept together for the interval."""
    number = int(sums[:, 1].sum())
    if not number:
        return undefined(f"No prompt has two rankings with an order in them, so there is no {name}.")
    totals = Totals(sums=sums, statistic=lambda drawn: drawn[:, 0] / drawn[:, 1])
    figure = Figure(value=totals.value(), count=number)
    return figure.with_interval(bootstrap_by_prompt(totals)) if bootstrap else figure
