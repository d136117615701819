"""Curves of a job, drawn as plain SVG: once by the server, and again by static/js/live-curves.js as steps come in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from django.db.models import F, Q

from training.models import Job, Metric

LEFT, WIDTH, HEIGHT = 36.0, 264.0, 96.0
"""Of the plotting area within a viewBox of 300 x 116, in its units; the script draws to the same."""
MEAN_OF = 12
MOST_ROWS = 1500
"""Rows that one answer holds, about; of more, every so-manieth step is taken."""

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Curve:
    """key: of the metrics. digits: after the point, in the figure beside the title."""

    key: str
    title: str
    unit: str = ""
    note: str = ""
    digits: int = 2


LOSS = Curve("loss", "Loss", "nats a token", "Hollow points: on held-out data.", 3)
RATE = Curve("learning_rate", "Learning rate", "", "", 6)
NORM = Curve("gradient_norm", "Gradient norm", "", "Of all gradients together, before it is cut.")

CURVES: dict[str, tuple[Curve, ...]] = {
    Job.Kind.PRETRAIN: (LOSS, NORM, RATE),
    Job.Kind.SFT: (LOSS, NORM, RATE),
    Job.Kind.REWARD: (
        Curve("loss", "Loss", "nats a prompt", "log 2 = 0.693 is a guess. Hollow points: on held-out prompts.", 3),
        Curve("accuracy", "Accuracy", "of comparisons", "Hollow points: on held-out prompts. Chance is 0.5.", 3),
        NORM,
    ),
    Job.Kind.PPO: (
        Curve("score_mean", "Score", "", "Of the reward model, at the end of a response."),
        Curve("kl_sequence", "KL to the reference", "nats a response", "How far the policy has gone from SFT."),
        Curve("policy_loss", "Policy loss", "", "", 4),
        Curve("value_loss", "Value loss", "", "A network of its own, from the reward model.", 3),
        Curve("response_tokens", "Response length", "tokens", "Read for padding where it grows.", 1),
        Curve("ended_share", "Ended by themselves", "of responses", "The others were cut at the longest length."),
    ),
    Job.Kind.SAMPLE: (),
}


@dataclass(frozen=True)
class Drawn:
    """A curve with its paths, ready for the template."""

    curve: Curve
    raw: str
    mean: str
    held_out: list[tuple[str, str]]
    """Centres (cx, cy) of the points on held-out data."""
    now: tuple[str, str] | None
    """Centre of the newest mean."""
    value: str
    low: str
    high: str
    total: int
    """The step at the right edge."""


def metric_rows(job: Job, *, after: int = -1) -> list[tuple[int, str, dict[str, Any]]]:
    """Step, split and values from `after` on (that step again: its other split may have come later), thinned where
    there are very many."""
    rows = Metric.objects.filter(job=job, step__gte=after).order_by("step", "split")
    stride = ceil(rows.count() / MOST_ROWS)
    if stride > 1:
        rows = rows.alias(rest=F("step") % stride).filter(Q(rest=0) | ~Q(split="train"))
    return list(rows.values_list("step", "split", "values"))


def drawn_curves(job: Job) -> list[Drawn]:
    rows = metric_rows(job)
    total = max([job.steps or 0, 1, *(step for step, _, _ in rows[-1:])])
    return [_draw(curve, rows, total) for curve in CURVES.get(job.kind, ())]


def _draw(curve: Curve, rows: Sequence[tuple[int, str, Mapping[str, Any]]], total: int) -> Drawn:
    trained = _points(rows, curve.key, held_out=False)
    held_out = _points(rows, curve.key, held_out=True)
    low, high = _scale([value for _, value in [*trained, *held_out]])
    mean = _means(trained)

    def at(point: tuple[int, float]) -> tuple[str, str]:
        step, value = point
        x = LEFT + min(1.0, step / total) * WIDTH
        y = HEIGHT - (value - low) / (high - low) * HEIGHT
        return f"{x:.1f}", f"{y:.1f}"

    def path(points: Points) -> str:
        return "".join(f"{'L' if place else 'M'}{' '.join(at(point))}" for place, point in enumerate(points))

    return Drawn(
        curve=curve, raw=path(trained), mean=path(mean), held_out=[at(point) for point in held_out],
        now=at(mean[-1]) if mean else None, value=_shown(mean[-1][1], curve.digits) if mean else "–",
        low=_edge(low), high=_edge(high), total=total,
    )  # fmt: skip


def _points(rows: Sequence[tuple[int, str, Mapping[str, Any]]], key: str, *, held_out: bool) -> list[tuple[int, float]]:
    """A value that was not finite is null in the rows and leaves a gap."""
    return [
        (step, float(values[key]))
        for step, split, values in rows
        if (split != "train") == held_out and values.get(key) is not None
    ]


def _means(points: Points) -> list[tuple[int, float]]:
    found = []
    for place, (step, _) in enumerate(points):
        near = [value for _, value in points[max(0, place - MEAN_OF + 1) : place + 1]]
        found.append((step, sum(near) / len(near)))
    return found


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """Round numbers around all values, a step of 1, 2 or 5 apart."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    magnitude = 10.0 ** floor(log10(spread))
    step = next(size * magnitude for size in (0.1, 0.2, 0.5, 1.0) if spread / (size * magnitude) <= 10)
    return floor(low / step) * step, ceil(high / step) * step if high > floor(low / step) * step else low + step


def _edge(value: float) -> str:
    return f"{value:.4g}".replace("-", "−").replace("e−0", "e−")


def _shown(value: float, digits: int) -> str:
    text = f"{value:.2g}" if value and abs(value) < 10**-digits else f"{value:.{digits}f}"
    return text.replace("e-0", "e-").replace("-", "−")
