"""The figures of an evaluation as its page shows them: every undefined one says why."""

from dataclasses import dataclass

import numpy as np
from django.utils.text import capfirst

from labeling.agreement.figures import Figure
from labeling.backgrounds import FEWEST_SHOWN
from labeling.models import Prompt
from labeling.views.dots import HALF, SCALE, SHARE, WIDE, Drawing, Row, drawn
from labeling.views.worded import Cell, cell, number, percent
from training.authors import Author
from training.evaluation import ENOUGH_PROMPTS, Evaluation
from training.rated import Rated
from training.two_by_two import Square
from training.verdicts import SURE
from training.virtues import virtues_of

FLAG_LEFT, FLAG_RIGHT = 5.0, 219.0
"""Where 0 and the highest rate of the table stand in a flag's drawing."""


@dataclass(frozen=True)
class Plot:
    drawings: list[Drawing]
    rows: list[tuple[str, Cell]]


def means(found: Evaluation) -> Plot:
    """Each author's mean overall rating."""
    figures = [(author, found.mean(author)) for author in found.authors]
    rows = [
        Row(author.label, figure, _with_reach(figure), strong=author == found.subject, quiet=author.is_human)
        for author, figure in figures
    ]
    return Plot(drawn(rows, SCALE, WIDE), [(author.label, cell(figure)) for author, figure in figures])


def _with_reach(figure: Figure) -> str:
    """ "4.92 ± 0.11": the intervals of means are as long on both sides."""
    if figure.value is None:
        return "not rated"
    reach = f" ± {number(figure.interval.high - figure.value)}" if figure.interval else ""
    return f"{number(figure.value)}{reach}"


def wins(found: Evaluation) -> Plot:
    """How often the subject is preferred to each of the others."""
    figures = [(other, found.wins(found.subject, other)) for other in found.authors if other != found.subject]
    rows = [
        Row(other.label, figure, "–" if figure.value is None else percent(figure.value), quiet=other.is_human)
        for other, figure in figures
    ]
    return Plot(drawn(rows, SHARE, HALF), [(other.label, cell(figure, share=True)) for other, figure in figures])


@dataclass(frozen=True)
class Line:
    """A row of a table: a name, a figure for each author, and the differences that follow."""

    name: str
    cells: list[Cell]
    difference: Cell | None = None
    about: str = ""


@dataclass(frozen=True)
class AuthorLine:
    """One author on one scale: the mean, and the difference from the baseline; None for the baseline itself."""

    author: Author
    mean: Cell
    difference: Cell | None


def scale_table(found: Evaluation) -> list[tuple[str, list[AuthorLine]]]:
    """Scale -> its lines, in the guideline's order."""
    table = []
    for scale in found.campaign.guideline.scales:
        lines = [
            AuthorLine(
                author, cell(found.mean(author, scale["name"])),
                None if author == found.baseline else cell(found.difference(author, scale["name"]), sign=True),
            )
            for author in found.authors
        ]  # fmt: skip
        table.append((str(scale["label"]), lines))
    return table


def cohort_table(found: Evaluation) -> list[Line]:
    """What the members of each cohort say; nothing where the raters are in none."""
    return [_part(found, name, said) for name, said in found.by_cohort().items()]


def use_case_table(found: Evaluation) -> tuple[list[Line], str]:
    """Of those use cases that have enough prompts, and a sentence about the others."""
    parts = found.by_use_case()
    lines = [_part(found, capfirst(str(Prompt.UseCase(name).label)), said) for name, said in parts.items()]
    others = {found.said.use_cases.values[code] for code in np.unique(found.said.use_cases.codes)} - set(parts)
    names = ", ".join(sorted(str(Prompt.UseCase(name).label) for name in others))
    note = f"Fewer than {ENOUGH_PROMPTS} rated prompts, too few to look at by themselves: {names}." if others else ""
    return lines, note


def _part(found: Evaluation, name: str, said: Rated) -> Line:
    same = found.subject == found.baseline
    return Line(
        name=name, cells=[cell(found.mean(author, among=said)) for author in found.authors],
        difference=None if same else cell(found.difference(found.subject, among=said), sign=True),
        about=f"{_raters(found, name, said)} raters, {len(np.unique(said.prompts.codes))} prompts",
    )  # fmt: skip


