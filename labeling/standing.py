"""Where a labeler stands: what is done, what is left in a campaign, and why there is nothing when there is nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext, gettext_lazy, ngettext, pgettext, pgettext_lazy

from labeling.assigning import KEPT_OUT, NOT_IN_COHORT, State, is_in_cohort, is_kept_out, open_tasks, tasks_handed_out
from labeling.beside import with_beside
from labeling.models import Assignment, Campaign, ClaimCursor, Labeler, Submission, Task, TaskResponse, WorkKind
from labeling.near import Near
from labeling.numbers import in_words
from labeling.prepared import Prepared
from labeling.quotas import has_enough_of, left_to_write
from labeling.skipping import FREE_REASONS

COUNTED_UP_TO = 99
"""What is left is counted up to here: every page shows it, and a million tasks would be counted each time."""
LOOKED_AT = 60
"""Open tasks that a task's page looks at for its count: it is made for every task, the queue's only between them."""
KEPT_SECONDS = 20
"""How long a count that is no exact one is shown again, page after page."""
RECENT = 10

FEWEST_FOR_PACE = 3
"""Tasks of this week from which it is said how long one takes."""

_near = Near(characters=1_000_000, seconds=KEPT_SECONDS)

VERBS = {
    WorkKind.PROMPT: pgettext_lazy("verb", "Write"),
    WorkKind.DEMONSTRATION: pgettext_lazy("verb", "Write"),
    WorkKind.RANKING: pgettext_lazy("verb", "Rank"),
    WorkKind.RATING: pgettext_lazy("verb", "Rate"),
}
ASKS = {
    WorkKind.PROMPT: gettext_lazy("Write a prompt that somebody might send."),
    WorkKind.DEMONSTRATION: gettext_lazy("Write the response yourself."),
    WorkKind.RANKING: gettext_lazy("Read the responses to a prompt, rate each, then rank them."),
    WorkKind.RATING: gettext_lazy("Rate one response at a time."),
}


@dataclass(frozen=True)
class Done:
    """submissions: first ones, corrections not counted. active_ms: idle time cut off."""

    submissions: int
    active_ms: int

    @property
    def active_in_words(self) -> str:
        """ "1 h 21 min"."""
        hours, minutes = divmod(self.active_ms // 60_000, 60)
        if hours:
            return gettext("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": f"{minutes:02}"}
        return gettext("%(minutes)s min") % {"minutes": minutes}


def done_by_campaign(labeler: Labeler, since: datetime) -> dict[int, Done]:
    """What the labeler submitted since then in each campaign, by its id (one query)."""
    first = Submission.objects.filter(assignment__labeler=labeler, submitted_at__gte=since, number=1)
    sums = first.values_list("assignment__campaign").order_by().annotate(Count("pk"), Sum("active_ms"))
    return {campaign: Done(many, active_ms or 0) for campaign, many, active_ms in sums}


def done_since(labeler: Labeler, since: datetime) -> Done:
    """What the labeler submitted since then (one query)."""
    first = Submission.objects.filter(assignment__labeler=labeler, submitted_at__gte=since, number=1)
    found = first.aggregate(submissions=Count("pk"), active_ms=Sum("active_ms"))
    return Done(submissions=found["submissions"], active_ms=found["active_ms"] or 0)


def done_today(labeler: Labeler) -> int:
    """How many tasks the labeler submitted for the first time today (one query, of an index)."""
    return _SUBMITTED_SINCE.value([labeler.pk, start_of_day()]) or 0


def _submitted_since(labeler: int, since: datetime) -> QuerySet[Assignment, tuple[int]]:
    found = Assignment.objects.filter(labeler=labeler, submitted_at__gte=since).order_by()
    return found.values("labeler").annotate(many=Count("pk")).values_list("many")


_SUBMITTED_SINCE = Prepared(_submitted_since, int, datetime, by_value=True)


def start_of_day() -> datetime:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def start_of_week() -> datetime:
    return start_of_day() - timedelta(days=timezone.localtime().weekday())


def skipped_since(labeler: Labeler, since: datetime) -> int:
    """Tasks skipped of those handed out since then; who would rather not read something skips nothing."""
    skipped = Assignment.objects.filter(labeler=labeler, state=State.SKIPPED, opened_at__gte=since)
    return skipped.exclude(skip_reason__in=FREE_REASONS).count()


def left_for(campaign: Campaign, labeler: Labeler) -> int:
    """Tasks that could still be handed to this labeler, counted up to COUNTED_UP_TO (at most three queries).

    Counted from the cursor on: what lies behind it is nearly all done, and looking through it costs most.
    """
    tasks = open_tasks(campaign, labeler, timezone.now())
    if campaign.kind == WorkKind.PROMPT:
        return left_to_write(campaign, labeler, came_back=tasks[:COUNTED_UP_TO].count(), up_to=COUNTED_UP_TO)
    cursor = _cursor_of(campaign, labeler)
    position = -1 if cursor is None else cursor.position
    left = tasks.filter(position__gt=position)[:COUNTED_UP_TO].count()
    if left < COUNTED_UP_TO and position >= 0:
        left += tasks.filter(position__lte=position)[: COUNTED_UP_TO - left].count()
    return min(COUNTED_UP_TO, with_beside(left, cursor, campaign, up_to=COUNTED_UP_TO))


def _cursor_of(campaign: Campaign, labeler: Labeler) -> ClaimCursor | None:
    cursor = ClaimCursor.objects.filter(campaign=campaign, labeler=labeler).first()
    if cursor is not None:
        cursor.campaign, cursor.labeler = campaign, labeler
    return cursor


def left_nearby(campaign: Campaign, labeler: Labeler) -> str:
    """ "12 left", or "40 or more left": counted among the open tasks nearest to the cursor, ahead of it first.

    So it costs the same in a campaign of any size (at most five queries), and where there is much left nearly nothing:
    then it is counted anew every KEPT_SECONDS only. Empty where it cannot say: none of those that it looked at is for
    this labeler, and there are more.
    """
    if campaign.kind == WorkKind.PROMPT:
        left = left_for(campaign, labeler)
        return _left_in_words(left, more=left >= COUNTED_UP_TO)
    # The time tells campaigns apart that have one id after the other.
    key = f"left:{get_language()}:{campaign.pk}:{campaign.created_at.timestamp()}:{labeler.pk}"
    if (kept := _near.get(key)) is not None:
        return kept
    cursor = _cursor_of(campaign, labeler)
    nearby = _open_nearby(campaign, -1 if cursor is None else cursor.position)
    left = open_tasks(campaign, labeler, timezone.now()).filter(pk__in=nearby).order_by().count()
    if len(nearby) < LOOKED_AT:
        return _left_in_words(with_beside(left, cursor, campaign, up_to=2 * LOOKED_AT))
    told = _left_in_words(left, more=True) if left else ""
    _near.put(key, told)
    return told


def _left_in_words(left: int, *, more: bool = False) -> str:
    says = ngettext("%(left)s or more left", "%(left)s or more left", left) if more else None
    return (says or ngettext("%(left)s left", "%(left)s left", left)) % {"left": left}


def _open_nearby(campaign: Campaign, position: int) -> list[int]:
    """Ids of at most LOOKED_AT tasks with a free slot, whoever may take it."""
    free = tasks_handed_out(campaign).filter(open_slots__gt=0).values_list("pk", flat=True)
    found = list(free.filter(position__gt=position).order_by("position")[:LOOKED_AT])
    if len(found) < LOOKED_AT and position >= 0:
        found += free.filter(position__lte=position).order_by("-position")[: LOOKED_AT - len(found)]
    return found


@dataclass(frozen=True)
class Standing:
    """A campaign as its labeler sees it. held: their live task; why: a sentence where there is nothing to do. shown:
    responses that its first task shows."""

    campaign: Campaign
    held: Assignment | None
    left: int
    why: str
    shown: int = 0

    @property
    def is_of_pairs(self) -> bool:
        return self.campaign.kind == WorkKind.RANKING and self.shown == 2

    @property
    def verb(self) -> str:
        return pgettext("verb", "Compare") if self.is_of_pairs else str(VERBS[WorkKind(self.campaign.kind)])

    @property
    def asks(self) -> str:
        if self.is_of_pairs:
            return gettext("Read two responses to a prompt, and say which is better.")
        if self.campaign.kind == WorkKind.RANKING and self.shown > 2:
            says = gettext("Read %(many)s responses to a prompt, rate each, then rank them.")
            return says % {"many": self.shown}
        return str(ASKS[WorkKind(self.campaign.kind)])

    def pace(self, done: Done | None) -> str:
        """How long a task takes, by what the labeler did in it; empty where that is too little to tell."""
        if done is None or done.submissions < FEWEST_FOR_PACE or not done.active_ms:
            return ""
        minutes = round(done.active_ms / done.submissions / 60_000)
        if minutes < 1:
            return gettext("Less than a minute each at your pace.")
        says = ngettext(
            "About %(minutes)s minute each at your pace.",
            "About %(minutes)s minutes each at your pace.",
            minutes,
        )
        return says % {"minutes": minutes}

    @property
    def held_in_words(self) -> str:
        if self.held is None or self.held.lease_until is None:
            return ""
        if self.held.lease_until < timezone.now():
            return gettext("Its time ran out; it is yours as long as nobody else was handed it.")
        return gettext("It is yours until %(time)s.") % {"time": _clock(self.held.lease_until)}

    @property
    def left_in_words(self) -> str:
        return gettext("more than %(left)s") % {"left": self.left} if self.left >= COUNTED_UP_TO else str(self.left)


def standings_of(labeler: Labeler) -> list[Standing]:
    """Every campaign of the project that is or was handed out and is not over, those with something to do first.
    A closed one is there as long as the labeler holds a task of it."""
    live = Assignment.objects.filter(labeler=labeler, state=State.LIVE).select_related("task__prompt")
    held = {assignment.campaign_id: assignment for assignment in live}
    campaigns = (
        Campaign.objects.filter(project=labeler.project_id, imported=False)
        .filter(Q(state__in=[Campaign.State.OPEN, Campaign.State.PAUSED]) | Q(pk__in=held, state=Campaign.State.CLOSED))
        .select_related("guideline", "project")
        .annotate(shown=_responses_shown())
    )
    found = [_standing(campaign, labeler, held.get(campaign.pk)) for campaign in campaigns]
    return sorted(found, key=lambda standing: bool(standing.why))


def _standing(campaign: Campaign, labeler: Labeler, held: Assignment | None) -> Standing:
    shown = getattr(campaign, "shown", None) or 0
    if is_kept_out(campaign, labeler):
        return Standing(campaign, None, 0, str(KEPT_OUT), shown)
    if campaign.state == Campaign.State.PAUSED:
        says = gettext("Paused. Nothing is handed out until it goes on; what you hold can be submitted.")
        return Standing(campaign, held, 0, says, shown)
    if campaign.state == Campaign.State.CLOSED:
        says = gettext("Closed. What you hold can still be submitted, and counts.")
        return Standing(campaign, held, 0, says, shown)
    if not is_in_cohort(campaign, labeler):
        return Standing(campaign, held, 0, str(NOT_IN_COHORT), shown)
    left = left_for(campaign, labeler)
    return Standing(campaign, held, left, "" if left or held else why_nothing(campaign, labeler), shown)


def _responses_shown() -> Subquery:
    """Of each campaign's first task; its others mostly show as many."""
    first = Task.objects.filter(campaign=OuterRef(OuterRef("pk"))).order_by("position").values("pk")[:1]
    shown = TaskResponse.objects.filter(task=Subquery(first)).order_by()
    return Subquery(shown.values("task").annotate(many=Count("pk")).values("many"))


