"""Campaigns that people have judged, said in a line: who put which responses where."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from django.utils import timezone

from labeling.models import Assignment, Campaign, Judgment, Labeler, Project, Submission, Task, WorkKind
from tests.labeling.work import make_campaign


def labelers_of(project: Project, names: str, *, source: str = "imported") -> list[Labeler]:
    """labelers_of(project, "ada ben"): found or made."""
    return [
        Labeler.objects.get_or_create(project=project, pseudonym=name, defaults={"source": source})[0]
        for name in names.split()
    ]


def say(
    task: Task,
    labeler: Labeler,
    ranks: Sequence[int | None] = (),
    *,
    at: datetime | None = None,
    order: Sequence[int] | None = None,
    occurrence: int = 0,
    counted: bool = True,
    active_ms: int | None = 60_000,
    ratings: Sequence[dict[str, int]] = (),
    flags: Sequence[dict[str, bool]] = (),
) -> Submission:
    """One submission, as if it had been made. ranks, ratings, flags: of the task's responses in their order of storage;
    order: the places in which they were shown."""
    ids = list(task.shown.order_by("place").values_list("response_id", flat=True))
    assignment = Assignment.objects.create(
        task=task, campaign=task.campaign, labeler=labeler, occurrence=occurrence, state="submitted",
        order=[ids[place] for place in (order or range(len(ids)))],
    )  # fmt: skip
    submission = Submission.objects.create(
        assignment=assignment, number=1, key=uuid4(), counted=counted, active_ms=active_ms,
        guideline=task.campaign.guideline, submitted_at=at or timezone.now(),
    )  # fmt: skip
    Judgment.objects.bulk_create(
        Judgment(
            submission=submission, response_id=pk, rank=ranks[place] if ranks else None,
            ratings=ratings[place] if ratings else {}, flags=flags[place] if flags else {},
        )
        for place, pk in enumerate(ids)
    )  # fmt: skip
    Assignment.objects.filter(pk=assignment.pk).update(current_submission=submission)
    return submission


def ranked_campaign(project: Project, said: Sequence[dict[str, Sequence[int | None]]], **more: object) -> Campaign:
    """A campaign with a task for each of `said`: {"ada": (1, 2, 3), "ben": (1, 3, 2)}, submitted in this order."""
    shown = max(len(ranks) for of_task in said for ranks in of_task.values())
    campaign = make_campaign(project, tasks=len(said), shown=shown, **{"overlap": 2, **more})  # type: ignore[arg-type]
    began = timezone.now() - timedelta(days=2)
    for number, (task, of_task) in enumerate(zip(campaign.tasks.order_by("position"), said, strict=True)):
        for place, (name, ranks) in enumerate(of_task.items()):
            say(task, *labelers_of(project, name), ranks, at=began + timedelta(minutes=10 * number + place))
    return campaign


def rated_campaign(project: Project, said: Sequence[dict[str, int]], **more: object) -> Campaign:
    """A campaign of ratings with a task for each of `said`: {"ada": 5, "ben": 6}, overall, submitted in this order."""
    more = {"overlap": max(len(of_task) for of_task in said), **more}
    campaign = make_campaign(project, kind=WorkKind.RATING, tasks=len(said), shown=1, **more)  # type: ignore[arg-type]
    began = timezone.now() - timedelta(days=2)
    for number, (task, of_task) in enumerate(zip(campaign.tasks.order_by("position"), said, strict=True)):
        for place, (name, rating) in enumerate(of_task.items()):
            at = began + timedelta(minutes=10 * number + place)
            say(task, *labelers_of(project, name), at=at, ratings=[{"overall": rating}])
    return campaign
