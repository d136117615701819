"""The campaigns of a qualification, made from a project's gold and from prompts that nobody demonstrated."""

from collections import defaultdict

from django.db import transaction

from labeling.errors import InvalidSetting, NothingFits
from labeling.models import (
    Assignment,
    Campaign,
    GoldAnswer,
    Guideline,
    Prompt,
    Qualification,
    Screening,
    Task,
    TaskResponse,
    WorkKind,
)
from labeling.opening import make_tasks, open_campaign
from labeling.reports.beside import usable

KINDS = (WorkKind.RANKING, WorkKind.DEMONSTRATION)
PLACES = 100
"""Candidates that one screening campaign has room for."""
MOST_TASKS = 200


def add_screening(qualification: Qualification, kind: str, *, number: int, tasks: int) -> Screening:
    """Makes and opens the campaign of one kind of work for one try: rankings and flags from the project's gold, or
    demonstrations to prompts that nobody demonstrated. No task is in two of its tries.

    Raises InvalidSetting, NothingFits.
    """
    if kind not in KINDS or not 1 <= number <= qualification.tries or not 1 <= tasks <= MOST_TASKS:
        raise InvalidSetting(
            f"A screening of {tasks} {kind} tasks for try {number} cannot be; expected ranking or demonstration, "
            f"1 to {MOST_TASKS} tasks, and a try from 1 to {qualification.tries}."
        )
    if qualification.screenings.filter(number=number, campaign__kind=kind).exists():
        raise InvalidSetting(f"Try {number} has {kind} work already; a try has one campaign a kind.")
    guideline = (
        Guideline.objects.filter(project=qualification.project, kind=kind, published_at__isnull=False)
        .order_by("-version")
        .first()
    )
    if guideline is None:
        raise NothingFits(f"There is no published guideline for {kind} work to screen by.")
    with transaction.atomic():
        campaign = Campaign.objects.create(
            project=qualification.project, name=f"{qualification.name}, {kind} {number}"[:120], kind=kind,
            guideline=guideline, overlap=PLACES, requires=qualification,
            required=["ranks"] if kind == WorkKind.RANKING else [],
        )  # fmt: skip
        screening = Screening.objects.create(qualification=qualification, campaign=campaign, number=number)
        (_from_gold if kind == WorkKind.RANKING else _from_prompts)(campaign, qualification, tasks)
        open_campaign(campaign)
    return screening


def _from_gold(campaign: Campaign, qualification: Qualification, tasks: int) -> None:
    used = Task.objects.filter(campaign__screening_of__qualification=qualification).values("prompt")
    found = GoldAnswer.objects.filter(
        task__campaign__project=qualification.project, task__campaign__kind=WorkKind.RANKING, retired_at__isnull=True,
        task__campaign__screening_of__isnull=True,
    ).exclude(task__prompt__in=used).select_related("task__prompt").order_by("pk")  # fmt: skip
    gold = usable(found, Assignment.objects.all())[:tasks]
    if len(gold) < tasks:
        raise NothingFits(
            f"{tasks} gold answers are wanted and {len(gold)} are there that no try uses and that hold; write more."
        )
    shown = defaultdict(list)
    for one in TaskResponse.objects.filter(task__in=[each.task_id for each in gold]).select_related("response"):
        shown[one.task_id].append(one.response)
    pairs = [(one.task.prompt, shown[one.task_id]) for one in gold if one.task.prompt]
    make_tasks(campaign, pairs)
    made = campaign.tasks.order_by("position")
    GoldAnswer.objects.bulk_create(
        GoldAnswer(task=task, author=one.author, above=one.above, judged=one.judged, why=one.why)
        for task, one in zip(made, gold, strict=True)
    )
    if any(said.get("flags") for one in gold for said in one.judged.values()):
        # What is left open counts as wrong, so the form asks for it: for all flags, or it would tell which are known.
        campaign.required = ["ranks", "flags"]
        campaign.save(update_fields=["required"])


def _from_prompts(campaign: Campaign, qualification: Qualification, tasks: int) -> None:
    used = Task.objects.filter(campaign__screening_of__qualification=qualification).values("prompt")
    found = Prompt.objects.filter(project=qualification.project, split="train", responses__isnull=True)
    prompts = list(found.exclude(pk__in=used).order_by("fingerprint")[:tasks])
    if len(prompts) < tasks:
        raise NothingFits(f"{tasks} prompts without a response are wanted and {len(prompts)} are there; bring in more.")
    make_tasks(campaign, [(prompt, []) for prompt in prompts])
