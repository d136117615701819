"""How far a campaign is: wanted and done, day by day, labeler by labeler, task by task, and what was skipped."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from statistics import median
from typing import Any

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from labeling.assigning import State
from labeling.models import Assignment, Campaign, Submission, Task, WorkKind
from labeling.skipping import FREE_REASONS, SKIP_REASONS, WRITING_SKIP_REASONS
from labeling.standing import start_of_day

DAYS = 30
MOST_LABELERS = 50
TIMES_LOOKED_AT = 20_000
"""Submissions, the newest ones, of which the time at work is taken."""

FIRST_TIME = Q(occurrence=0)
SKIPPED = Q(state=State.SKIPPED) & ~Q(skip_reason__in=FREE_REASONS)
COUNTED = FIRST_TIME & Q(state=State.SUBMITTED, current_submission__counted=True)


@dataclass(frozen=True)
class Progress:
    """wanted: submissions that are to count (for prompt writing its quota, 0 where it has none). surplus: kept, not
    counted. live: in somebody's hands. today: submitted today, corrections left out."""

    tasks: int = 0
    wanted: int = 0
    done: int = 0
    today: int = 0
    live: int = 0
    surplus: int = 0
    skipped: int = 0

    @property
    def share(self) -> int:
        """Per cent, never 100 before all is done."""
        return min(99 if self.done < self.wanted else 100, round(100 * self.done / self.wanted)) if self.wanted else 0

    @property
    def left(self) -> int:
        return max(0, self.wanted - self.done)


def progress_of(campaigns: Iterable[Campaign]) -> dict[int, Progress]:
    """By the campaign's id (three queries, however many campaigns)."""
    by_id = {campaign.pk: campaign for campaign in campaigns}
    tasks = Task.objects.filter(campaign__in=by_id).order_by().values("campaign")
    made = _by_campaign(tasks.annotate(tasks=Count("pk"), wanted=Sum("overlap")))
    assignments = Assignment.objects.filter(FIRST_TIME, campaign__in=by_id).order_by().values("campaign")
    held = _by_campaign(
        assignments.annotate(
            done=Count("pk", filter=COUNTED),
            surplus=Count("pk", filter=Q(state=State.SUBMITTED, current_submission__counted=False)),
            live=Count("pk", filter=Q(state=State.LIVE)),
            skipped=Count("pk", filter=SKIPPED),
        )
    )
    new = Submission.objects.filter(assignment__campaign__in=by_id, number=1, submitted_at__gte=start_of_day())
    today = dict(new.order_by().values_list("assignment__campaign").annotate(Count("pk")))
    found = {pk: Progress(today=today.get(pk, 0), **made.get(pk, {}), **held.get(pk, {})) for pk in by_id}
    return found | {
        pk: replace(found[pk], wanted=campaign.quota or 0)
        for pk, campaign in by_id.items()
        if campaign.kind == WorkKind.PROMPT
    }


def _by_campaign(rows: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, int]]:
    return {row["campaign"]: {name: count for name, count in row.items() if name != "campaign"} for row in rows}


@dataclass(frozen=True)
class Day:
    date: date
    submissions: int


def days_of(campaign: Campaign) -> list[Day]:
    """The last DAYS days, the newest last; days before the first submission are left out."""
    since = start_of_day() - timedelta(days=DAYS - 1)
    new = Submission.objects.filter(assignment__campaign=campaign, number=1, submitted_at__gte=since)
    found = dict(new.order_by().values_list(TruncDate("submitted_at")).annotate(Count("pk")))
    if not found:
        return []
    first, today = min(found), timezone.localdate()
    return [Day(day, found.get(day, 0)) for day in (first + timedelta(n) for n in range((today - first).days + 1))]


@dataclass(frozen=True)
class LabelerProgress:
    """active_ms: median of their submissions, None where it was not measured."""

    labeler_id: int
    pseudonym: str
    source: str
    done: int
    surplus: int
    skipped: int
    last: object
    active_ms: float | None

    @property
    def active_in_words(self) -> str:
        return time_in_words(self.active_ms)


