"""Statistics in words and digits, as every page shows them: an undefined figure says why."""

from dataclasses import dataclass

from labeling.agreement.figures import Figure


def number(value: float, *, sign: bool = False) -> str:
    """Two digits, a true minus, no sign before a zero."""
    text = f"{value:+.2f}" if sign else f"{value:.2f}"
    zero = float(text) == 0
    return text.lstrip("+-") if zero else text.replace("-", "−")


def percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def between(figure: Figure, *, share: bool = False) -> str:
    """ "0.41 to 0.83", or empty where there is no interval."""
    if figure.interval is None:
        return ""
    shown = (lambda end: f"{end * 100:.1f}") if share else number
    return f"{shown(figure.interval.low)} to {shown(figure.interval.high)}{' %' if share else ''}"


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@dataclass(frozen=True)
class Cell:
    """A figure in words. why: what there is instead of the value or of the interval."""

    value: str
    interval: str = ""
    why: str = ""
    count: int = 0


def cell(figure: Figure, *, share: bool = False, sign: bool = False) -> Cell:
    if figure.value is None:
        return Cell("–", why=figure.reason)
    value = percent(figure.value) if share else number(figure.value, sign=sign)
    return Cell(value, between(figure, share=share), "" if figure.interval else figure.interval_reason, figure.count)


def as_json(figure: Figure) -> dict[str, object]:
    """{"value", "reason", "count", "low", "high", "over", "interval_reason"}: what is undefined is null, with its
    reason."""
    interval = figure.interval
    return {
        "value": figure.value, "reason": figure.reason, "count": figure.count,
        "low": interval.low if interval else None, "high": interval.high if interval else None,
        "over": interval.clusters if interval else "", "interval_reason": figure.interval_reason,
    }  # fmt: skip
