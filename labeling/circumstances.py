"""What a claim must know of the campaign and the labeler once it holds its locks: one query for all of it."""

from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling.models import Assignment, Campaign, CohortMember, GuidelineRead, Labeler, Review, Task
from labeling.prepared import Prepared

State = Assignment.State


@dataclass(frozen=True)
class Circumstances:
    """campaign: as it is now. held: the id of the labeler's live assignment in it. in_hand: how many they hold in all
    campaigns. in_cohort: whether the campaign is for them. must_read: a version of its guideline that they have not
    read and must. reviews: whether they ever reviewed. came_back: whether a task of the campaign came back, whoever it
    is for."""

    campaign: Campaign
    held: int | None
    in_hand: int
    in_cohort: bool
    must_read: bool
    reviews: bool
    came_back: bool


def _asked(campaign: int, labeler: int, user: int) -> QuerySet[Campaign]:
    live = Assignment.objects.filter(labeler=labeler, state=State.LIVE).order_by()
    counted = live.values("labeler").annotate(many=Count("pk")).values("many")
    member = CohortMember.objects.filter(cohort=OuterRef("cohort"), labeler=labeler, until__isnull=True)
    read = GuidelineRead.objects.filter(
        labeler=labeler,
        guideline__project=OuterRef("project"),
        guideline__kind=OuterRef("kind"),
        guideline__version__gte=OuterRef("guideline__read_from"),
    )
    return Campaign.objects.filter(pk=campaign).annotate(
        held_now=Subquery(live.filter(campaign=campaign).values("pk")[:1]),
        in_hand=Coalesce(Subquery(counted), 0),
        in_cohort=Q(cohort__isnull=True) | Exists(member),
        read_from=F("guideline__read_from"),
        read=Exists(read),
        reviews=Exists(Review.objects.filter(reviewer=user)),
        came_back=Exists(Task.objects.filter(campaign=campaign, returned=True, open_slots__gt=0)),
    )


_QUERY = Prepared(_asked, int, int, int, by_value=True)


def circumstances_of(campaign: Campaign, labeler: Labeler) -> Circumstances:
    """Needs the labeler's cursor locked to stay true (one query)."""
    # Nobody has the id 0: who cannot sign in has reviewed nothing.
    [found] = _QUERY.rows([campaign.pk, labeler.pk, labeler.user_id or 0])
    found.project = campaign.project
    told = vars(found)
    return Circumstances(
        campaign=found,
        held=told["held_now"],
        in_hand=told["in_hand"],
        in_cohort=bool(told["in_cohort"]),
        must_read=bool(told["read_from"]) and not told["read"],
        reviews=bool(told["reviews"]),
        came_back=bool(told["came_back"]),
    )
