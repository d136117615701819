"""Submissions a day, drawn: a line for each day that ends in a dot, under the numbers that matter."""

from collections.abc import Sequence
from dataclasses import dataclass

from labeling.progress import Day

WIDE, NARROW = 800, 340
LEFT, TOP, HEIGHT = 36, 12, 130
NARROW_DAYS = 14


@dataclass(frozen=True)
class Stem:
    x: str
    y: str
    words: str


@dataclass(frozen=True)
class DayPlot:
    """floor: y of the axis. most: of a day, at the top."""

    narrow: bool
    width: int
    stems: Sequence[Stem]
    most: int
    first: str
    last: str

    @property
    def height(self) -> int:
        return TOP + HEIGHT + 22

    @property
    def floor(self) -> float:
        return TOP + HEIGHT + 0.5

    @property
    def label_y(self) -> int:
        return self.height - 4


def drawn_days(days: Sequence[Day], *, narrow: bool) -> DayPlot:
    """Needs at least one day. The narrow drawing has the last two weeks."""
    shown = days[-NARROW_DAYS:] if narrow else days
    width = NARROW if narrow else WIDE
    most = max(1, *(day.submissions for day in shown)) if len(shown) > 1 else max(1, shown[0].submissions)
    step = (width - LEFT - 8) / max(1, len(shown))

    def stem(place: int, day: Day) -> Stem:
        x, y = LEFT + step * (place + 0.5), TOP + HEIGHT * (1 - day.submissions / most)
        return Stem(f"{x:.1f}", f"{y:.1f}", f"{day.date:%-d %b}: {day.submissions:,}")

    return DayPlot(
        narrow=narrow, width=width, stems=[stem(place, day) for place, day in enumerate(shown)], most=most,
        first=f"{shown[0].date:%-d %b}", last=f"{shown[-1].date:%-d %b}",
    )  # fmt: skip