def labelers_of(campaign: Campaign) -> tuple[list[LabelerProgress], int]:
    """Those who did most, MOST_LABELERS of them at most, and how many there are (three queries). Numbered where the
    campaign is kept for a cohort by a rule: pseudonyms would tell who is in it."""
    numbered = campaign.kept_by_rule
    who = ("labeler", "labeler__pseudonym", "labeler__source")
    rows = (
        Assignment.objects.filter(FIRST_TIME, campaign=campaign)
        .values(*who)
        .annotate(
            done=Count("pk", filter=COUNTED),
            surplus=Count("pk", filter=Q(state=State.SUBMITTED, current_submission__counted=False)),
            skipped=Count("pk", filter=SKIPPED),
            last=Max("current_submission__submitted_at"),
        )
        .order_by("-done", "labeler__pseudonym")
    )
    times: dict[int, list[int]] = {}
    for labeler_id, active_ms in _times(campaign):
        times.setdefault(labeler_id, []).append(active_ms)
    found = [
        LabelerProgress(
            labeler_id=row["labeler"], source=row["labeler__source"],
            pseudonym=f"labeler {number}" if numbered else row["labeler__pseudonym"],
            done=row["done"], surplus=row["surplus"], skipped=row["skipped"], last=row["last"],
            active_ms=median(times[row["labeler"]]) if row["labeler"] in times else None,
        )
        for number, row in enumerate(rows[:MOST_LABELERS], 1)
    ]  # fmt: skip
    return found, rows.count()


def _times(campaign: Campaign) -> list[tuple[int, int]]:
    """Labeler and milliseconds of the newest submissions that were measured."""
    newest = Submission.objects.filter(assignment__campaign=campaign).order_by("-submitted_at")[:TIMES_LOOKED_AT]
    rows = newest.values_list("assignment__labeler", "active_ms")
    return [(labeler, active_ms) for labeler, active_ms in rows if active_ms is not None]


def median_time(campaign: Campaign) -> float | None:
    """Milliseconds at work on one task, the median of the newest submissions (one query)."""
    times = [active_ms for _, active_ms in _times(campaign)]
    return median(times) if times else None


def time_in_words(active_ms: float | None) -> str:
    """ "2 min 05 s", "41 s", or a dash where nothing was measured."""
    if active_ms is None:
        return "–"
    minutes, seconds = divmod(round(active_ms / 1000), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


@dataclass(frozen=True)
class Completion:
    """tasks: how many have this many counted submissions. share: of all tasks, for a line as long."""

    counted: int
    tasks: int
    share: float


def completion_of(campaign: Campaign) -> list[Completion]:
    """How many tasks have 0, 1, … counted submissions, up to the overlap or beyond where tasks keep more."""
    counted = Assignment.objects.filter(COUNTED, campaign=campaign).order_by().values("task").annotate(n=Count("pk"))
    found = Counter(counted.values_list("n", flat=True).iterator())
    tasks = Task.objects.filter(campaign=campaign).count()
    found[0] = tasks - sum(found.values())
    most = max(campaign.overlap, *found)
    return [Completion(number, found[number], found[number] / tasks) for number in range(most + 1)] if tasks else []


def skips_of(campaign: Campaign) -> list[tuple[str, int]]:
    """The reasons for which tasks are skipped now, the commonest first."""
    words = {reason.name: reason.words for reason in (*WRITING_SKIP_REASONS, *SKIP_REASONS)}
    skipped = Assignment.objects.filter(FIRST_TIME, campaign=campaign, state=State.SKIPPED).order_by()
    found = skipped.values_list("skip_reason").annotate(n=Count("pk")).order_by("-n")
    return [(words.get(name, name or "no reason given"), number) for name, number in found]
