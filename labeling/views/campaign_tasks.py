"""The console's pages about the tasks of a campaign: the list of them, and one with all that was said of it."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.browsing.edition import edition_of
from labeling.browsing.filters import TaskFilters, query_with
from labeling.browsing.tasks import as_lines, found_tasks
from labeling.models import Campaign, Task

ROWS = 50


def _campaign_or_404(request: ProjectRequest, campaign_id: int) -> Campaign:
    found = Campaign.objects.filter(project=request.project).select_related("guideline", "cohort")
    return get_object_or_404(found, pk=campaign_id)


@never_cache
@require_safe
@project_page(RESEARCHES)
def task_list(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """Its tasks in the order in which they are handed out. A filter that cannot be is answered with 400."""
    campaign = _campaign_or_404(request, campaign_id)
    filters = TaskFilters(request.GET)
    said = filters.said
    rows = found_tasks(campaign, said) if filters.is_valid() else Task.objects.none()
    paginator = Paginator(rows, ROWS)
    sheet = paginator.get_page(request.GET.get("page", "1"))
    everything = Task.objects.filter(campaign=campaign)
    context = {
        "campaign": campaign,
        "filters": filters,
        "narrowed": bool(said),
        "many": paginator.count,
        "all": everything.count(),
        "whole": found_tasks(campaign, {"state": "whole"}).count(),
        "sheet": sheet,
        "lines": list(as_lines(rows)[sheet.start_index() - 1 : sheet.end_index()]) if paginator.count else [],
        "before": query_with(request.GET, page=str(sheet.number - 1)) if sheet.has_previous() else "",
        "after": query_with(request.GET, page=str(sheet.number + 1)) if sheet.has_next() else "",
    }
    return render(request, "tasks/list.html", context, status=200 if filters.is_valid() else 400)


@never_cache
@require_safe
@project_page(RESEARCHES)
def campaign_task(request: ProjectRequest, campaign_id: int, task_id: int) -> HttpResponse:
    campaign = _campaign_or_404(request, campaign_id)
    task = get_object_or_404(Task.objects.select_related("prompt", "campaign__cohort"), campaign=campaign, pk=task_id)
    neighbours = Task.objects.filter(campaign=campaign)
    context = {
        "campaign": campaign,
        "edition": edition_of(task),
        "before": neighbours.filter(position__lt=task.position)
        .order_by("-position")
        .values_list("pk", flat=True)
        .first(),
        "after": neighbours.filter(position__gt=task.position)
        .order_by("position")
        .values_list("pk", flat=True)
        .first(),
    }
    return render(request, "tasks/edition.html", context)
