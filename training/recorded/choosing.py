"""Which rows of a rehearsal are recorded: its finished rounds, and whatever they were made of by simulated labelers.

What people wrote or said in it is theirs and stays where it is; so is what no finished round has used.
"""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

from labeling.models import (
    Assignment,
    Campaign,
    Cohort,
    CohortMember,
    Generator,
    Guideline,
    Judgment,
    Labeler,
    Project,
    Prompt,
    Response,
    Submission,
    Task,
    TaskResponse,
)
from training.errors import RecordingRefused
from training.models import Checkpoint, Job, JobInput, Metric, Round, Snapshot, Stage
from training.recorded.tables import FROZEN, PARENTS

MOST_POINTS = 300
"""Of a curve."""
Rows = Mapping[type[models.Model], QuerySet[Any]]


def finished_rounds(project: Project) -> QuerySet[Round]:
    """Rounds all of whose stages are done, the first one first. Raises RecordingRefused where there is none."""
    if not project.simulated:
        raise RecordingRefused(f"{project.name} is no rehearsal: its judgments are people's and are not recorded.")
    unfinished = Stage.objects.filter(round=OuterRef("pk")).exclude(state=Stage.State.DONE)
    found = Round.objects.filter(~Exists(unfinished), project=project, recorded="").order_by("number")
    if not found.exists():
        raise RecordingRefused(f"No round of {project.name} is finished. Let a worker run one to its end first.")
    return found


def rows_to_record(project: Project) -> Rows:
    """The rows of each model, in the order of their numbers. Raises RecordingRefused."""
    rounds = _numbers(finished_rounds(project))
    jobs = _numbers(Job.objects.filter(stage__round__in=rounds, state=Job.State.DONE))
    checkpoints = _numbers(Checkpoint.objects.filter(job__in=jobs))
    generators = _numbers(Generator.objects.filter(checkpoints__in=checkpoints).distinct())
    campaigns = _numbers(Campaign.objects.filter(stages__round__in=rounds).distinct())
    snapshots = _numbers(Snapshot.objects.filter(used_by__job__in=jobs).distinct())
    labelers = Labeler.objects.filter(project=project, source=Labeler.Source.SIMULATED)
    people = _numbers(labelers)
    prompts = Prompt.objects.filter(project=project, origin=Prompt.Origin.SIMULATED)
    ours = Q(generator__in=generators, sampling__job__in=jobs) | Q(labeler__in=people)
    responses = Response.objects.filter(ours, prompt__project=project, prompt__origin=Prompt.Origin.SIMULATED)
    tasks = Task.objects.filter(campaign__in=campaigns, prompt__origin=Prompt.Origin.SIMULATED)
    theirs = TaskResponse.objects.filter(task__campaign__in=campaigns).exclude(response__in=responses)
    tasks = tasks.exclude(pk__in=theirs.values("task"))
    kept = {"campaign__in": campaigns, "labeler__in": people, "state": Assignment.State.SUBMITTED}
    assignments = Assignment.objects.filter(task__in=tasks, **kept)
    submissions = Submission.objects.filter(assignment__in=assignments)
    found: dict[type[models.Model], QuerySet[Any]] = {
        Cohort: Cohort.objects.filter(project=project),
        Labeler: labelers,
        CohortMember: CohortMember.objects.filter(labeler__in=people),
        Guideline: Guideline.objects.filter(project=project, published_at__isnull=False),
        Prompt: prompts.filter(Q(pk__in=responses.values("prompt")) | Q(pk__in=tasks.values("prompt"))),
        Generator: Generator.objects.filter(pk__in=generators),
        Round: Round.objects.filter(pk__in=rounds),
        Campaign: Campaign.objects.filter(pk__in=campaigns),
        Stage: Stage.objects.filter(round__in=rounds),
        Job: Job.objects.filter(pk__in=jobs),
        Checkpoint: Checkpoint.objects.filter(pk__in=checkpoints),
        PARENTS: PARENTS._default_manager.filter(from_checkpoint__in=checkpoints),
        Snapshot: Snapshot.objects.filter(pk__in=snapshots),
        JobInput: JobInput.objects.filter(job__in=jobs),
        Response: responses,
        Task: tasks,
        TaskResponse: TaskResponse.objects.filter(task__in=tasks),
        Assignment: assignments,
        Submission: submissions,
        Judgment: Judgment.objects.filter(submission__in=submissions),
        FROZEN: FROZEN._default_manager.filter(snapshot__in=snapshots, submission__in=submissions),
        Metric: Metric.objects.filter(pk__in=list(points_kept(jobs))),
    }
    return {model: rows.order_by("pk") for model, rows in found.items()}


def _numbers(rows: QuerySet[Any]) -> list[int]:
    """Written out: SQLite takes no query within a query within a query."""
    return list(rows.values_list("pk", flat=True))


def points_kept(jobs: list[int]) -> Iterator[int]:
    """Primary keys of the metrics that are recorded: of longer curves evenly chosen steps, the first and the
    last among them."""
    for job in jobs:
        for split in Metric.objects.filter(job=job).order_by().values_list("split", flat=True).distinct():
            points = list(Metric.objects.filter(job=job, split=split).order_by("step").values_list("pk", flat=True))
            yield from evenly(points, MOST_POINTS)


def evenly(found: list[Any], most: int) -> list[Any]:
    """At most so many of them, the first and the last among them."""
    if len(found) <= most:
        return found
    return [found[ceil(place * (len(found) - 1) / (most - 1))] for place in range(most)]
