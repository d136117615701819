"""What the page of a round shows of the stage that is looked at: its job, its form, its texts, its figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from training.durations import duration
from training.jobs import followed_by
from training.knobs import value_at, written
from training.models import Checkpoint, Job, Stage
from training.views.figures import Figure, figures_of
from training.views.launch_forms import LaunchForm
from training.views.logs import log_of
from training.views.samples import Reading, reading_of
from training.waiting import WAITS, Wait, there
from training.workers import can_take

Kind = Stage.Kind
LOG_LINES = 40


def stage_looked_at(stages: list[Stage], asked: str | None) -> Stage:
    """The one asked for; else the one that runs, else one that did not start by itself, else the newest with a job,
    else the first that is ready."""
    for stage in stages:
        if stage.kind == asked:
            return stage
    running = [stage for stage in stages if stage.state == Stage.State.RUNNING]
    with_job = sorted((stage for stage in stages if stage.job), key=lambda stage: stage.job.pk)  # type: ignore[union-attr]
    ready = [stage for stage in stages if stage.state == Stage.State.READY]
    refused = [stage for stage in ready if stage.refusal]
    return (running or refused or with_job[-1:] or ready or stages)[0]


# --- the job ----------------------------------------------------------------------------------------------------------


def facts_of(job: Job) -> list[tuple[str, str]]:
    """Names and values: where the job starts from, what it was told, who does it."""
    found = [(one.part, one.checkpoint.name) for one in job.inputs.select_related("checkpoint") if one.checkpoint]
    for path, label in TOLD.get(job.kind, ()):
        value = value_at(job.config, path)
        if value is not None:
            found.append((label, written(value)))
    for one in job.inputs.select_related("snapshot"):
        if one.snapshot:
            name = one.role.replace("_", ", ")
            found.append(
                (name.capitalize(), f"{one.snapshot.rows:,} rows, {one.snapshot.sha256[:4]}…{one.snapshot.sha256[-2:]}")
            )
    found.append(("Attempt", str(job.attempt)))
    if job.checkpoint_step is not None:
        found.append(("Saved at step", f"{job.checkpoint_step:,}"))
    if job.state == Job.State.RUNNING:
        found.append(("Machine", f"{job.owner}, {_heard(job)}"))
    elif job.state == Job.State.QUEUED:
        found.append(("Queue", job.queue))
    return found


TOLD: dict[str, tuple[tuple[str, str], ...]] = {
    Kind.PRETRAIN: (
        ("optimizer.learning_rate", "Learning rate"), ("pretrain.steps", "Steps"),
        ("pretrain.tokens_per_step", "Tokens a step"), ("seed", "Seed"),
    ),
    Kind.SFT: (
        ("optimizer.learning_rate", "Learning rate"), ("sft.epochs", "Epochs"),
        ("sft.sequences_per_step", "Demonstrations a step"), ("seed", "Seed"),
    ),
    Kind.SAMPLE: (
        ("sample.responses_per_prompt", "Responses a prompt"), ("sample.temperature", "Temperature"), ("seed", "Seed"),
    ),
    Kind.REWARD: (
        ("optimizer.learning_rate", "Learning rate"), ("reward.epochs", "Epochs"),
        ("reward.prompts_per_step", "Prompts a step"), ("seed", "Seed"),
    ),
    Kind.PPO: (
        ("optimizer.learning_rate", "Learning rate"), ("ppo.episodes_per_iteration", "Episodes an iteration"),
        ("ppo.minibatch_episodes", "Episodes a minibatch"), ("ppo.kl.coef", "KL coefficient"), ("seed", "Seed"),
    ),
}  # fmt: skip


def _heard(job: Job) -> str:
    """By the database's clock, which the lease was set by."""
    now = Job.objects.annotate(clock=Now()).values_list("clock", flat=True).get(pk=job.pk)
    if job.lease_until is None:
        return "not heard"
    silent = settings.JOB_LEASE_SECONDS - (job.lease_until - now).total_seconds()
    return f"heard {duration(max(0.0, silent))} ago"


# --- all of it --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sheet:
    """Everything about one stage. What needs a job is empty without one."""

    stage: Stage
    job: Job | None
    form: LaunchForm | None
    facts: list[tuple[str, str]] = field(default_factory=list)
    log: str = ""
    reading: Reading = field(default_factory=Reading)
    figures: list[Figure] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    tried: Job | None = None
    """A later run of the stage that failed or was cancelled; what this job made still counts."""
    no_worker: bool = False
    """It is queued, and nobody takes from its queue."""
    wait: Wait | None = None
    there: int = 0
    wanted: int | None = None


def sheet_of(stage: Stage, form: LaunchForm | None, typed: Mapping[str, str]) -> Sheet:
    """typed: the query of the address, which may ask for certain samples."""
    job = stage.job
    waits: dict[str, Any] = {}
    wait = WAITS.get(stage.kind)
    over = stage.state not in (Stage.State.WAITING, Stage.State.READY, Stage.State.RUNNING)
    if wait is not None and not stage.round.recorded and not over:
        waits = {"wait": wait, "there": there(stage), "wanted": stage.enough.get(wait.what)}
    if job is None:
        return Sheet(stage=stage, job=None, form=form, **waits)
    return Sheet(
        stage=stage, job=job, form=form, tried=followed_by(job), **waits,
        no_worker=job.state == Job.State.QUEUED and not can_take(job.queue),
        facts=facts_of(job), log=log_of(job, lines=LOG_LINES),
        reading=reading_of(job, {**dict(typed.items()), "stage": stage.kind}),
        figures=figures_of(job), checkpoint=Checkpoint.objects.filter(job=job).first(),
    )  # fmt: skip
