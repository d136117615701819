"""A campaign is made here; its settings, overlap and pilot are changed here, and its draft is deleted.

Opening, pausing and closing stand in opening.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, ExpressionWrapper, F, IntegerField, Q, Value
from django.db.models.functions import Greatest

from labeling.audit.campaigns import note_campaign
from labeling.choosing import Choice, items_of
from labeling.completing import is_wanted_again
from labeling.errors import CannotDelete, InvalidSetting, NothingFits, WrongState
from labeling.models import Campaign, ClaimCursor, Cohort, Guideline, Project, Submission, Task, WorkKind
from labeling.opening import make_tasks, open_campaign

MOST_OVERLAP = 100
AT_ANY_TIME = (
    "name",
    "lease_minutes",
    "skip_policy",
    "correction_minutes",
    "cohort",
    "quota",
    "per_labeler",
    "gold_rate",
    "repeat_rate",
    "extra",
    "requires",
)
WHILE_DRAFT = ("guideline", "required", "blind")
"""What people work by: fixed once work may be under way, since what was said is read by it."""

TAKEN: Any = ExpressionWrapper(F("overlap") - F("open_slots"), output_field=IntegerField())
"""How many slots of a task are used: submissions that count, and what is in hand."""


def _wanted_at(overlap: int) -> Any:
    """How many people a task is for at this overlap of its campaign: with the room that it has of its own."""
    return ExpressionWrapper(Value(overlap) + F("room"), output_field=IntegerField())


def create_campaign(project: Project, kind: WorkKind, settings: Mapping[str, Any], choice: Choice | None) -> Campaign:
    """A draft with the tasks that the choice makes; prompt writing takes none, its tasks are made as they are claimed.

    settings: fields of the campaign. All or nothing; raises NothingFits, and ValidationError of the model's checks.
    """
    with transaction.atomic():
        campaign = create_without_tasks(project, kind, settings)
        if kind != WorkKind.PROMPT:
            assert choice is not None
            if not make_tasks(campaign, items_of(project, choice)):
                raise NothingFits("No prompt fits this choice, so there would be no task. Choose more widely.")
    return campaign


def create_without_tasks(project: Project, kind: WorkKind, settings: Mapping[str, Any]) -> Campaign:
    """A draft that tasks are put into afterwards. Raises InvalidSetting, and ValidationError of the model's checks."""
    with transaction.atomic():
        # Of two with one name that are made at once, the second is told so by the checks.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        campaign = Campaign(project=project, kind=kind, **settings)
        campaign.full_clean()
        if campaign.guideline.published_at is None:
            raise InvalidSetting(f"The {campaign.guideline} is a draft; publish it before people work by it.")
        campaign.save()
        note_campaign(campaign, "made")
    return campaign


def create_for_each(
    project: Project, kind: WorkKind, settings: Mapping[str, Any], choice: Choice | None, cohorts: Sequence[Cohort]
) -> list[Campaign]:
    """A draft for each cohort with the same tasks in the same order, so that what the cohorts say can be compared.

    Their names end with a number and name no cohort: labelers read them. All or nothing; raises what create_campaign
    does.
    """
    if len(cohorts) < 2:
        raise InvalidSetting("To compare cohorts choose at least two of them; for one, set it as the cohort.")
    with transaction.atomic():
        return [
            create_campaign(
                project, kind, {**settings, "name": f"{settings['name']} ({number})", "cohort": cohort}, choice
            )
            for number, cohort in enumerate(cohorts, start=1)
        ]


def change_settings(campaign: Campaign, settings: Mapping[str, Any]) -> None:
    """Raises InvalidSetting where one of them is fixed by now, or the model's own checks refuse it."""
    with transaction.atomic():
        locked = Campaign.objects.select_for_update(no_key=True).select_related(None).get(pk=campaign.pk)
        changed: list[str] = []
        for name, value in settings.items():
            if name not in AT_ANY_TIME + WHILE_DRAFT:
                raise InvalidSetting(f"{name} is no setting that changes.")
            fixed = name in WHILE_DRAFT and locked.state != Campaign.State.DRAFT and getattr(locked, name) != value
            if fixed and not (name == "guideline" and may_move_on(locked, value)):
                raise InvalidSetting(
                    f"The campaign is {locked.state}: its {name} stays, since people have been asked to work by it."
                )
            if name == "cohort" and locked.cohort != value:
                _refuse_to_move(locked, value)
            if getattr(locked, name) != value:
                changed.append(name)
            setattr(locked, name, value)
        locked.full_clean()
        locked.save(update_fields=list(settings))
        if changed:
            note_campaign(locked, "changed", settings=sorted(changed))
    campaign.refresh_from_db()


def _refuse_to_move(campaign: Campaign, to: Cohort | None) -> None:
    """Raises InvalidSetting where work was handed out already and either cohort is filled by a rule: what was kept for
    such people is reported as theirs, and would name them under another cohort, or under none."""
    by_rule = next((one for one in (campaign.cohort, to) if one is not None and one.by_rule), None)
    if by_rule is not None and campaign.assignments.exists():
        raise InvalidSetting(
            f"Work was handed out already, so its cohort stays: a rule fills {by_rule.name} from background answers,"
            " and who of it did what would show in the change. Make another campaign for the other people."
        )


def may_move_on(campaign: Campaign, to: Guideline) -> bool:
    """Whether a campaign that people work in may go on under another version: a later one that asks the same questions,
    so that what was said before is read as it was. What is in hand is finished under the version it was handed out by,
    and every submission names its own."""
    now = campaign.guideline
    return (
        campaign.state in (Campaign.State.OPEN, Campaign.State.PAUSED)
        and to.published_at is not None
        and to.version > now.version
        and (to.flag_names, to.scale_names) == (now.flag_names, now.scale_names)
    )


