"""Score against KL as plain SVG: the policy, best of n and lower temperatures, each told by shape and name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEFT, RIGHT, TOP, BOTTOM = 44.0, 326.0, 14.0, 214.0
"""Of the plotting area within a viewBox of 340 x 250, which a narrow screen shows at about its own size."""
TICKS = 4
SHORT = {"policy": "PPO {:g}", "temperature": "T {:g}", "best_of": "{:g}"}


@dataclass(frozen=True)
class Mark:
    """kind: policy (a filled circle), temperature (a diamond) or best_of (an open square). low, high: of the score."""

    kind: str
    name: str
    x: str
    y: str
    low: str
    high: str
    diamond: str
    corner: tuple[str, str]
    """Of the square."""


@dataclass(frozen=True)
class FrontierPlot:
    """x_ticks, y_ticks: place and words. course: the policy's points, joined in their order."""

    marks: list[Mark]
    x_ticks: list[tuple[str, str]]
    y_ticks: list[tuple[str, str]]
    course: str
    left: float = LEFT
    right: float = RIGHT
    bottom: float = BOTTOM


def frontier_plot(report: Mapping[str, Any] | None) -> FrontierPlot | None:
    """None where a run measured nothing beside its policy, or a single point."""
    told = ((report or {}).get("beside") or {}).get("points", ())
    points = [one for one in told if one["score"]["mean"] is not None and one["kl"]["mean"] is not None]
    if len(points) < 2:
        return None
    reached = [point["kl"]["mean"] for point in points]
    scores = [
        end for point in points for end in (point["score"][name] for name in ("low", "mean", "high")) if end is not None
    ]
    left, right = min(0.0, *reached), max(reached)
    low, high = min(scores), max(scores)

    def x(kl: float) -> float:
        return LEFT + (kl - left) / ((right - left) or 1.0) * (RIGHT - LEFT)

    def y(score: float) -> float:
        return BOTTOM - (score - low) / ((high - low) or 1.0) * (BOTTOM - TOP)

    marks = [_mark(point, x(point["kl"]["mean"]), y) for point in points]
    return FrontierPlot(
        marks=marks,
        x_ticks=[(f"{x(value):.1f}", _words(value)) for value in _ticks(left, right)],
        y_ticks=[(f"{y(value):.1f}", _words(value)) for value in _ticks(low, high)],
        course=" ".join(f"{mark.x},{mark.y}" for mark in marks if mark.kind == "policy"),
    )


def _mark(point: Mapping[str, Any], x: float, y: Any) -> Mark:
    score = point["score"]
    middle = y(score["mean"])
    low, high = (f"{y(score[end]):.1f}" if score[end] is not None else "" for end in ("low", "high"))
    diamond = f"{x:.1f},{middle - 5:.1f} {x + 5:.1f},{middle:.1f} {x:.1f},{middle + 5:.1f} {x - 5:.1f},{middle:.1f}"
    return Mark(
        kind=point["kind"], name=SHORT[point["kind"]].format(point["at"]), x=f"{x:.1f}", y=f"{middle:.1f}", low=low,
        high=high, diamond=diamond, corner=(f"{x - 4:.1f}", f"{middle - 4:.1f}"),
    )  # fmt: skip


def _ticks(low: float, high: float) -> Sequence[float]:
    if high == low:
        return [low]
    return [low + (high - low) * place / TICKS for place in range(TICKS + 1)]


def _words(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
