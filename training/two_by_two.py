"""Two by two: one model told for each of two cohorts, rated by both. The claim is the interaction, with shared quality
not lower.

A cell is what a cohort's raters, at the time in it and not in the other, gave to what the model wrote for one of the
two. Nothing is told of a pair in which a cell has fewer than five raters.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from labeling.agreement.figures import Figure
from labeling.backgrounds import FEWEST_SHOWN
from labeling.evaluating import contrast, contrast_p_value, for_ones_own, interaction
from labeling.reports.floor import are_few
from training.authors import Author
from training.conditions import Condition, key_from
from training.evaluation import Evaluation, fewest_raters
from training.verdicts import MARGIN, NOT_YET, SURE, adjusted_by_holm, cell_of, in_cells


@dataclass(frozen=True)
class Pair:
    """Two conditions of one model. model: as its label is without a condition; told: for the first and for the second
    cohort; raters: the cohorts as the raters' are called now. beside: what shared quality is measured against: the
    model told nothing where it was asked so, else the evaluation's baseline where that is another; None where neither.
    """

    model: str
    told: tuple[Author, Author]
    raters: tuple[str, str]
    beside: Author | None


@dataclass(frozen=True)
class Square(Pair):
    """rows: what was told, with the mean of each of the raters' cohorts. figure: the interaction; adjusted: its p-value
    among all squares (Holm). shared: for one's own less beside, in the mean of the two cohorts, each alike."""

    rows: list[tuple[Author, tuple[Figure, Figure]]]
    figure: Figure
    adjusted: float | None
    shared: Figure | None

    @property
    def keeps_quality(self) -> bool:
        return self.shared is not None and self.shared.interval is not None and self.shared.interval.low > -MARGIN


def squares(found: Evaluation) -> list[Square]:
    """Of every two conditions that one model was told, where enough raters of both cohorts rated."""
    pairs = [pair for pair in pairs_of(found) if not _missing(found, pair)]
    tests = [contrast_p_value(in_cells(found, *pair.raters), _interaction(pair)) for pair in pairs]
    return [
        _square(found, pair, adjusted) for pair, adjusted in zip(pairs, adjusted_by_holm(tests), strict=True)
    ]  # fmt: skip


def wanting_of_squares(found: Evaluation) -> list[str]:
    """Of which two nothing is told, and what it would take."""
    return [sentence for pair in pairs_of(found) if (sentence := _missing(found, pair))]


def pairs_of(found: Evaluation) -> Iterator[Pair]:
    """In the order in which the authors are listed."""
    models = dict.fromkeys(author.untold for author in found.authors if author.told is not None)
    for model in models:
        told = [author for author in found.authors if author.untold == model and author.told is not None]
        plain = next((author for author in found.authors if author.key == model), None)
        for one, other in combinations(told, 2):
            assert one.told is not None
            assert other.told is not None
            beside = plain or (found.baseline if found.baseline not in (one, other) else None)
            named = one.label.removesuffix(f", told {one.told.name}")
            yield Pair(named, (one, other), (_raters(found, one.told), _raters(found, other.told)), beside)


def _raters(found: Evaluation, condition: Condition) -> str:
    """What the cohort of a condition is called now; the name it was frozen with where it is gone."""
    if condition.cohort is not None:
        return found.called.get(condition.cohort, condition.name)
    return next((name for name in found.called.values() if key_from(name) == condition.key), condition.name)


def _missing(found: Evaluation, pair: Pair) -> str:
    """Why nothing is told of the pair, and what would do; empty where it is."""
    for name, other in (pair.raters, pair.raters[::-1]):
        inside = found.cohorts.get(name, np.zeros(len(found.said), dtype=np.bool_))
        alone = inside & ~found.cohorts.get(other, np.zeros(len(found.said), dtype=np.bool_))
        authors = [*pair.told, *([pair.beside] if pair.beside else [])]
        cells = [alone & found.said.by(author.key) for author in authors]
        if any(fewest_raters(found.said, [cell]) < FEWEST_SHOWN for cell in cells) or _few_share(found, pair):
            return (
                f"{pair.model}, told {pair.raters[0]} and told {pair.raters[1]}: fewer than {FEWEST_SHOWN} raters of "
                f"{name} who are not in {other} rated each, and nothing is told of so few; {FEWEST_SHOWN} or more "
                "would do."
            )
    return ""


