"""What is asked for when records go out: one Selection, and the rows that it leaves.

Only what counts goes out unless more is asked for: current submissions, within the overlap, not withdrawn, not
simulated. Hidden repeats never do: they were made to measure a labeler, not to be learned from.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling.models import (
    Adjudication,
    Assignment,
    Campaign,
    Cohort,
    CohortMember,
    ImportedRecord,
    Labeler,
    Project,
    Prompt,
    Response,
    Review,
    Task,
    WorkKind,
)
from labeling.records import Kind
from labeling.reviewing import not_returned

Ties = Literal["keep", "drop", "both"]
Margin = Literal["none", "ranks", "overall", "strength"]

WORK_KINDS: dict[Kind, WorkKind] = {
    Kind.CANDIDATES: WorkKind.RANKING,
    Kind.RANKING: WorkKind.RANKING,
    Kind.COMPARISON: WorkKind.RANKING,
    Kind.RATING: WorkKind.RATING,
}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is asked for; None and False: nothing in particular.

    split: of the prompt. round: campaigns of the round of this number. cohort: what was said by people while they were
    in it. labelers: keys of those whose judgments are asked for. since, until: when it was said (of prompts and
    demonstrations that came from a file: when they came in), until itself not among them. review: of a prompt or a
    demonstration. surplus, withdrawn: what does not count goes out too, and is marked. adjudicated: so does the newest
    decision about a task on which labelers disagreed, beside what they said. ties: what becomes of pairs that
    share a rank; "both" gives each twice, once either way. margin: how far apart two responses are, by what; for the
    layout preference only.
    """

    split: str | None = None
    campaign: Campaign | None = None
    round: int | None = None
    cohort: Cohort | None = None
    labelers: frozenset[int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    review: str | None = None
    simulated: bool = False
    surplus: bool = False
    withdrawn: bool = False
    adjudicated: bool = False
    ties: Ties = "keep"
    margin: Margin = "none"


def counted(path: str) -> Q:
    """Came from no submission (an import, a machine), or from one that counts and is current."""
    return Q(**{f"{path}__isnull": True}) | _current(path, Selection())


def _current(path: str, selection: Selection) -> Q:
    """The submission at this path is its assignment's current one, in no screening, and counts unless more is asked
    for."""
    conditions: dict[str, Any] = {
        f"{path}__assignment__current_submission": F(path),
        f"{path}__assignment__campaign__screening_of__isnull": True,
    }
    if not selection.surplus:
        conditions[f"{path}__counted"] = True
    if not selection.withdrawn:
        conditions[f"{path}__withdrawn_at__isnull"] = True
    return Q(**conditions)


def _in_cohort(cohort: Cohort, *, labeler: str, at: str) -> Exists:
    """The labeler at this path was in the cohort at that time."""
    stays = CohortMember.objects.filter(cohort=cohort, labeler=OuterRef(labeler), since__lte=OuterRef(at))
    return Exists(stays.filter(Q(until__isnull=True) | Q(until__gt=OuterRef(at))))


def _when(selection: Selection, path: str) -> Q:
    wanted = Q()
    if selection.since:
        wanted &= Q(**{f"{path}__gte": selection.since})
    if selection.until:
        wanted &= Q(**{f"{path}__lt": selection.until})
    return wanted


# --- judgments --------------------------------------------------------------------------------------------------------


def chosen_assignments(selection: Selection) -> QuerySet[Assignment]:
    """Those whose current submission is asked for, in no screening; of any project."""
    found = Assignment.objects.filter(
        _voices(selection),
        _when(selection, "current_submission__submitted_at"),
        current_submission__isnull=False,
        campaign__screening_of__isnull=True,
    )
    if not selection.withdrawn:
        found = found.filter(current_submission__withdrawn_at__isnull=True)
    if selection.cohort:
        found = found.filter(_in_cohort(selection.cohort, labeler="labeler", at="current_submission__submitted_at"))
    if selection.labelers is not None:
        found = found.filter(labeler__in=selection.labelers)
    return found if selection.simulated else found.exclude(labeler__source=Labeler.Source.SIMULATED)


def _voices(selection: Selection) -> Q:
    """What labelers said the first time they met a task; and what was decided where they disagree."""
    wanted = Q(occurrence=0) if selection.surplus else Q(occurrence=0, current_submission__counted=True)
    if not selection.adjudicated:
        return wanted
    decisions = Adjudication.objects.filter(task=OuterRef("task"), submission__withdrawn_at__isnull=True)
    return wanted | Q(current_submission=Subquery(decisions.order_by("-pk").values("submission")[:1]))


def campaigns_of(project: Project, kind: WorkKind, selection: Selection) -> QuerySet[Campaign]:
    """Those whose work is asked for."""
    found = Campaign.objects.filter(project=project, kind=kind)
    if selection.campaign:
        found = found.filter(pk=selection.campaign.pk)
    if selection.round is not None:
        # The relation is made by training, which this room does not know; stages are what a campaign is part of there.
        found = found.filter(stages__round__number=selection.round, stages__round__project=project).distinct()
    return found


def assignments_of(project: Project, kind: Kind, selection: Selection) -> QuerySet[Assignment]:
    """What was said that is asked for, of one project and kind of work."""
    campaigns = campaigns_of(project, WORK_KINDS[kind], selection)
    found = chosen_assignments(selection).filter(
        campaign__in=list(campaigns.values_list("pk", flat=True)), task__prompt__isnull=False
    )
    return found.filter(task__prompt__split=selection.split) if selection.split else found


def chosen_tasks(project: Project, kind: Kind, selection: Selection) -> QuerySet[Task]:
    """Tasks about which something was said that is asked for; of candidates, those that came in as such."""
    campaigns = campaigns_of(project, WORK_KINDS[kind], selection)
    # Their ids are read first: with them at hand the database goes along the tasks, batch by batch, in their order.
    found = Task.objects.filter(campaign__in=list(campaigns.values_list("pk", flat=True)), prompt__isnull=False)
    if selection.split:
        found = found.filter(prompt__split=selection.split)
    if kind is Kind.CANDIDATES:
        return found.filter(Exists(ImportedRecord.objects.filter(task=OuterRef("pk"), kind=Kind.CANDIDATES)))
    return found.filter(Exists(chosen_assignments(selection).filter(task=OuterRef("pk"))))


# --- texts ------------------------------------------------------------------------------------------------------------


def chosen_prompts(project: Project, selection: Selection) -> QuerySet[Prompt]:
    found = Prompt.objects.filter(
        Q(submission__isnull=True) | _current("submission", selection), project=project
    ).alias(said_at=Coalesce("submission__submitted_at", "created_at"))
    found = found.filter(_when(selection, "said_at"))
    if selection.review is None:
        found = found.filter(not_returned("submission"))
    else:
        newest = Review.objects.filter(submission=OuterRef("submission")).order_by("-pk").values("state")[:1]
        found = found.alias(reviewed=Subquery(newest))
        unreviewed = selection.review == Response.ReviewState.UNREVIEWED
        found = found.filter(reviewed__isnull=True) if unreviewed else found.filter(reviewed=selection.review)
    if selection.split:
        found = found.filter(split=selection.split)
    if selection.campaign:
        found = found.filter(submission__assignment__campaign=selection.campaign)
    if selection.cohort:
        found = found.filter(_in_cohort(selection.cohort, labeler="submission__assignment__labeler", at="said_at"))
    return found if selection.simulated else found.exclude(origin=Prompt.Origin.SIMULATED)


def chosen_demonstrations(project: Project, selection: Selection) -> QuerySet[Response]:
    found = Response.objects.filter(
        Q(submission__isnull=True) | _current("submission", selection),
        prompt__project=project,
        labeler__isnull=False,
        judged_only=False,
    ).alias(said_at=Coalesce("submission__submitted_at", "created_at"))
    found = found.filter(_when(selection, "said_at"))
    if selection.review is None:
        found = found.exclude(review_state=Response.ReviewState.RETURNED)
    else:
        found = found.filter(review_state=selection.review)
    if selection.split:
        found = found.filter(prompt__split=selection.split)
    if selection.campaign:
        found = found.filter(submission__assignment__campaign=selection.campaign)
    if selection.cohort:
        found = found.filter(_in_cohort(selection.cohort, labeler="labeler", at="said_at"))
    return found if selection.simulated else found.exclude(labeler__source=Labeler.Source.SIMULATED)
