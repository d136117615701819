"""What a statistic answers with: a number, or the reason why there is none. Never NaN in silence."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval, and over what it speaks.

    clusters: "prompts" (these labelers, prompts like these) or "prompts and labelers" (labelers like these as well).
    """

    low: float
    high: float
    clusters: str
    level: float = 0.95

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"An interval from {self.low} to {self.high} is none.")

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A value with the number of things it rests on, or the reason why it is undefined.

    count: how many pairs, ratings or comparisons (the function says which) the value rests on.
    interval: None where it was not asked for or cannot be had; `interval_reason` then tells these two apart.
    """

    value: float | None = None
    reason: str = ""
    count: int = 0
    interval: Interval | None = None
    interval_reason: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) == (not self.reason):
            raise ValueError(f"A figure has a value or a reason, not both: {self.value!r}, {self.reason!r}.")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"The value {self.value} is not a number; an undefined figure gives its reason.")
        if self.value is None and self.interval is not None:
            raise ValueError("An undefined figure has no interval.")

    @property
    def defined(self) -> bool:
        return self.value is not None

    def known(self) -> float:
        """The value. Raises ValueError with the reason where there is none."""
        if self.value is None:
            raise ValueError(self.reason)
        return self.value

    def with_interval(self, found: Interval | str) -> "Figure":
        """This figure with an interval, or with the reason why it has none. An undefined figure stays as it is."""
        if self.value is None:
            return self
        if isinstance(found, str):
            return replace(self, interval=None, interval_reason=found)
        return replace(self, interval=found, interval_reason="")


def undefined(reason: str) -> Figure:
    return Figure(reason=reason)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """A statistic as a function of sums over clusters, so that one code gives its value and every interval.

    sums: (G, k), one row for each prompt. statistic: (B, k) sums -> (B,) values, NaN where undefined (it stays inside:
    a Figure never holds one). The statistic must not change when all sums are doubled, up to terms of order 1/n.
    """

    sums: Floats
    statistic: Callable[[Floats], Floats]

    def value(self) -> float | None:
        found = float(self.statistic(self.sums.sum(axis=0, keepdims=True))[0])
        return found if math.isfinite(found) else None
