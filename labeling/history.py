"""What labelers did by day: for themselves to look back on, and for whoever pays them. One count for both.

A correction is no second submission, but the time it took is time at work.
"""

from datetime import date, datetime, time
from typing import Any

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from labeling.errors import Refusal
from labeling.models import Labeler, Project, Review, Submission

FIRST = Q(number=1)
CURRENT = Q(assignment__current_submission=F("pk"))
LONGEST_PERIOD_DAYS = 366


def by_day_and_campaign(labeler: Labeler) -> QuerySet[Any, dict[str, Any]]:
    """A row a day and campaign, the newest first: day, campaign, submissions, counting, surplus, active_ms, and of
    those that were reviewed accepted and returned, by the newest review."""
    newest = Review.objects.filter(submission=OuterRef("pk")).order_by("-pk").values("state")[:1]
    rows: QuerySet[Any, Any] = (
        Submission.objects.filter(assignment__labeler=labeler)
        .annotate(day=TruncDate("submitted_at"), review=Subquery(newest), campaign=F("assignment__campaign__name"))
        .values("day", "campaign")
        .annotate(
            **_counts(),
            accepted=Count("pk", filter=CURRENT & Q(review=Review.State.ACCEPTED)),
            returned=Count("pk", filter=CURRENT & Q(review=Review.State.RETURNED)),
        )
        .order_by("-day", "campaign")
    )
    return rows


def by_labeler_and_day(project: Project, first: date, last: date) -> QuerySet[Any, dict[str, Any]]:
    """A row a member and day, both days included: day, pseudonym, user name, submissions, counting, surplus, active_ms.

    Members only, those who left included: imported and simulated labelers are paid nothing.
    """
    rows: QuerySet[Any, Any] = (
        Submission.objects.filter(
            assignment__campaign__project=project,
            assignment__labeler__source=Labeler.Source.MEMBER,
            submitted_at__gte=_start(first),
            submitted_at__lt=_start(date.fromordinal(last.toordinal() + 1)),
        )
        .annotate(day=TruncDate("submitted_at"))
        .values(
            "day",
            "assignment__labeler_id",
            pseudonym=F("assignment__labeler__pseudonym"),
            username=F("assignment__labeler__user__username"),
        )
        .annotate(**_counts())
        .order_by("day", "pseudonym")
    )
    return rows


def _counts() -> dict[str, Any]:
    return {
        "submissions": Count("pk", filter=FIRST),
        "counting": Count("pk", filter=FIRST & Q(counted=True)),
        "surplus": Count("pk", filter=FIRST & Q(counted=False)),
        "active_ms": Sum("active_ms"),
    }


def _start(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def totals_of(labeler_ids: list[int]) -> dict[int, dict[str, Any]]:
    """By labeler: submissions and the time of the last one (one query)."""
    rows: QuerySet[Any, Any] = (
        Submission.objects.filter(assignment__labeler__in=labeler_ids)
        .values("assignment__labeler_id")
        .annotate(submissions=Count("pk", filter=FIRST), last=Max("submitted_at"))
    )
    return {row["assignment__labeler_id"]: row for row in rows}


class BadPeriod(Refusal):
    """Days that are no period."""

    code = "bad_period"


def read_period(first: str, last: str) -> tuple[date, date]:
    """Two days, written 2026-03-01. Raises BadPeriod."""
    begins, ends = _read_day("from", first), _read_day("to", last)
    if ends < begins:
        raise BadPeriod(f"The period ends on {ends}, before it begins on {begins}; swap the days.")
    if (ends - begins).days >= LONGEST_PERIOD_DAYS:
        raise BadPeriod(f"{begins} to {ends} is more than a year; ask for {LONGEST_PERIOD_DAYS} days at most.")
    return begins, ends


def _read_day(name: str, text: str) -> date:
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        raise BadPeriod(f"{name} is {text[:40]!r}; expected a day like 2026-03-01.") from None
    if not 2000 <= found.year <= 2999:
        raise BadPeriod(f"{name} is {found}; expected a day from 2000 to 2999.")
    return found
