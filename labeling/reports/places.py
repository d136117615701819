"""Does the place on the screen or the length of a text decide, in a scope's rankings."""

from dataclasses import dataclass

import numpy as np

from labeling.agreement import Figure
from labeling.agreement.figures import Floats, Ints
from labeling.agreement.position import PositionBias, longer_won, position_bias_of
from labeling.agreement.shares import even_p_value, share_interval
from labeling.reports.agreement import AgreementReport

LONGER = ((1.0, "longer by up to a tenth"), (1.1, "by up to half"), (1.5, "up to twice"), (2.0, "more than twice"))
"""From which ratio of lengths on a pair falls into a part, and what it is called."""


@dataclass(frozen=True)
class PlaceReport:
    """Of the rankings of `bias.responses` responses: at each place shown, how often the response there was ranked
    first, ties shared out, with intervals over prompts and labelers."""

    bias: PositionBias
    rates: list[Figure]


@dataclass(frozen=True)
class LengthReport:
    """How often the longer of two responses was ranked above the shorter: whole, and by how much longer it was.
    p_value: of no preference either way, which is no proof that length is liked for itself."""

    whole: Figure
    p_value: Figure
    parts: list[tuple[str, Figure]]


def places(report: AgreementReport) -> list[PlaceReport]:
    """Rankings that tie everything say nothing of place and are left out. The commonest number of responses first."""
    found = []
    for _, (rows, ranks) in report.shown_ranks.items():
        some = ranks.min(axis=1) != ranks.max(axis=1)
        if some.any():
            of = report.all.of
            found.append(_of_size(ranks[some], of.prompts.codes[rows[some]], of.labelers.codes[rows[some]]))
    return sorted(found, key=lambda one: -one.bias.judgments)


def _of_size(ranks: Ints, prompts: Ints, labelers: Ints) -> PlaceReport:
    bias = position_bias_of(ranks)
    best = ranks == ranks.min(axis=1, keepdims=True)
    shares = best / best.sum(axis=1, keepdims=True)
    rates = [
        Figure(value=rate, count=bias.judgments).with_interval(
            share_interval(rate, shares[:, place], prompts=prompts, labelers=labelers)
        )
        for place, rate in enumerate(bias.rates)
    ]
    return PlaceReport(bias, rates)


def lengths(report: AgreementReport, characters: tuple[Ints, Floats]) -> LengthReport:
    """characters: ids of responses, rising, and how many each has."""
    ranked, of = report.all.ranked, report.all.of
    known = np.zeros(ranked.responses.shape, dtype=np.float64)
    ids, sizes = characters
    if ranked.responses.size and len(ids):
        place = np.minimum(np.searchsorted(ids, ranked.responses), len(ids) - 1)
        known = np.where(ids[place] == ranked.responses, sizes[place], np.nan)
    rows, won, ratio = _pairs(ranked.ranks, known)
    prompts, labelers = of.prompts.codes[ranked.rows[rows]], of.labelers.codes[ranked.rows[rows]]
    whole = longer_won(won, prompts=prompts, labelers=labelers)
    parts = []
    for step, (least, name) in enumerate(LONGER):
        most = LONGER[step + 1][0] if step + 1 < len(LONGER) else np.inf
        inside = (ratio > least) & (ratio <= most)
        if inside.any():
            parts.append((name, longer_won(won[inside], prompts=prompts[inside], labelers=labelers[inside])))
    p_value = even_p_value(won, prompts=prompts, labelers=labelers) if len(won) else whole
    return LengthReport(whole, p_value, parts)


def _pairs(ranks: Floats, characters: Floats) -> tuple[Ints, Floats, Floats]:
    """Pairs that differ in rank and in length: the row of each, whether the longer won, and the ratio of lengths."""
    first, second = np.triu_indices(ranks.shape[1], k=1)
    better = np.sign(ranks[:, second] - ranks[:, first])
    longer = np.sign(characters[:, first] - characters[:, second])
    rows, pair = np.nonzero(np.isfinite(better) & np.isfinite(longer) & (better != 0) & (longer != 0))
    one, other = characters[rows, first[pair]], characters[rows, second[pair]]
    won = (better[rows, pair] == longer[rows, pair]).astype(np.float64)
    return rows, won, np.maximum(one, other) / np.maximum(1.0, np.minimum(one, other))
