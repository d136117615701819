"""Rows added up by the number that they have in common: a unit, a prompt, a labeler."""

from dataclasses import dataclass, field

import numpy as np

from labeling.agreement.figures import Floats, Ints

SPARSE = 32
"""Numbers a row, up to which an array of all of them is small."""


def by_prompt(rows: Floats, prompts: Ints) -> Floats:
    """(U, k) rows and the prompt of each -> (G, k), a row for each prompt that occurs."""
    return summed(prompts, rows)[1]


def summed(numbers: Ints, rows: Floats) -> tuple[Ints, Floats]:
    """(M,) numbers and (M, k) rows -> the numbers that occur, rising, and the sums of their rows."""
    found, place = numbered(numbers)
    columns = [np.bincount(place, weights=column, minlength=len(found)) for column in rows.T]
    return found, np.stack(columns, axis=1).astype(np.float64)


def numbered(numbers: Ints) -> tuple[Ints, Ints]:
    """The numbers that occur, rising, and at which place of them each is. Counted instead of sorted where that is
    cheaper: a report has hundreds of figures over as many rows."""
    if not is_dense(numbers, sparse=4):
        found, place = np.unique(numbers, return_inverse=True)
        return found, place.astype(np.int64)
    found = np.flatnonzero(np.bincount(numbers))
    place = np.zeros(int(found[-1]) + 1 if len(found) else 0, dtype=np.int64)
    place[found] = np.arange(len(found))
    return found, place[numbers]


def is_dense(numbers: Ints, *, sparse: int = SPARSE) -> bool:
    """Whether counting by number is cheaper than sorting. sparse: up to how many numbers a row it is."""
    if not len(numbers):
        return True
    return bool(numbers.min() >= 0 and numbers.max() < 1_000 + sparse * len(numbers))


@dataclass
class Tally:
    """Sums by number of rows that come in parts: it grows with the numbers met and not with the rows."""

    width: int
    numbers: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    sums: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        self.sums = np.zeros((0, self.width))

    def add(self, numbers: Ints, *columns: Floats) -> None:
        """numbers and each of the `width` columns: (M,)."""
        found, sums = summed(numbers, np.column_stack(columns))
        self.numbers, self.sums = summed(np.r_[self.numbers, found], np.r_[self.sums, sums])
