"""Judgments as plain data: who said what of which unit.

A unit is what two labelers can agree on: a response that is rated or flagged, a pair of responses that is compared.
Prompts are the clusters: units of one prompt are not independent. Nothing here reads the database.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from labeling.agreement.figures import Bools, Floats, Ints
from labeling.agreement.sums import numbered

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
        return self._counts[:2]

    def sizes(self) -> Ints:
        """(N,) how many judgments the unit of each has."""
        return np.asarray(self._counts[0].sum(axis=1)[self._counts[2]])

    @cached_property
    def again(self) -> Bools:
        """(N,) whether its labeler judged its unit more than once; nobody knows of those without a name."""
        people = int(self.labelers.max(initial=0)) + 1
        _, place = numbered(self._counts[2] * people + self.labelers)
        return np.asarray((np.bincount(place)[place] >= 2) & (self.labelers >= 0))

    def of_each(self, units: Floats) -> Floats:
        """(U, k), a row for each unit in the order of `counts` -> (N, k), the row of the unit of each judgment."""
        return np.asarray(units[self._counts[2]])

    def of_units(self, each: Ints) -> Ints:
        """(N,), the same for all judgments of a unit -> (U,), in the order of `counts`."""
        found = np.zeros(len(self._counts[0]), dtype=np.int64)
        found[self._counts[2]] = each
        return found

    @cached_property
    def _counts(self) -> tuple[Ints, Ints, Ints]:
        """Of each unit, and which of them each judgment is of."""
        found, unit = numbered(self.units)
        width = len(self.levels)
        flat = np.bincount(unit * width + self.values, minlength=len(found) * width)
        prompts = np.zeros(len(found), dtype=np.int64)
        prompts[unit] = self.prompts
        return flat.reshape(len(found), width).astype(np.int64), prompts, unit

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