def _few_share(found: Evaluation, pair: Pair) -> bool:
    """Whether the interaction, or shared quality, rests on prompts that fewer raters rated than may be told of."""
    none = np.zeros(len(found.said), dtype=np.bool_)
    one, other = (found.cohorts.get(name, none) for name in pair.raters)
    alone = (one & ~other, other & ~one)
    told = [found.said.by(author.key) for author in pair.told]
    square = [inside & by for inside in alone for by in told]
    own = [inside & by for inside, by in zip(alone, told, strict=True)]
    beside = [inside & found.said.by(pair.beside.key) for inside in alone] if pair.beside else []
    return are_few(fewest_raters(found.said, square), fewest_raters(found.said, [*own, *beside]))


def _cells(author: Author, pair: Pair) -> tuple[str, str]:
    one, other = pair.raters
    return cell_of(author, one), cell_of(author, other)


def _interaction(pair: Pair) -> dict[str, float]:
    first, second = pair.told
    return interaction(_cells(first, pair), _cells(second, pair))


def _square(found: Evaluation, pair: Pair, adjusted: float | None) -> Square:
    ratings = in_cells(found, *pair.raters)
    authors = [*([pair.beside] if pair.beside else []), *pair.told]
    rows = []
    for author in authors:
        first, second = (contrast(ratings, {cell: 1.0}) for cell in _cells(author, pair))
        rows.append((author, (first, second)))
    own = [cell_of(author, name) for author, name in zip(pair.told, pair.raters, strict=True)]
    shared = contrast(ratings, for_ones_own(own, _cells(pair.beside, pair))) if pair.beside else None
    return Square(
        **vars(pair), rows=rows, figure=contrast(ratings, _interaction(pair)), adjusted=adjusted, shared=shared
    )  # fmt: skip


def claimed_of(square: Square, *, over: bool) -> str:
    """What can be claimed of it and what cannot, in one sentence. over: whether all ratings that will be are in."""
    figure, (one, other) = square.figure, square.raters
    if square.adjusted is None or figure.value is None or figure.interval is None:
        reason = figure.reason or figure.interval_reason or "it has no interval."
        return f"Nothing can be claimed: {reason[:1].lower()}{reason[1:]}"
    if not over:
        return NOT_YET
    size = f"{abs(figure.value) / 2:.2f} points"  # the interaction is the sum of what the two prefer
    if square.adjusted >= SURE:
        return (
            f"It cannot be claimed that it matters to {one} and {other} for which of them {square.model} is told to "
            "write, nor that it does not."
        )
    prefer = f"It can be claimed that {one} and {other}, in the mean of the two, prefer what {square.model} writes for"
    if figure.value < 0:
        return f"{prefer} the other of them to what it writes for themselves, by {size}."
    claim = f"{prefer} themselves to what it writes for the other of them, by {size}"
    limits = "not that it is so of other cohorts or other kinds of prompt, nor which of the two gains more"
    if square.beside is None:
        return f"{claim}; nothing of what it costs, as nothing else was rated beside it, and {limits}."
    beside = "told nothing" if square.beside.key == square.told[0].untold else square.beside.label
    if square.keeps_quality:
        return f"{claim}, and that for one's own it is at most {MARGIN} worse than {beside}; {limits}."
    return (
        f"{claim}; it cannot that nothing is lost by it: for one's own it may be more than {MARGIN} worse than "
        f"{beside}; and {limits}."
    )
