"""Curves of a job, drawn as plain SVG: once by the server, and again by static/js/live-curves.js as steps come in."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from django.db.models import Q, QuerySet

from training.models import Job, Metric

LEFT, WIDTH, HEIGHT = 50.0, 250.0, 96.0
"""Of the plotting area within a viewBox of 300 x 116, in its units; the script draws to the same."""
MOST_MEAN_OF = 12
"""Steps that the dark line is the mean of; a twelfth of a short run, whose line would else lag behind all it shows."""
MOST_ROWS = 1500
"""Rows that one answer holds, about; of more, every so-manieth step is taken."""

Points = Sequence[tuple[int, float]]
MetricRow = tuple[int, str, dict[str, Any]]


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

WATCH = "watch_score_mean"
"""Drawn only where a second reward model watches."""

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
        Curve(WATCH, "Second reward model", "", "Never trained on: where it falls, the first is gamed."),
        Curve(
            "kl_sequence",
            "KL to the reference",
            "nats a response",
            "How far from the model it started from.",
        ),
        Curve("entropy", "Entropy", "nats a token", "Near 0 nothing is tried any more."),
        Curve("policy_loss", "Policy loss", "", "", 4),
        Curve("value_loss", "Value loss", "", "A network of its own, from the reward model.", 3),
        Curve("response_tokens", "Response length", "tokens", "Read for padding where it grows.", 1),
        Curve("ended_share", "Ended by themselves", "of responses", "The others were cut at the longest length."),
        Curve("clip_share", "Clipped", "of tokens", "Whose ratio left the clip range; healthy below about 0.2.", 3),
        Curve(
            "explained_variance", "Explained variance", "", "Of the returns, by the value model; below 0 it is no help."
        ),
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
    mean_of: int


def metric_rows(job: Job, *, after: int = -1) -> list[MetricRow]:
    """Step, split and values from `after` on (that step again: its other split may have come later), thinned where
    there are very many: every so-manieth step and the newest. Few queries, each by an index.
    """
    rows = Metric.objects.filter(job=job, step__gte=after)
    found = [*_thinned(rows.filter(split="train")), *_thinned(rows.filter(~Q(split="train")))]
    return sorted(found, key=lambda row: row[:2])


def _thinned(rows: QuerySet[Metric]) -> list[MetricRow]:
    """At most MOST_ROWS of one split, about."""
    steps = rows.order_by("step").values_list("step", flat=True)
    beginning = list(steps[:2])
    if not beginning:
        return []
    first, last = beginning[0], steps.reverse()[0]
    # Stages write every so-manieth step; a stride that is no multiple of that would meet none.
    spacing = max(1, beginning[-1] - first)
    values = rows.order_by("step").values_list("step", "split", "values")
    many = (last - first) // spacing + 1
    if many <= MOST_ROWS:
        found = list(values[: MOST_ROWS + 1])
        if len(found) <= MOST_ROWS:
            return found
        spacing, many = 1, last - first + 1  # the first two steps were further apart than the others
    stride = ceil(many / MOST_ROWS) * spacing
    return list(values.filter(step__in=[*range(first, last, stride), last]))


def drawn_curves(job: Job) -> list[Drawn]:
    rows = metric_rows(job)
    total = max([job.steps or 0, 1, *(step for step, _, _ in rows[-1:])])
    drawn = [_draw(curve, rows, total) for curve in CURVES.get(job.kind, ())]
    return [one for one in drawn if one.curve.key != WATCH or job.config.get("models", {}).get("watch")]


def _draw(curve: Curve, rows: Sequence[MetricRow], total: int) -> Drawn:
    trained = points_of(rows, curve.key, held_out=False)
    held_out = points_of(rows, curve.key, held_out=True)
    low, high = scale_of([value for _, value in [*trained, *held_out]])
    mean_of = max(1, min(MOST_MEAN_OF, total // MOST_MEAN_OF))
    mean = means_of(trained, mean_of)

    def at(point: tuple[int, float]) -> tuple[str, str]:
        step, value = point
        x = LEFT + min(1.0, step / total) * WIDTH
        y = HEIGHT - (value - low) / (high - low) * HEIGHT
        return f"{x:.1f}", f"{y:.1f}"

    def path(points: Points) -> str:
        return "".join(f"{'L' if place else 'M'}{' '.join(at(point))}" for place, point in enumerate(points))

    return Drawn(
        curve=curve, raw=path(trained), mean=path(mean), held_out=[at(point) for point in held_out],
        now=at(mean[-1]) if mean else None, value=shown_value(mean[-1][1], curve.digits) if mean else "–",
        low=edge(low), high=edge(high), total=total, mean_of=mean_of,
    )  # fmt: skip


def points_of(rows: Sequence[MetricRow], key: str, *, held_out: bool) -> list[tuple[int, float]]:
    """A value that was not finite is null in the rows and leaves a gap."""
    return [
        (step, float(values[key]))
        for step, split, values in rows
        if (split != "train") == held_out and values.get(key) is not None
    ]


def means_of(points: Points, mean_of: int) -> list[tuple[int, float]]:
    found = []
    for place, (step, _) in enumerate(points):
        near = [value for _, value in points[max(0, place - mean_of + 1) : place + 1]]
        found.append((step, sum(near) / len(near)))
    return found


def scale_of(values: Sequence[float]) -> tuple[float, float]:
    """Round numbers around all values, a step of 1, 2 or 5 apart."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    spread = (high - low) or abs(high) or 1.0
    magnitude = 10.0 ** floor(log10(spread))
    step = next(size * magnitude for size in (0.1, 0.2, 0.5, 1.0) if spread / (size * magnitude) <= 10)
    return floor(low / step) * step, ceil(high / step) * step if high > floor(low / step) * step else low + step


def edge(value: float) -> str:
    return f"{value:.4g}".replace("-", "−").replace("e−0", "e−")


def shown_value(value: float, digits: int) -> str:
    text = f"{value:.2g}" if value and abs(value) < 10**-digits else f"{value:.{digits}f}"
    return text.replace("e-0", "e-").replace("-", "−")
