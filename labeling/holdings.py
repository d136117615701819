"""What a project holds and what waits for people, in figures."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from labeling.datasets import counted
from labeling.models import Campaign, Project, Prompt, Response, Submission, Task, WorkKind
from labeling.reviewing import reviewable

LATELY = timedelta(days=7)


@dataclass(frozen=True)
class Holdings:
    """demonstrations: texts of people that count, reviewed or not; unreviewed: those that wait for it. rankings,
    ratings: submissions, corrections not counted twice.
    writing: open campaigns that ask for prompts, where a task is made only as it is claimed.
    tasks_left, slots_left: open tasks of open campaigns, and how many times somebody can still do one of them.
    active: labelers who submitted something within LATELY.
    """

    prompts: int
    demonstrations: int
    rankings: int
    ratings: int
    campaigns_open: int
    writing: int
    tasks_left: int
    slots_left: int
    active: int
    unreviewed: int


def holdings_of(project: Project) -> Holdings:
    """Seven queries, each a count over an index or one pass of the project's rows."""
    kinds = dict(
        Submission.objects.filter(assignment__campaign__project=project, assignment__current_submission=F("pk"))
        .values_list("assignment__campaign__kind")
        .annotate(Count("pk"))
    )
    written = Response.objects.filter(
        counted("submission"), prompt__project=project, labeler__isnull=False, judged_only=False
    )
    waiting = reviewable(project).filter(assignment__campaign__kind=WorkKind.DEMONSTRATION, reviews__isnull=True)
    opened = Campaign.objects.filter(project=project, state=Campaign.State.OPEN)
    campaigns = opened.aggregate(all=Count("pk"), writing=Count("pk", filter=Q(kind=WorkKind.PROMPT)))
    left = Task.objects.filter(campaign__in=opened, open_slots__gt=0).aggregate(
        tasks=Count("pk"), slots=Sum("open_slots")
    )
    lately = Submission.objects.filter(
        assignment__campaign__project=project, submitted_at__gte=timezone.now() - LATELY
    ).aggregate(labelers=Count("assignment__labeler", distinct=True))
    return Holdings(
        prompts=Prompt.objects.filter(project=project).count(),
        demonstrations=written.count(),
        rankings=kinds.get(WorkKind.RANKING, 0),
        ratings=kinds.get(WorkKind.RATING, 0),
        campaigns_open=campaigns["all"],
        writing=campaigns["writing"],
        tasks_left=left["tasks"],
        slots_left=left["slots"] or 0,
        active=lately["labelers"],
        unreviewed=waiting.count(),
    )
