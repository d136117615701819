"""A task as labelers see it, for whoever makes the campaign: the real screen, and nothing of it is kept."""

import random
from uuid import uuid4

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.checking import TEXT_LIMIT
from labeling.models import Assignment, Campaign, Task, WorkKind
from labeling.screens import screen_of, template_of
from labeling.views.campaigns import campaign_or_404


@never_cache
@require_safe
@project_page(RESEARCHES)
def preview(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """?task=3: its third task. The assignment is never saved, so no draft, lease or submission can follow from it."""
    campaign = campaign_or_404(request, campaign_id)
    tasks = Task.objects.filter(campaign=campaign).order_by("position").select_related("prompt")
    # The tasks of prompt writing are all alike, and made as they are claimed.
    many = 1 if campaign.kind == WorkKind.PROMPT else tasks.count()
    if not many:
        return render(request, "campaigns/no_preview.html", {"campaign": campaign})
    number = _number(request.GET.get("task", "1"), many)
    task = Task(campaign=campaign) if campaign.kind == WorkKind.PROMPT else tasks[number - 1]
    assignment = held_by_nobody(task, campaign)
    context = {
        "preview": {"number": number, "many": many, "before": number - 1, "after": number + 1 if number < many else 0},
        "assignment": assignment,
        "campaign": campaign,
        "guideline": campaign.guideline,
        "screen": screen_of(assignment, {}),
        "text_limit": TEXT_LIMIT,
        "key": uuid4(),
        "corrects": 0,
    }
    return render(request, template_of(assignment), context)


def _number(asked: str, many: int) -> int:
    if asked.isascii() and asked.isdigit() and len(asked) < 10 and 1 <= int(asked) <= many:
        return int(asked)
    raise Http404("There is no such task in this campaign.")


def held_by_nobody(task: Task, campaign: Campaign) -> Assignment:
    """An assignment of nobody, not saved; its order is drawn by the task, the same at every look."""
    order = list(task.shown.values_list("response_id", flat=True)) if task.pk else []
    random.Random(task.pk).shuffle(order)  # noqa: S311, as a look at it, the same each time
    return Assignment(task=task, campaign=campaign, order=order)
