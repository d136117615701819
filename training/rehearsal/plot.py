"""Score, true utility and KL on one plot, as SVG: PPO on its way, beside best-of-n and SFT at lower temperatures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 960, 400
LEFT, TOP, PANEL_WIDTH, PANEL_HEIGHT, BETWEEN = 60, 46, 370, 280, 90
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.title{font-weight:600}.quiet{fill:#666;font-size:12px}"
    ".axis{stroke:#999}.grid{stroke:#e5e5e5}.ppo{stroke:#1f6feb;fill:#1f6feb}.best{stroke:#b3541e;fill:#b3541e}"
    ".level{stroke:#666;stroke-dasharray:5 4}.line{fill:none;stroke-width:2}"
)


@dataclass(frozen=True)
class Point:
    """x: nats of KL from SFT. low, high: ends of an interval."""

    x: float
    y: float
    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Series:
    name: str
    kind: str
    """Class in the style: "ppo" or "best"."""
    points: list[Point]


@dataclass(frozen=True)
class Panel:
    """levels: what has no place on the x axis, as (name, y)."""

    title: str
    series: list[Series]
    levels: list[tuple[str, float]]


Place = Callable[[float], float]


def draw(panels: Sequence[Panel]) -> str:
    """Panels side by side with one scale of KL."""
    widest = max(point.x for panel in panels for series in panel.series for point in series.points)
    drawn = [_panel(panel, LEFT + number * (PANEL_WIDTH + BETWEEN), widest) for number, panel in enumerate(panels)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><style>{STYLE}</style>'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', *drawn, "</svg>"]) + "\n"


def _panel(panel: Panel, left: int, widest: float) -> str:
    values = [end for series in panel.series for point in series.points for end in (point.low, point.high)]
    values += [level for _, level in panel.levels]
    lowest, highest = min(values), max(values)
    margin = 0.06 * (highest - lowest or 1.0)
    lowest, highest = lowest - margin, highest + margin

    def x(kl: float) -> float:
        return left + PANEL_WIDTH * kl / (widest * 1.06)

    def y(value: float) -> float:
        return TOP + PANEL_HEIGHT * (highest - value) / (highest - lowest)

    parts = [f'<text class="title" x="{left}" y="24">{panel.title}</text>']
    parts += [_grid(value, y(value), left) for value in _ticks(lowest, highest)]
    parts += [_tick(kl, x(kl)) for kl in _ticks(0.0, widest)]
    parts += [_level(name, y(value), left) for name, value in panel.levels]
    parts += [_series(series, x, y) for series in panel.series]
    bottom = TOP + PANEL_HEIGHT
    parts.append(f'<line class="axis" x1="{left}" y1="{bottom}" x2="{left + PANEL_WIDTH}" y2="{bottom}"/>')
    parts.append(f'<text class="quiet" x="{left}" y="{bottom + 40}">KL from SFT, nats a response</text>')
    return "\n".join([*parts, *_legend(panel, left + 190, bottom + 40)])


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between the two, three to seven of them."""
    step = next(
        size for size in (0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 1e9) if (high - low) / size <= 6
    )
    first = -int(-low // step)
    return [number * step for number in range(first, int(high // step) + 1)]


def _grid(value: float, y: float, left: int) -> str:
    line = f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{left + PANEL_WIDTH}" y2="{y:.1f}"/>'
    return f'{line}<text class="quiet" text-anchor="end" x="{left - 8}" y="{y + 4:.1f}">{value:g}</text>'


def _tick(value: float, x: float) -> str:
    return f'<text class="quiet" text-anchor="middle" x="{x:.1f}" y="{TOP + PANEL_HEIGHT + 18}">{value:g}</text>'


def _level(name: str, y: float, left: int) -> str:
    right = left + PANEL_WIDTH
    line = f'<line class="level" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
    return f'{line}<text class="quiet" text-anchor="end" x="{right}" y="{y - 5:.1f}">{name}</text>'


def _series(series: Series, x: Place, y: Place) -> str:
    path = " ".join(f"{x(point.x):.1f},{y(point.y):.1f}" for point in series.points)
    parts = [f'<polyline class="line {series.kind}" style="fill:none" points="{path}"/>']
    for point in series.points:
        at, middle = x(point.x), y(point.y)
        ends = f'y1="{y(point.low):.1f}" y2="{y(point.high):.1f}"'
        parts.append(f'<line class="{series.kind}" x1="{at:.1f}" x2="{at:.1f}" {ends}/>')
        parts.append(f'<circle class="{series.kind}" cx="{at:.1f}" cy="{middle:.1f}" r="3.5"/>')
        parts.append(f'<text class="quiet" x="{at + 6:.1f}" y="{middle + 15:.1f}">{point.label}</text>')
    return "".join(parts)


def _legend(panel: Panel, left: int, y: int) -> list[str]:
    return [_key(series, left + 95 * number, y) for number, series in enumerate(panel.series)]


def _key(series: Series, x: int, y: int) -> str:
    return f'<circle class="{series.kind}" cx="{x}" cy="{y - 4}" r="4"/><text x="{x + 10}" y="{y}">{series.name}</text>'
