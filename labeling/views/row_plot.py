"""A share with its interval drawn in a row of a table; all rows have one axis."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor

from labeling.agreement.figures import Figure

WIDTH, HEIGHT = 420, 38
MARGIN = 4


@dataclass(frozen=True)
class RowMark:
    """x, low, high: empty where there is none."""

    x: str = ""
    low: str = ""
    high: str = ""


@dataclass(frozen=True)
class RowAxis:
    """A share from low to high along a row; references: shares where dashed lines stand."""

    low: float
    high: float
    references: tuple[float, ...] = ()

    @classmethod
    def over(cls, figures: Iterable[Figure], references: tuple[float, ...] = ()) -> "RowAxis":
        """From ten to ten per cent around all intervals and references."""
        ends = list(references)
        for figure in figures:
            if figure.value is not None:
                ends += [figure.interval.low, figure.interval.high] if figure.interval else [figure.value]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        low, high = max(0.0, floor(low * 10 - 1e-9) / 10), min(1.0, ceil(high * 10 + 1e-9) / 10)
        return cls(low, high, references)

    def x(self, share: float) -> str:
        inside = min(max(share, self.low), self.high)
        return f"{MARGIN + (WIDTH - 2 * MARGIN) * (inside - self.low) / (self.high - self.low):.1f}"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """x and words of the references."""
        return [(self.x(share), f"{share * 100:.1f}") for share in self.references]

    @property
    def ticks(self) -> list[tuple[str, str, str]]:
        """x, anchor and words of the ends and what lies between."""
        tens = range(round(self.low * 10), round(self.high * 10) + 1)
        step = 1 if len(tens) <= 6 else 2
        kept = tens[::step]
        return [
            (self.x(ten / 10), "start" if ten == tens[0] else "end" if ten == tens[-1] else "middle", f"{ten * 10}")
            for ten in kept
        ]

    def mark(self, figure: Figure) -> RowMark:
        if figure.value is None:
            return RowMark()
        interval = figure.interval
        low, high = (self.x(interval.low), self.x(interval.high)) if interval else ("", "")
        return RowMark(self.x(figure.value), low, high)
