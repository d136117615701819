"""Column plots: a share with its interval above each name, as plain SVG; once wide, once narrow."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from labeling.agreement.figures import Figure

LEFT, TOP, HEIGHT = 44, 12, 178
WIDTHS = {"wide": 640, "narrow": 350}
CHARACTERS = {"wide": 18, "narrow": 11}
LINE = 14
STEPS = (0.05, 0.1, 0.25)


@dataclass(frozen=True)
class Column:
    """words: its name, in lines. value: empty where there is no figure."""

    x: str
    y: str
    low: str
    high: str
    value: str
    value_x: str
    value_y: str
    words: list[tuple[str, str]]


@dataclass(frozen=True)
class Columns:
    kind: str
    width: int
    height: int
    ticks: list[tuple[str, str, str]]
    """y of the line, y of its words, the words."""
    reference: tuple[str, str, str]
    """y of the dashed line, y of its words, the words."""
    columns: list[Column]


def drawn_columns(rows: Sequence[tuple[str, Figure]], *, reference: float, least: float, most: float) -> list[Columns]:
    """Both drawings. reference: the share of no bias. least, most: the ends of the axis unless a figure
    reaches beyond them."""
    ends = [end for _, figure in rows if figure.value is not None for end in _ends(figure)]
    low, high = min([least, *ends]), max([most, *ends])
    step = next((one for one in STEPS if (high - low) / one <= 6), 0.5)
    low, high = max(0.0, step * floor(low / step + 1e-9)), min(1.0, step * ceil(high / step - 1e-9))
    return [_drawn(kind, rows, reference, low, max(high, low + step), step) for kind in WIDTHS]


def _ends(figure: Figure) -> tuple[float, float]:
    value = figure.known()
    return (figure.interval.low, figure.interval.high) if figure.interval else (value, value)


def _drawn(
    kind: str, rows: Sequence[tuple[str, Figure]], reference: float, low: float, high: float, step: float
) -> Columns:
    width = WIDTHS[kind]
    each = (width - LEFT) / max(1, len(rows))

    def y(share: float) -> float:
        return TOP + HEIGHT * (high - min(max(share, low), high)) / (high - low)

    def column(place: int, name: str, figure: Figure) -> Column:
        x = LEFT + each * (place + 0.42)
        lines = _lines(name, CHARACTERS[kind])
        words = [(f"{TOP + HEIGHT + 18 + LINE * number}", line) for number, line in enumerate(lines)]
        if figure.value is None:
            return Column(f"{x:.1f}", "", "", "", "", "", "", words)
        ends = _ends(figure) if figure.interval else None
        return Column(
            x=f"{x:.1f}", y=f"{y(figure.value):.1f}", low=f"{y(ends[0]):.1f}" if ends else "",
            high=f"{y(ends[1]):.1f}" if ends else "", value=f"{figure.value * 100:.1f}", value_x=f"{x + 11:.1f}",
            value_y=f"{y(figure.value) + 4:.1f}", words=words,
        )  # fmt: skip

    columns = [column(place, name, figure) for place, (name, figure) in enumerate(rows)]
    deepest = max((len(one.words) for one in columns), default=1)
    numbers = range(round(low / step), round(high / step) + 1)
    ticks = [step * number for number in numbers if abs(y(step * number) - y(reference)) > LINE + 4]
    at = y(reference)
    return Columns(
        kind=kind, width=width, height=TOP + HEIGHT + 18 + LINE * deepest,
        ticks=[(f"{y(tick):.1f}", f"{y(tick) + 4:.1f}", f"{tick * 100:.0f} %") for tick in ticks],
        reference=(f"{at:.1f}", f"{at + 4:.1f}", f"{reference * 100:.3g} %"), columns=columns,
    )  # fmt: skip


def _lines(name: str, characters: int) -> list[str]:
    lines = [""]
    for word in name.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > characters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
