"""Rehearsed rounds as the lines of a table."""

from collections.abc import Iterable
from dataclasses import dataclass

from labeling.views.worded import Cell, cell, percent
from training.durations import duration
from training.models import Round
from training.outcomes import Outcome
from training.rehearsal.intervals import Estimate

NOTHING = Cell("–")


@dataclass(frozen=True)
class OutcomeLine:
    """began: what the round started from, where it was not the usual."""

    round: Round
    began: str
    amounts: list[str]
    within: Cell
    across: Cell
    accuracy: Cell
    gain: Cell
    took: str


def outcome_lines(outcomes: Iterable[Outcome]) -> list[OutcomeLine]:
    return [
        OutcomeLine(
            round=one.round,
            began=_began(one.round),
            amounts=[f"{one.prompts:,}", str(one.responses), str(one.judges)],
            within=share_cell(one.within),
            across=share_cell(one.across),
            accuracy=_accuracy(one),
            gain=cell(one.gain, sign=True) if one.gain else NOTHING,
            took=duration(one.seconds) if one.done else "under way",
        )
        for one in outcomes
    ]


def _began(round_: Round) -> str:
    if round_.recipe.get("policy"):
        return "from a policy"
    return "" if round_.recipe.get("name") == "rehearsal" else str(round_.recipe.get("name", ""))


def share_cell(found: Estimate | None) -> Cell:
    if found is None:
        return NOTHING
    high = 2 * found.mean - found.low
    return Cell(percent(found.mean), f"{percent(found.low)} to {percent(high)}")


def _accuracy(one: Outcome) -> Cell:
    if one.accuracy is None:
        return NOTHING
    mean, low, high = map(percent, one.accuracy)
    return Cell(mean, f"{low} to {high}")
