"""The figures of a finished job's report, in the order they are read, each beside what it is to be compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.models import Job, Stage
from training.views.stage_cards import figure, signed

Kind = Stage.Kind


@dataclass(frozen=True)
class Figure:
    """A line of the report: a value and, where it was estimated, its 95 % interval."""

    name: str
    value: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True)
class FigureOf:
    name: str
    path: str
    form: str = "{:.3f}"
    note: str = ""
    """What it was measured on or means."""


FIGURES: dict[str, tuple[FigureOf, ...]] = {
    Kind.PRETRAIN: (
        FigureOf("Loss in training", "train_loss"), FigureOf("Loss on held-out text", "validation_loss"),
        FigureOf("Parameters", "parameters", "{:,}"), FigureOf("Tokens", "tokens", "{:,}"),
    ),
    Kind.SFT: (
        FigureOf("Loss in training", "train_loss"),
        FigureOf("Best loss on held-out demonstrations", "best.validation_loss", note="of the epoch that was released"),
        FigureOf("Demonstrations learned from", "demonstrations.train.used", "{:,}"),
        FigureOf("Left out as too long", "demonstrations.train.left_out", "{:,}"),
    ),
    Kind.SAMPLE: (FigureOf("Responses", "responses", "{:,}"), FigureOf("Temperature", "temperature", "{:g}")),
    Kind.REWARD: (
        FigureOf("Accuracy on held-out comparisons", "validation.accuracy"),
        FigureOf("If the longer one were always better", "validation.longer_is_better", note="the same comparisons"),
        FigureOf("Reward model minus the longer one", "validation.accuracy_over_longer"),
        FigureOf("Chance", "validation.chance"),
        FigureOf("Agreement of two labelers", "validation.people", note="the same responses; hardly to be passed"),
        FigureOf(
            "Calibration error", "validation.calibration.expected_error",
            note="by how much its probabilities are off on average; 0 is none",
        ),
        FigureOf("Members of the ensemble", "members", "{:,}"),
        FigureOf("How far the members are apart", "validation.members.score_spread", note="score"),
        FigureOf(
            "Folds: labelers that it learned from", "folds.learned_from", note="InstructGPT: 0.724 ± 0.004"
        ),
        FigureOf("Folds: labelers that it never met", "folds.held_out", note="InstructGPT: 0.696 ± 0.009"),
        FigureOf("Loss on held-out comparisons", "validation.loss", note="nats; 0.693 is a guess"),
        FigureOf("Mean score of demonstrations", "demonstrations.mean_score", note="the bias is set to make it 0"),
    ),
    Kind.PPO: (
        FigureOf("Score before", "before.score"), FigureOf("Score after", "after.score"),
        FigureOf("Gain in score, prompt by prompt", "gain.score"),
        FigureOf("KL to the reference before", "before.kl", note="nats a response"),
        FigureOf("KL to the reference after", "after.kl", note="nats a response"),
        FigureOf("Response length before", "before.response_tokens", "{:.1f}", "tokens"),
        FigureOf("Response length after", "after.response_tokens", "{:.1f}", "tokens"),
        FigureOf("Ended by themselves after", "after.ended", note="share of responses"),
    ),
}  # fmt: skip


def figures_of(job: Job) -> list[Figure]:
    """Of a finished job: what its report says, in the order it is read."""
    report = job.report or {}
    found = [shown for wanted in FIGURES.get(job.kind, ()) if (shown := _figure(report, wanted)) is not None]
    return found + beside_of(report)


POINTS = {
    "policy": "Policy after iteration {:g}",
    "temperature": "SFT at temperature {:g}",
    "best_of": "SFT, best of {:g}",
}


def beside_of(report: Mapping[str, Any]) -> list[Figure]:
    """Score against KL: the policy beside what needs no training, on the same held-out prompts; empty where not asked.

    What stands at the same distance with a higher score is the better way to spend it.
    """
    found = []
    for point in (report.get("beside") or {}).get("points", ()):
        score, kl, tokens = point["score"], point["kl"]["mean"], point["response_tokens"]["mean"]
        if score["mean"] is None or kl is None:
            continue
        at_most = "at most " if point["kind"] == "best_of" else ""
        between = f"{score['low']:.3f} to {score['high']:.3f}"
        note = f"score; {at_most}{kl:.2f} nats from SFT, {tokens:.1f} tokens a response"
        name = POINTS[point["kind"]].format(point["at"])
        found.append(Figure(name, signed(f"{score['mean']:.3f}"), signed(between), signed(note)))
    return found


def _figure(report: Mapping[str, Any], wanted: FigureOf) -> Figure | None:
    """A plain number, or one with {"mean", "low", "high"}."""

    def shown(value: float) -> str:
        return signed(wanted.form.format(value))

    value = figure(report, wanted.path)
    if value is not None:
        return Figure(wanted.name, shown(value), note=wanted.note)
    mean, low, high = (figure(report, f"{wanted.path}.{end}") for end in ("mean", "low", "high"))
    if mean is None:
        return None
    between = f"{shown(low)} to {shown(high)}" if low is not None and high is not None else ""
    return Figure(wanted.name, shown(mean), between, wanted.note)
