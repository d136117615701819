"""A round as a line of stages: what state each is in, in a shape, a word and a few figures."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone

from labeling.models import Assignment, Campaign, Task
from training.durations import duration
from training.models import Checkpoint, Job, JobInput, Stage
from training.waiting import WAITS, waited

Kind = Stage.Kind
State = Stage.State
RING = 2 * 3.14159 * 6.5
"""Circumference of the ring that fills while a stage runs."""


@dataclass(frozen=True)
class Progress:
    """Of a campaign: submissions that count, and how many are wanted."""

    done: int = 0
    wanted: int = 0


@dataclass(frozen=True)
class StageCard:
    """shape: done, running, ready, waiting or failed. part: of the ring, as stroke-dasharray."""

    kind: str
    label: str
    shape: str
    words: str
    facts: list[str]
    part: str


def cards_of(stages: Sequence[Stage], *, older: Mapping[int, str] | None = None) -> list[StageCard]:
    """In the order given (two queries where people judge in any of them, however many). The job and the campaign come
    with the stage. older: what made_from_older said of them."""
    progress = progress_of(stage.campaign for stage in stages if stage.campaign is not None)
    done = {(stage.round_id, stage.kind) for stage in stages if stage.state == State.DONE}
    return [
        _card(
            stage, progress.get(stage.campaign_id or 0, Progress()), (older or {}).get(stage.pk, ""),
            [kind for kind in stage.waits_for if (stage.round_id, kind) not in done],
        )
        for stage in stages
    ]  # fmt: skip


def made_from_older(stages: Sequence[Stage]) -> dict[int, str]:
    """By the stage's id, of those whose job read what an earlier stage of the round made before it ran again: said of
    the newest that it read of each. Two queries."""
    newest: dict[int, Checkpoint] = {}
    made = Checkpoint.objects.filter(job__stage__in=stages, job__state=Job.State.DONE).select_related("job")
    for one in made.only("name", "job__stage").order_by("job_id"):
        newest[_maker(one)] = one
    read: dict[tuple[int, int], Checkpoint] = {}
    by_job = {stage.job_id: stage.pk for stage in stages if stage.job_id is not None}
    inputs = JobInput.objects.filter(job__in=by_job, checkpoint__job__stage__in=stages)
    inputs = inputs.select_related("checkpoint__job").only("job", "checkpoint__name", "checkpoint__job__stage")
    for used in inputs.order_by("checkpoint__job_id"):
        assert used.checkpoint is not None
        read[by_job[used.job_id], _maker(used.checkpoint)] = used.checkpoint
    said: dict[int, list[str]] = {}
    for (stage, maker), one in read.items():
        if maker in newest and newest[maker].pk != one.pk:
            said.setdefault(stage, []).append(f"from {one.name}, not the newer {newest[maker].name}")
    return {stage: "; ".join(words) for stage, words in said.items()}


def _maker(checkpoint: Checkpoint) -> int:
    """The stage that made it."""
    assert checkpoint.job is not None
    assert checkpoint.job.stage_id is not None
    return checkpoint.job.stage_id


def _card(stage: Stage, progress: Progress, older: str, missing: Sequence[str]) -> StageCard:
    job = stage.job
    share = _share(job)
    if stage.kind == Kind.EVALUATE and stage.campaign is not None and (job is None or job.state == Job.State.DONE):
        share = min(1.0, progress.done / progress.wanted) if progress.wanted else None
    return StageCard(
        kind=stage.kind,
        label=stage.get_kind_display(),
        shape=_shape(stage, job),
        words=_words(stage, job, share, missing),
        facts=[*_facts(stage, job, progress), *([older] if older else [])],
        part=f"{(share or 0) * RING:.1f} {RING:.1f}",
    )


def _share(job: Job | None) -> float | None:
    return min(1.0, job.step / job.steps) if job and job.steps else None


def _shape(stage: Stage, job: Job | None) -> str:
    if stage.state == State.RUNNING:
        return "ready" if job is not None and job.state in (Job.State.PAUSED, Job.State.QUEUED) else "running"
    return "failed" if stage.state == State.CANCELLED or stage.refusal else stage.state


def _words(stage: Stage, job: Job | None, share: float | None, missing: Sequence[str]) -> str:
    if stage.state == State.WAITING:
        people = ["people"] if stage.enough and WAITS[stage.kind].before else []
        waits = " and ".join([*(Kind(kind).label for kind in missing), *people])
        return f"Waiting for {waits}" if waits else "Waiting"
    if stage.state == State.READY:
        return "Not started" if stage.refusal else "Ready"
    if job is None:
        return stage.get_state_display()
    if stage.state == State.RUNNING and job.state == Job.State.DONE:
        return "Being rated"
    if job.state == Job.State.DONE and stage.kind != Kind.EVALUATE:
        early = ", stopped early" if job.stopped_early else ""
        return f"Done, {duration(_seconds(job))}{early}"
    if job.state == Job.State.RUNNING:
        asked = {Job.Wanted.PAUSE: "Pausing", Job.Wanted.CANCEL: "Cancelling"}.get(Job.Wanted(job.wanted))
        return asked or ("Starting" if share is None else f"Running, {share:.0%}".replace("%", " %"))
    if job.state == Job.State.PAUSED:
        return f"Paused at step {job.step:,}"
    return stage.get_state_display() if job.state == Job.State.DONE else job.get_state_display()


def _seconds(job: Job) -> float:
    """Of work; for a job of before that was written down, since it began."""
    known = "report" not in job.get_deferred_fields()
    worked = (job.report or {}).get("worked_seconds") if known else getattr(job, "worked_seconds", None)
    if worked is not None:
        return float(worked)
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return (job.finished_at - job.started_at).total_seconds()


def time_of(job: Job) -> str:
    """How long it took, or when it began; empty before that."""
    if job.started_at and job.finished_at:
        return duration(_seconds(job))
    return f"since {timezone.localtime(job.started_at):%H:%M}" if job.started_at else ""


def _facts(stage: Stage, job: Job | None, progress: Progress) -> Iterator[str]:
    if stage.state == State.WAITING and (found := waited(stage)) is not None:
        yield str(found)
    if stage.kind == Kind.RANK:
        yield from _campaign_facts(stage, progress, "rankings")
    elif stage.kind == Kind.EVALUATE and (job is None or job.state == Job.State.DONE):
        yield from _campaign_facts(stage, progress, "ratings")
    elif job is not None and job.state == Job.State.DONE:
        yield from done_facts(stage.kind, job.report or {})
    elif job is not None and job.state == Job.State.RUNNING and job.steps:
        yield f"step {job.step:,} of {job.steps:,}"
        if job.seconds_left is not None:
            yield f"about {duration(job.seconds_left)} left"


def _campaign_facts(stage: Stage, progress: Progress, what: str) -> Iterator[str]:
    if stage.campaign is not None:
        yield f"{progress.done:,} of {progress.wanted:,} {what}"
        yield f"campaign “{stage.campaign.name}”"
        if stage.state == State.RUNNING and stage.enough:
            yield f"done at {next(iter(stage.enough.values())):,}"


def progress_of(campaigns: Iterable[Campaign]) -> dict[int, Progress]:
    """By the campaign's id (two queries, however many campaigns; none for none)."""
    ids = {campaign.pk for campaign in campaigns}
    if not ids:
        return {}
    counted = Assignment.objects.filter(
        campaign__in=ids, state=Assignment.State.SUBMITTED, current_submission__counted=True
    )
    done = dict(counted.order_by().values_list("campaign").annotate(Count("pk")))
    tasks = Task.objects.filter(campaign__in=ids).order_by()
    wanted = dict(tasks.values_list("campaign").annotate(Sum("overlap")))
    return {pk: Progress(done.get(pk, 0), wanted.get(pk, 0)) for pk in ids}


def done_facts(kind: str, report: Mapping[str, Any]) -> Iterator[str]:
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
