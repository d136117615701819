"""Where a labeler stands: what is done, what is left in a campaign, and why there is nothing when there is nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from labeling.assigning import State, is_kept_out, open_tasks
from labeling.models import Assignment, Campaign, ClaimCursor, Labeler, Submission, Task, WorkKind

COUNTED_UP_TO = 99
"""What is left is counted up to here: every page shows it, and a million tasks would be counted each time."""
LOOKED_AT = 150
"""Open tasks that a task's page looks at for its count: it is made for every task, the queue's only between them."""
RECENT = 10

VERBS = {
    WorkKind.PROMPT: "Write",
    WorkKind.DEMONSTRATION: "Write",
    WorkKind.RANKING: "Rank",
    WorkKind.RATING: "Rate",
}
ASKS = {
    WorkKind.PROMPT: "Write prompts.",
    WorkKind.DEMONSTRATION: "Write the response yourself.",
    WorkKind.RANKING: "Read the responses to a prompt, rate each, then rank them.",
    WorkKind.RATING: "Rate one response at a time.",
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
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def done_since(labeler: Labeler, since: datetime) -> Done:
    """What the labeler submitted since then (one query)."""
    first = Submission.objects.filter(assignment__labeler=labeler, submitted_at__gte=since, number=1)
    found = first.aggregate(submissions=Count("pk"), active_ms=Sum("active_ms"))
    return Done(submissions=found["submissions"], active_ms=found["active_ms"] or 0)


def start_of_day() -> datetime:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def start_of_week() -> datetime:
    return start_of_day() - timedelta(days=timezone.localtime().weekday())


def skipped_since(labeler: Labeler, since: datetime) -> int:
    """Tasks skipped of those handed out since then."""
    return Assignment.objects.filter(labeler=labeler, state=State.SKIPPED, opened_at__gte=since).count()


def left_for(campaign: Campaign, labeler: Labeler) -> int:
    """Tasks that could still be handed to this labeler, counted up to COUNTED_UP_TO (at most three queries).

    Counted from the cursor on: what lies behind it is nearly all done, and looking through it costs most.
    """
    tasks = open_tasks(campaign, labeler, timezone.now())
    cursor = ClaimCursor.objects.filter(campaign=campaign, labeler=labeler).values_list("position", flat=True).first()
    position = -1 if cursor is None else cursor
    left = tasks.filter(position__gt=position)[:COUNTED_UP_TO].count()
    if left < COUNTED_UP_TO and position >= 0:
        left += tasks.filter(position__lte=position)[: COUNTED_UP_TO - left].count()
    return left


def left_nearby(campaign: Campaign, labeler: Labeler) -> str:
    """ "12 left", or "40 or more left": counted among the open tasks nearest to the cursor, ahead of it first.

    So it costs the same in a campaign of any size (at most four queries). Empty where it cannot say: none of those that
    it looked at is for this labeler, and there are more.
    """
    nearby = _open_nearby(campaign, labeler)
    left = open_tasks(campaign, labeler, timezone.now()).filter(pk__in=nearby).order_by().count()
    if not left:
        return "" if len(nearby) == LOOKED_AT else "0 left"
    return f"{left} or more left" if len(nearby) == LOOKED_AT else f"{left} left"


def _open_nearby(campaign: Campaign, labeler: Labeler) -> list[int]:
    """Ids of at most LOOKED_AT tasks with a free slot, whoever may take it."""
    cursor = ClaimCursor.objects.filter(campaign=campaign, labeler=labeler).values_list("position", flat=True).first()
    position = -1 if cursor is None else cursor
    free = Task.objects.filter(campaign=campaign, open_slots__gt=0).values_list("pk", flat=True)
    found = list(free.filter(position__gt=position).order_by("position")[:LOOKED_AT])
    if len(found) < LOOKED_AT and position >= 0:
        found += free.filter(position__lte=position).order_by("-position")[: LOOKED_AT - len(found)]
    return found


@dataclass(frozen=True)
class Standing:
    """A campaign as its labeler sees it. held: their live task; why: a sentence where there is nothing to do."""

    campaign: Campaign
    held: Assignment | None
    left: int
    why: str

    @property
    def verb(self) -> str:
        return VERBS[WorkKind(self.campaign.kind)]

    @property
    def asks(self) -> str:
        return ASKS[WorkKind(self.campaign.kind)]

    @property
    def held_in_words(self) -> str:
        if self.held is None or self.held.lease_until is None:
            return ""
        if self.held.lease_until < timezone.now():
            return "Its time ran out; it is yours as long as nobody else was handed it."
        return f"It is yours until {_clock(self.held.lease_until)}."

    @property
    def left_in_words(self) -> str:
        return f"more than {self.left}" if self.left >= COUNTED_UP_TO else str(self.left)


def standings_of(labeler: Labeler) -> list[Standing]:
    """Every campaign of the project that is or was handed out and is not over, those with something to do first."""
    campaigns = (
        Campaign.objects.filter(project=labeler.project_id, imported=False)
        .filter(state__in=[Campaign.State.OPEN, Campaign.State.PAUSED])
        .select_related("guideline")
    )
    live = Assignment.objects.filter(labeler=labeler, state=State.LIVE).select_related("task__prompt")
    held = {assignment.campaign_id: assignment for assignment in live}
    found = [_standing(campaign, labeler, held.get(campaign.pk)) for campaign in campaigns]
    return sorted(found, key=lambda standing: bool(standing.why))


def _standing(campaign: Campaign, labeler: Labeler, held: Assignment | None) -> Standing:
    if is_kept_out(campaign, labeler):
        return Standing(
            campaign, None, 0, "Your role shows you which model wrote what; these ratings are left to others."
        )
    if campaign.state == Campaign.State.PAUSED:
        return Standing(
            campaign, held, 0, "Paused. Nothing is handed out until it goes on; what you hold can be submitted."
        )
    left = left_for(campaign, labeler)
    return Standing(campaign, held, left, "" if left or held else why_nothing(campaign, labeler))


def why_nothing(campaign: Campaign, labeler: Labeler) -> str:
    """Why an open campaign has nothing for this labeler, and when it might have (two queries)."""
    tasks = Task.objects.filter(campaign=campaign)
    if not tasks.exists():
        return "No tasks are in it yet. They appear here as soon as they are made."
    held = Q(assignments__state=State.LIVE) & ~Q(assignments__labeler=labeler)
    back = Q(assignments__labeler=labeler, assignments__state=State.SKIPPED, assignments__skipped_until__isnull=False)
    times = tasks.aggregate(
        free_at=Min("assignments__lease_until", filter=held), back_at=Min("assignments__skipped_until", filter=back)
    )
    if times["back_at"]:
        return f"What is left you skipped for now; it comes back at {_clock(times['back_at'])}."
    if times["free_at"]:
        return (
            "You have done everything that is open to you. The rest is with other labelers; "
            f"if one of them lets go, it may come back from {_clock(times['free_at'])} on."
        )
    return "You have done everything that is open to you. New tasks appear here as soon as they are made."


def _clock(time: datetime) -> str:
    return timezone.localtime(time).strftime("%H:%M")


def recent_submissions(labeler: Labeler) -> list[Assignment]:
    """The labeler's last submitted assignments, the newest first (one query)."""
    return list(
        Assignment.objects.filter(labeler=labeler, state=State.SUBMITTED, current_submission__isnull=False)
        .select_related("campaign", "task__prompt", "current_submission")
        .order_by("-current_submission__submitted_at")[:RECENT]
    )
