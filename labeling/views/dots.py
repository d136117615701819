"""Dot plots: a value with its interval a row, as plain SVG; once wide, once narrow with the names above the lines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labeling.agreement.figures import Figure

CHARACTER = 6.4
"""Width of a letter, in units of the viewBox."""


@dataclass(frozen=True)
class Row:
    """strong: whom the page speaks of. quiet: drawn as an open dot."""

    name: str
    figure: Figure
    value: str
    strong: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Shape:
    """The measures of a drawing, in the units of its viewBox. left, right: where the axis begins and ends. characters:
    of a name that fit before `left`; most: so many at most, for which the axis begins further to the right."""

    width: float
    left: float
    right: float
    first: float
    step: float
    drop: float
    """From the middle of a row's name to its line."""
    characters: int
    most: int

    def with_room_for(self, names: Sequence[str]) -> "Shape":
        wanted = min(max(map(len, names), default=0), self.most)
        return replace(self, left=self.left + CHARACTER * max(0, wanted - self.characters))


WIDE = Shape(width=800, left=160, right=700, first=49.2, step=38, drop=0, characters=23, most=40)
HALF = Shape(width=520, left=158, right=434, first=49.2, step=38, drop=0, characters=23, most=34)
NARROW = Shape(width=340, left=6, right=326, first=49.1, step=46, drop=18, characters=32, most=32)


@dataclass(frozen=True)
class Tick:
    x: str
    words: str


@dataclass(frozen=True)
class Mark:
    """A row as drawn. low, high, x: empty where there is none."""

    name: str
    value: str
    name_y: str
    y: str
    x: str
    low: str
    high: str
    strong: bool
    quiet: bool


@dataclass(frozen=True)
class Drawing:
    kind: str
    """wide or narrow."""
    width: float
    height: float
    bottom: float
    ticks: list[Tick]
    marks: list[Mark]
    reference: str
    """x of a dashed line, or empty."""


@dataclass(frozen=True)
class Axis:
    """low, high: its ends. ticks: value and words. reference: where a dashed line stands."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    reference: float | None = None


SCALE = Axis(1, 7, [(value, str(value)) for value in range(1, 8)])
SHARE = Axis(0, 1, [(share / 100, f"{share} %") for share in (0, 25, 50, 75, 100)], reference=0.5)


def drawn(rows: Sequence[Row], axis: Axis, wide: Shape) -> list[Drawing]:
    """Both drawings."""
    return [_drawing("wide", rows, axis, wide), _drawing("narrow", rows, axis, NARROW)]


def _drawing(kind: str, rows: Sequence[Row], axis: Axis, shape: Shape) -> Drawing:
    bottom = 30 + shape.step * len(rows)
    shape = shape.with_room_for([row.name for row in rows])

    def x(value: float) -> str:
        inside = min(max(value, axis.low), axis.high)
        return f"{shape.left + (inside - axis.low) / (axis.high - axis.low) * (shape.right - shape.left):.1f}"

    def mark(row: Row, place: int) -> Mark:
        middle = shape.first + place * shape.step
        value, interval = row.figure.value, row.figure.interval
        return Mark(
            name=row.name if len(row.name) <= shape.most else f"{row.name[: shape.most - 1]}…", value=row.value,
            name_y=f"{middle + 4:.1f}", y=f"{middle + shape.drop:.1f}", x="" if value is None else x(value),
            low=x(interval.low) if interval else "", high=x(interval.high) if interval else "", strong=row.strong,
            quiet=row.quiet,
        )  # fmt: skip

    return Drawing(
        kind=kind, width=shape.width, height=bottom + 28, bottom=bottom,
        ticks=[Tick(x(value), words) for value, words in axis.ticks],
        marks=[mark(row, place) for place, row in enumerate(rows)],
        reference="" if axis.reference is None else x(axis.reference),
    )  # fmt: skip