def _raters(found: Evaluation, name: str, said: Rated) -> str:
    """How many gave these ratings; people of a cohort by a rule are counted in steps of five."""
    number = len(np.unique(said.labelers))
    by_rule = name in found.by_rule or found.campaign.kept_by_rule
    return f"at least {number - number % FEWEST_SHOWN}" if by_rule else str(number)


@dataclass(frozen=True)
class FlagLine:
    """A flag's rates. x: of the baseline (open) and the subject (filled) in the drawing. difference: in points of 100.
    reading: at 95 % for all flags together (Bonferroni)."""

    label: str
    cells: list[tuple[Cell, bool]]
    x: tuple[str, str] | None
    difference: Cell
    reading: str


@dataclass(frozen=True)
class Flags:
    lines: list[FlagLine]
    scale: str
    """Of the drawing: "0 to 80 %"."""


def flag_lines(found: Evaluation) -> Flags:
    rates = {
        flag["name"]: [found.flagged(author, flag["name"]) for author in found.authors]
        for flag in found.campaign.guideline.flags
    }
    highest = max((rate.value or 0 for row in rates.values() for rate in row), default=0)
    top = next(share for share in (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if highest <= share)
    lines = [_flag_line(found, flag, rates[flag["name"]], top) for flag in found.campaign.guideline.flags]
    return Flags(lines, f"0 to {top:.0%}".replace("%", " %"))


def _flag_line(found: Evaluation, flag: dict[str, str], rates: list[Figure], top: float) -> FlagLine:
    by_author = dict(zip((author.key for author in found.authors), rates, strict=True))
    theirs, ours = by_author[found.baseline.key].value, by_author[found.subject.key].value
    places = None
    if theirs is not None and ours is not None:
        places = (_flag_x(theirs, top), _flag_x(ours, top))
    difference = found.flag_difference(flag["name"]) if found.subject != found.baseline else None
    cells = [
        (cell(rate, share=True), author == found.subject) for author, rate in zip(found.authors, rates, strict=True)
    ]
    reading = ""
    if found.subject != found.baseline:
        asked = len(found.campaign.guideline.flags)
        reading = _reading(found.flag_difference(flag["name"], level=1 - SURE / asked), theirs, ours)
    return FlagLine(flag["label"], cells, places, _in_points(difference), reading)


def _in_points(difference: Figure | None) -> Cell:
    """Of 100, one digit."""
    if difference is None or difference.value is None:
        return Cell("–", why=difference.reason if difference else "")
    between = difference.interval
    return Cell(
        _signed(difference.value), f"{_signed(between.low)} to {_signed(between.high)}" if between else "",
        difference.interval_reason,
    )  # fmt: skip


def _signed(share: float) -> str:
    text = f"{100 * share:+.1f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def _flag_x(share: float, top: float) -> str:
    return f"{FLAG_LEFT + share / top * (FLAG_RIGHT - FLAG_LEFT):.1f}"


def _reading(difference: Figure, theirs: float | None, ours: float | None) -> str:
    if theirs == ours == 0:
        return "never raised"
    if difference.value is None or difference.interval is None:
        return "too few"
    if difference.interval.holds(0):
        return "not clear"
    return "more" if difference.value > 0 else "fewer"


def virtue_table(found: Evaluation) -> list[tuple[str, str, list[tuple[Cell, bool]]]]:
    """Helpful, honest, harmless: name, what it is made of, and each author's share."""
    return [
        (
            one.name,
            ", ".join(one.made_of),
            [(cell(figure, share=True), author == found.subject) for author, figure in one.shares],
        )
        for one in virtues_of(found)
    ]


@dataclass(frozen=True)
class SquareLine:
    """A row of a two-by-two table: what was told, and the mean of each of the two cohorts of raters, with whether the
    cohort rates what was written for it."""

    name: str
    cells: list[tuple[Cell, bool]]


def square_table(square: Square) -> tuple[list[SquareLine], Cell, Cell | None, str]:
    """The rows, the interaction, shared quality less what it is set beside, and what that is called."""
    lines = []
    for author, figures in square.rows:
        own = square.told.index(author) if author in square.told else None
        cells = [(cell(figure), place == own) for place, figure in enumerate(figures)]
        lines.append(SquareLine(f"told {square.raters[own]}" if own is not None else _untold(square, author), cells))
    shared = cell(square.shared, sign=True) if square.shared else None
    return lines, cell(square.figure, sign=True), shared, _untold(square, square.beside) if square.beside else ""


def _untold(square: Square, author: Author) -> str:
    return "told nothing" if author.key == square.told[0].untold else author.label
