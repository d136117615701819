"""Counters that stand beside what they count, counted anew. Each check is one statement, so that it sees one moment:
claims and submissions may go on meanwhile.

What is only drawn or remembered (where a cursor stands, when somebody was told) is no counter and is not looked at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, F, IntegerField, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling.models import Assignment, Submission, Task


@dataclass(frozen=True)
class Drift:
    """One counter that is not what it counts. id: of its row. mend: writes what was counted, where that is safe."""

    what: str
    project: int
    id: int
    holds: str
    counted: str


def drifted() -> Iterator[Drift]:
    """All of the site."""
    for check in (_open_slots, _content, _campaign, _submitted_at, _current):
        yield from check()


def _counted_slots() -> QuerySet[Task]:
    taken = Q(assignments__state="live") | Q(assignments__current_submission__counted=True)
    return Task.objects.annotate(
        counted=F("overlap") - Count("assignments", filter=taken & Q(assignments__occurrence=0))
    )


def _open_slots() -> Iterator[Drift]:
    """overlap minus live leases minus counted submissions. A live one that was submitted and returned is both, and
    counts once."""
    found = _counted_slots().exclude(open_slots=F("counted"), campaign__imported=False).exclude(campaign__imported=True)
    yield from _told("Task.open_slots", found, "open_slots", "counted", "campaign__project")


def _content() -> Iterator[Drift]:
    """What a task's texts hold is its prompt's."""
    found = Task.objects.filter(prompt__isnull=False).exclude(content=F("prompt__content"))
    yield from _told("Task.content", found, "content", "prompt__content", "campaign__project")


def _campaign() -> Iterator[Drift]:
    """An assignment's campaign is its task's."""
    found = Assignment.objects.exclude(campaign=F("task__campaign"))
    yield from _told("Assignment.campaign", found, "campaign", "task__campaign", "campaign__project")


def _submitted_at() -> Iterator[Drift]:
    """Of its first submission."""
    first = Assignment.objects.annotate(counted=Min("submissions__submitted_at"))
    found = first.exclude(submitted_at=F("counted")).filter(counted__isnull=False)
    absent = first.filter(submitted_at__isnull=True, counted__isnull=False)
    yield from _told("Assignment.submitted_at", found | absent, "submitted_at", "counted", "campaign__project")


def _current() -> Iterator[Drift]:
    """The newest submission is the current one."""
    newest = Submission.objects.filter(assignment=OuterRef("pk")).order_by("-number").values("pk")[:1]
    counted = Assignment.objects.annotate(
        counted=Coalesce(Subquery(newest), 0, output_field=IntegerField()),
        held=Coalesce(F("current_submission_id"), 0, output_field=IntegerField()),
    )
    yield from _told(
        "Assignment.current_submission", counted.exclude(held=F("counted")), "held", "counted", "campaign__project"
    )


def _told(what: str, rows: QuerySet[Any], holds: str, counted: str, project: str) -> Iterator[Drift]:
    for pk, held, right, of in rows.order_by("pk").values_list("pk", holds, counted, project).iterator():
        yield Drift(what, of, pk, str(held), str(right))


def mend(drift: Drift) -> bool:
    """Writes what is counted now, with the task locked; False where nothing is to be mended, or a person must look."""
    act: Callable[[int], bool] | None = {"Task.open_slots": _mend_slots, "Task.content": _mend_content}.get(drift.what)
    return act(drift.id) if act else False


def _mend_slots(task_id: int) -> bool:
    with transaction.atomic():
        task = Task.objects.select_for_update().get(pk=task_id)
        counted: int = _counted_slots().get(pk=task_id).counted  # type: ignore[attr-defined]
        if counted < 0 or counted == task.open_slots:
            return False
        Task.objects.filter(pk=task_id).update(open_slots=counted, returned=counted > 0)
    return True


def _mend_content(task_id: int) -> bool:
    task = Task.objects.select_related("prompt").get(pk=task_id)
    assert task.prompt is not None
    return bool(Task.objects.filter(pk=task_id).update(content=task.prompt.content))