def why_nothing(campaign: Campaign, labeler: Labeler) -> str:
    """Why an open campaign has nothing for this labeler, and when it might have (two queries)."""
    tasks = tasks_handed_out(campaign)
    if campaign.kind == WorkKind.PROMPT and has_enough_of(campaign, labeler):
        says = gettext("You have written what one person may write here: %(many)s. The others are left to others.")
        return says % {"many": campaign.per_labeler}
    if not tasks.exists():
        return gettext("No tasks are in it yet. They appear here as soon as they are made.")
    held = Q(assignments__state=State.LIVE) & ~Q(assignments__labeler=labeler)
    back = Q(assignments__labeler=labeler, assignments__state=State.SKIPPED, assignments__skipped_until__isnull=False)
    times = tasks.aggregate(
        free_at=Min("assignments__lease_until", filter=held), back_at=Min("assignments__skipped_until", filter=back)
    )
    if times["back_at"]:
        says = gettext("What is left you skipped for now; it comes back at %(time)s.")
        return says % {"time": _clock(times["back_at"])}
    if campaign.kind == WorkKind.PROMPT:
        return _why_nothing_to_write(campaign, times["free_at"])
    if times["free_at"]:
        says = gettext(
            "You have done everything that is open to you. The rest is with other labelers; "
            "if one of them lets go, it may come back from %(time)s on."
        )
        return says % {"time": _clock(times["free_at"])}
    if campaign.pilot_tasks is not None:
        says = ngettext(
            "This campaign begins with a pilot of %(many)s task, and you have done all of it that is open to you. "
            "The rest is handed out once the pilot was looked at.",
            "This campaign begins with a pilot of %(many)s tasks, and you have done all of it that is open to you. "
            "The rest is handed out once the pilot was looked at.",
            campaign.pilot_tasks,
        )
        return says % {"many": in_words(campaign.pilot_tasks)}
    return gettext("You have done everything that is open to you. New tasks appear here as soon as they are made.")