def later_versions(campaign: Campaign) -> list[Guideline]:
    """Those that the campaign may go on under (one query), the newest first."""
    later = Guideline.objects.filter(
        project=campaign.project_id, kind=campaign.kind, version__gt=campaign.guideline.version
    )
    return [one for one in later.order_by("-version") if may_move_on(campaign, one)]


@dataclass(frozen=True)
class OverlapChange:
    """What another overlap would do to a campaign's tasks.

    reopened: finished now, and wanted again. finished: wanted now, and no more. kept_above: have more than the new
    overlap, submitted or in hand; they keep what they have.
    """

    to: int
    reopened: int
    finished: int
    kept_above: int


def overlap_change(campaign: Campaign, to: int) -> OverlapChange:
    """One query; nothing is changed."""
    tasks = Task.objects.filter(campaign=campaign, aside="").annotate(taken=TAKEN, wanted=_wanted_at(to))
    return OverlapChange(
        to,
        **tasks.aggregate(
            reopened=Count("pk", filter=Q(open_slots=0, taken__lt=F("wanted"))),
            finished=Count("pk", filter=Q(open_slots__gt=0, taken__gte=F("wanted"))),
            kept_above=Count("pk", filter=Q(taken__gt=F("wanted"))),
        ),
    )


def change_overlap(campaign: Campaign, to: int) -> OverlapChange:
    """Every task is wanted by so many people from now on, and by those it has room for besides; a task that has more,
    submitted or in hand, keeps as many as it has, so that nothing is lost and no more count than the task asks for.
    Raises WrongState, InvalidSetting."""
    if not 1 <= to <= MOST_OVERLAP:
        raise InvalidSetting(f"The overlap is {to}; expected 1 to {MOST_OVERLAP}.")
    if campaign.kind == WorkKind.PROMPT:
        raise InvalidSetting("A prompt is written once, by one person. To get more of them, raise the quota.")
    with transaction.atomic():
        # no_key: a claim that holds a task refers to the campaign, and would wait here while its task is waited for.
        locked = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if locked.imported or locked.state == Campaign.State.CLOSED:
            what = "holds imported judgments" if locked.imported else "is closed"
            raise WrongState(f"The campaign {locked.name!r} {what}; its overlap stays {locked.overlap}.")
        # Cursors before tasks, as everywhere: whoever found nothing looks again.
        ClaimCursor.objects.filter(campaign=locked).update(nothing_until=None)
        _lock_tasks(locked)
        change = overlap_change(locked, to)
        # Computed from each row as it is: a claim before the lock is counted in.
        wanted = Greatest(_wanted_at(to), TAKEN, output_field=IntegerField())
        # What is aside has what it has; it is wanted by as many as the campaign asks once it is put back.
        Task.objects.filter(campaign=locked, aside="").update(overlap=wanted, open_slots=wanted - TAKEN)
        Campaign.objects.filter(pk=locked.pk).update(overlap=to)
        is_wanted_again(locked.pk)
        note_campaign(locked, "overlap", was=locked.overlap, to=to)
    campaign.overlap = to
    return change


def _lock_tasks(campaign: Campaign) -> None:
    """By id, as whoever takes several tasks back locks them: an update locks them as they lie, and of two that wait for
    each other the database ends one."""
    tasks = Task.objects.filter(campaign=campaign).order_by("pk").select_for_update(no_key=True)
    for _ in tasks.values_list("pk").iterator():
        pass


def open_as_pilot(campaign: Campaign, tasks: int) -> None:
    """Opens the campaign; only its first tasks are handed out. Raises InvalidSetting and what open_campaign raises."""
    if campaign.kind == WorkKind.PROMPT:
        raise InvalidSetting("Prompt writing has no tasks to begin with. Give it a small quota instead.")
    with transaction.atomic():
        there = campaign.tasks.count()
        if not 1 <= tasks < max(there, 2):
            says = f"expected 1 to {there - 1}" if there > 1 else "the campaign has too few tasks for one"
            raise InvalidSetting(f"The pilot is of {tasks:,} tasks; {says}.")
        Campaign.objects.filter(pk=campaign.pk).update(pilot_tasks=tasks)
        open_campaign(campaign)
    campaign.pilot_tasks = tasks


def open_to_all(campaign: Campaign) -> None:
    """Ends the pilot: every task may be handed out. Ending it twice is ending it once. Raises WrongState."""
    with transaction.atomic():
        if campaign.state == Campaign.State.CLOSED:
            raise WrongState(f"The campaign {campaign.name!r} is closed; it hands out no tasks.")
        if Campaign.objects.filter(pk=campaign.pk, pilot_tasks__isnull=False).update(pilot_tasks=None):
            ClaimCursor.objects.filter(campaign=campaign).update(nothing_until=None)
            note_campaign(campaign, "widened")
    campaign.pilot_tasks = None


def hindrance_to_deleting(campaign: Campaign) -> str:
    """Why the campaign cannot be deleted, in a sentence; empty where it can (at most one query)."""
    if campaign.imported:
        return "It holds judgments that came from a file; they stay with the records they belong to."
    if campaign.state != Campaign.State.DRAFT:
        return f"It is {campaign.state}. Only a draft is deleted; what people were given to do is closed instead."
    if Submission.objects.filter(assignment__campaign=campaign).exists():
        return "Work was submitted in it, and what people submitted is never deleted with a campaign."
    return ""


def delete_campaign(campaign: Campaign) -> None:
    """Deletes a draft and its tasks; prompts and responses stay. Raises CannotDelete."""
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if hindrance := hindrance_to_deleting(locked):
            raise CannotDelete(f"The campaign {locked.name!r} stays. {hindrance}")
        note_campaign(locked, "deleted")
        locked.delete()
