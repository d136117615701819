"""The tasks of a campaign, with the state of their slots."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, F, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling.browsing.searching import LastTurn, beginning
from labeling.models import Assignment, Campaign, Task, TaskResponse

FIRST_CHARACTERS = 240
State = Assignment.State


def found_tasks(campaign: Campaign, said: Mapping[str, str]) -> QuerySet[Task]:
    """said: what TaskFilters accepted. A task is at full overlap once as many submissions count as it asks for."""
    rows = Task.objects.filter(campaign=campaign).annotate(counted=_counted())
    if said.get("state") == "whole":
        rows = rows.filter(counted__gte=F("overlap"))
    elif said.get("state") == "begun":
        rows = rows.filter(counted__gte=1, counted__lt=F("overlap"))
    elif said.get("state") == "untouched":
        rows = rows.filter(counted=0)
    return rows.order_by("position")


def as_lines(rows: QuerySet[Task]) -> QuerySet[Task]:
    """With the first words of the prompt, and how many people hold, did and skipped each task."""
    return rows.annotate(
        first_words=beginning(LastTurn("prompt__messages"), characters=FIRST_CHARACTERS),
        responses_shown=_how_many(TaskResponse.objects.all()),
        held=_how_many(Assignment.objects.filter(state=State.LIVE, occurrence=0)),
        skipped=_how_many(Assignment.objects.filter(state=State.SKIPPED)),
        surplus=_how_many(Assignment.objects.filter(current_submission__counted=False)),
    )


def _counted() -> Coalesce:
    return _how_many(
        Assignment.objects.filter(
            occurrence=0, current_submission__counted=True, current_submission__withdrawn_at__isnull=True
        )
    )


def _how_many(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.filter(task=OuterRef("pk")).order_by().values("task").annotate(many=Count("pk")).values("many")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