def _why_nothing_to_write(campaign: Campaign, free_at: datetime | None) -> str:
    if free_at is None:
        return gettext("All prompts that were asked for (%(quota)s) are written.") % {"quota": campaign.quota}
    says = gettext(
        "All prompts that were asked for (%(quota)s) are written or being written; "
        "if somebody lets go, one may come back from %(time)s on."
    )
    return says % {"quota": campaign.quota, "time": _clock(free_at)}


def _clock(time: datetime) -> str:
    """The time, with its day where that is not today."""
    local = timezone.localtime(time)
    return date_format(local, "H:i" if local.date() == timezone.localdate() else "j F, H:i")


def recent_submissions(labeler: Labeler) -> list[Assignment]:
    """The labeler's last submitted assignments, the newest first (one query). repeated: see was_repeated()."""
    again = Assignment.objects.filter(
        task=OuterRef("task"), labeler=OuterRef("labeler"), occurrence__gt=OuterRef("occurrence")
    )
    return list(
        Assignment.objects.filter(labeler=labeler, state=State.SUBMITTED, current_submission__isnull=False)
        .select_related("campaign", "task__prompt", "current_submission")
        .annotate(repeated=Exists(again))
        .prefetch_related("current_submission__prompts", "current_submission__reviews")
        .order_by("-current_submission__submitted_at")[:RECENT]
    )
