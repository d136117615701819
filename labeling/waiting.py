"""What waits for a person in each of their projects, for the page that lists them."""

from collections.abc import Sequence

from django.db.models import Count, Q

from labeling.access import LABELS
from labeling.assigning import State
from labeling.models import Assignment, Campaign, Membership

NOTHING = "nothing waits"


def what_waits(memberships: Sequence[Membership]) -> dict[int, str]:
    """By project: "one task in hand, 2 campaigns open" (two queries for all)."""
    projects = [membership.project_id for membership in memberships]
    held = dict(
        Assignment.objects.filter(labeler__membership__in=memberships, state=State.LIVE)
        .values_list("campaign__project_id")
        .annotate(Count("pk"))
    )
    working = Q(tasks__open_slots__gt=0) | Q(kind="prompt")
    opened = dict(
        Campaign.objects.filter(project__in=projects, state=Campaign.State.OPEN)
        .filter(working)
        .values_list("project_id")
        .annotate(Count("pk", distinct=True))
    )
    return {
        membership.project_id: _in_words(
            held.get(membership.project_id, 0), opened.get(membership.project_id, 0), labels=membership.role in LABELS
        )
        for membership in memberships
    }


def _in_words(held: int, opened: int, *, labels: bool) -> str:
    if not labels:
        return ""
    said = [f"{held} task{'s' if held > 1 else ''} in hand"] if held else []
    said += [f"{opened} campaign{'s' if opened > 1 else ''} with work"] if opened else []
    return ", ".join(said) or NOTHING
