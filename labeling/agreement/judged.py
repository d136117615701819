"""Judgments as plain data: who said what of which unit.

A unit is what two labelers can agree on: a response that is rated or flagged, a pair of responses that is compared.
Prompts are the clusters: units of one prompt are not independent. Nothing here reads the database.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from labeling.agreement.figures import Bools, Floats, Ints

Row = tuple[Hashable, Hashable, Hashable, Hashable]
"""unit, prompt, labeler (None: unknown), value (None: unanswered, which is no answer and is left out)."""
Repeats = Literal["refuse", "count"]
NOBODY_TWICE = "No unit was judged by two labelers; agreement needs units that several judged."


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Judgments in the order they were given: four arrays of shape (N,), codes from 0.

    labelers: -1 where unknown. levels: what value c stands for, in their order. `names` are the labelers by code.
    """

    units: Ints
    prompts: Ints
    labelers: Ints
    values: Ints
    levels: tuple[Hashable, ...]
    names: tuple[Hashable, ...]

    @classmethod
    def of(
        cls, rows: Iterable[Row], *, levels: Sequence[Hashable] | None = None, repeats: Repeats = "refuse"
    ) -> "Judged":
        """From rows in the order of time.

        levels: all values that could be given, in order; by default the values that were, numbers sorted.
        repeats: what to do where one labeler judged one unit twice: refuse (a person's agreement with themself is not
        agreement between people), or count it as if by another.
        Raises ValueError for a value that is no level, for a unit under two prompts, and for a refused repeat.
        """
        given = [row for row in rows if row[3] is not None]
        order = tuple(levels) if levels is not None else _sorted_levels(row[3] for row in given)
        code = {level: number for number, level in enumerate(order)}
        units, prompts = _Codes(), _Codes()
        labelers = _Codes()
        prompt_of: dict[Hashable, Hashable] = {}
        seen: set[tuple[Hashable, Hashable]] = set()
        for unit, prompt, labeler, value in given:
            if value not in code:
                raise ValueError(
                    f"The value {value!r} of unit {unit!r} is none of {list(order)!r}; add it or leave it out."
                )
            if prompt_of.setdefault(unit, prompt) != prompt:
                raise ValueError(f"Unit {unit!r} stands under two prompts, {prompt_of[unit]!r} and {prompt!r}.")
            if repeats == "refuse" and labeler is not None and (unit, labeler) in seen:
                raise ValueError(
                    f"Labeler {labeler!r} judged unit {unit!r} twice; drop the repeat, or pass repeats='count'."
                )
            seen.add((unit, labeler))
        return cls(
            units=np.array([units.of(row[0]) for row in given], dtype=np.int64),
            prompts=np.array([prompts.of(row[1]) for row in given], dtype=np.int64),
            labelers=np.array([-1 if row[2] is None else labelers.of(row[2]) for row in given], dtype=np.int64),
            values=np.array([code[row[3]] for row in given], dtype=np.int64),
            levels=order,
            names=tuple(labelers.codes),
        )

    def __len__(self) -> int:
        return len(self.units)

    def only(self, mask: Bools) -> "Judged":
        """The judgments where mask (N,) is true: one cohort, one use case, one month."""
        return Judged(
            units=self.units[mask],
            prompts=self.prompts[mask],
            labelers=self.labelers[mask],
            values=self.values[mask],
            levels=self.levels,
            names=self.names,
        )

    def first(self, overlap: int) -> "Judged":
        """Only the first `overlap` judgments of each unit: a later one, asked for because two disagreed, is biased."""
        order = np.argsort(self.units, kind="stable")
        ranked = self.units[order]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, dtype=np.int64)
        place = np.arange(len(ranked)) - np.repeat(starts, np.diff(np.r_[starts, len(ranked)]))
        keep = np.zeros(len(ranked), dtype=np.bool_)
        keep[order] = place < overlap
        return self.only(keep)

    def counts(self) -> tuple[Ints, Ints]:
        """How often each value was given to each unit, shape (U, C), and the prompt of each unit, shape (U,)."""
        found, first, unit = np.unique(self.units, return_index=True, return_inverse=True)
        width = len(self.levels)
        flat = np.bincount(unit * width + self.values, minlength=len(found) * width)
        return flat.reshape(len(found), width).astype(np.int64), self.prompts[first]

    def numbers(self) -> Floats:
        """The levels as numbers, shape (C,). Raises ValueError where one is none."""
        wrong = [level for level in self.levels if isinstance(level, bool) or not isinstance(level, int | float)]
        if wrong:
            raise ValueError(f"The level {wrong[0]!r} is not a number; an interval scale needs numbers.")
        return np.array(self.levels, dtype=np.float64)


class _Codes:
    """Names to numbers, in the order of first meeting."""

    def __init__(self) -> None:
        self.codes: dict[Hashable, int] = {}

    def of(self, name: Hashable) -> int:
        return self.codes.setdefault(name, len(self.codes))


def _sorted_levels(values: Iterable[Hashable]) -> tuple[Hashable, ...]:
    met = dict.fromkeys(values)
    numbers = [value for value in met if isinstance(value, int | float)]
    return tuple(sorted(numbers)) if len(numbers) == len(met) else tuple(met)


@dataclass(frozen=True, kw_only=True)
class LabelerPairs:
    """Every two judgments of one unit: arrays of shape (M,). first, second: positions in the Judged; sizes: how many
    judgments the unit has."""

    first: Ints
    second: Ints
    sizes: Ints

    @classmethod
    def of(cls, judged: Judged) -> "LabelerPairs":
        """Sorted by unit, the partners of a judgment are those 1, 2, … places on, as long as the unit is the same."""
        order = np.argsort(judged.units, kind="stable")
        units = judged.units[order]
        sizes = np.bincount(units, minlength=1)[units] if len(units) else units
        firsts, seconds = [order[:0]], [order[:0]]
        for lag in range(1, int(sizes.max(initial=0))):
            same = units[lag:] == units[:-lag]
            firsts.append(order[:-lag][same])
            seconds.append(order[lag:][same])
        first = np.concatenate(firsts)
        size_of = np.bincount(judged.units, minlength=1)
        return cls(first=first, second=np.concatenate(seconds), sizes=size_of[judged.units[first]].astype(np.int64))
