"""A round as a line of stages: what state each is in, in a shape, a word and a few figures."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labeling.models import Assignment
from training.models import Job, Stage

Kind = Stage.Kind
State = Stage.State
RING = 2 * 3.14159 * 6.5
"""Circumference of the ring that fills while a stage runs."""


@dataclass(frozen=True)
class StageCard:
    """shape: done, running, ready, waiting or failed. part: of the ring, as stroke-dasharray."""

    kind: str
    label: str
    shape: str
    words: str
    facts: list[str]
    part: str


def card_of(stage: Stage) -> StageCard:
    """Queries of a ranking stage: its campaign's progress. The job comes with the stage."""
    job = stage.job
    share = _share(job)
    return StageCard(
        kind=stage.kind,
        label=stage.get_kind_display(),
        shape=_shape(stage, job),
        words=_words(stage, job, share),
        facts=list(_facts(stage, job)),
        part=f"{(share or 0) * RING:.1f} {RING:.1f}",
    )


def _share(job: Job | None) -> float | None:
    return min(1.0, job.step / job.steps) if job and job.steps else None


def _shape(stage: Stage, job: Job | None) -> str:
    if stage.state == State.RUNNING:
        return "ready" if job is not None and job.state in (Job.State.PAUSED, Job.State.QUEUED) else "running"
    return "failed" if stage.state == State.CANCELLED else stage.state


def _words(stage: Stage, job: Job | None, share: float | None) -> str:
    if stage.state == State.WAITING:
        return "Waiting for " + " and ".join(Kind(kind).label for kind in stage.waits_for)
    if stage.state == State.READY:
        return "Not in this version" if stage.kind == Kind.EVALUATE else "Ready"
    if job is None:
        return stage.get_state_display()
    if job.state == Job.State.DONE:
        early = ", stopped early" if job.stopped_early else ""
        return f"Done, {duration(_seconds(job))}{early}"
    if job.state == Job.State.RUNNING:
        asked = {Job.Wanted.PAUSE: "Pausing", Job.Wanted.CANCEL: "Cancelling"}.get(Job.Wanted(job.wanted))
        return asked or ("Starting" if share is None else f"Running, {share:.0%}".replace("%", " %"))
    if job.state == Job.State.PAUSED:
        return f"Paused at step {job.step:,}"
    return job.get_state_display()


def _seconds(job: Job) -> float:
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return (job.finished_at - job.started_at).total_seconds()


def duration(seconds: float) -> str:
    """Two units at most: "1 h 12 min", "38 min", "41 s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours == 0:
        return f"{minutes} min" + (f" {whole % 60} s" if minutes < 10 and whole % 60 else "")
    if days == 0:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def _facts(stage: Stage, job: Job | None) -> Iterator[str]:
    if stage.kind == Kind.RANK:
        yield from _ranking_facts(stage)
    elif job is not None and job.state == Job.State.DONE:
        yield from _done_facts(stage.kind, job.report or {})
    elif job is not None and job.state == Job.State.RUNNING and job.steps:
        yield f"step {job.step:,} of {job.steps:,}"
        if job.seconds_left is not None:
            yield f"about {duration(job.seconds_left)} left"


def _ranking_facts(stage: Stage) -> Iterator[str]:
    if stage.campaign is not None:
        tasks = stage.campaign.tasks
        done = stage.campaign.assignments.filter(
            state=Assignment.State.SUBMITTED, current_submission__counted=True
        ).count()
        yield f"{done:,} of {tasks.count() * stage.campaign.overlap:,} rankings"
        yield f"campaign “{stage.campaign.name}”"


def _done_facts(kind: str, report: Mapping[str, Any]) -> Iterator[str]:
    """The two figures that say most of a finished stage; a report without them says nothing."""
    if kind == Kind.PRETRAIN:
        yield from _said(report, "tokens", "{:,} tokens")
        yield from _said(report, "parameters", "{:,} parameters")
    elif kind == Kind.SFT:
        yield from _said(report, "demonstrations.train.used", "{:,} demonstrations")
        yield from _said(report, "best.validation_loss", "held-out loss {:.3f}")
    elif kind == Kind.SAMPLE:
        yield from _said(report, "responses", "{:,} responses")
        yield from _said(report, "temperature", "temperature {:g}")
    elif kind == Kind.REWARD:
        yield from _said(report, "train.comparisons", "{:,} comparisons")
        yield from _said(report, "validation.accuracy.mean", "held-out accuracy {:.1%}")
    elif kind == Kind.PPO:
        yield from _said(report, "gain.score.mean", "gain in score {:.2f}")
        yield from _said(report, "after.kl.mean", "KL {:.2f} nats a response")


def figure(report: Mapping[str, Any], path: str) -> float | None:
    """A number in a report by its dotted path."""
    value: Any = report
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _said(report: Mapping[str, Any], path: str, words: str) -> Iterator[str]:
    value = figure(report, path)
    if value is not None:
        yield signed(words.format(value)).replace("%", " %")


def signed(text: str) -> str:
    """Numbers with a true minus sign, and none before a zero."""
    return re.sub(r"-(?=[0-9])", "−", re.sub(r"-(?=0(\.0+)?(?![0-9.]))", "", text))
