"""The console's pages about jobs: the list of them, and one of them. What is asked of a job is in views/jobs.py."""

import json

from django.core.paginator import Paginator
from django.db.models import Count, F
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.browsing.filters import Filters, choice, query_with
from training.models import Checkpoint, Job
from training.views.checkpoints import snapshots_of
from training.views.curves import drawn_curves
from training.views.figures import figures_of
from training.views.frontier_plot import frontier_plot
from training.views.logs import log_of
from training.views.samples import reading_of
from training.views.sheet import LOG_LINES, facts_of
from training.views.stage_cards import time_of
from training.workers import can_take

ROWS = 50


class JobFilters(Filters):
    state = choice("State", Job.State.choices)
    kind = choice("Kind", Job.Kind.choices)


@never_cache
@require_safe
@project_page(RESEARCHES)
def job_list(request: ProjectRequest) -> HttpResponse:
    """The newest first. A filter that cannot be is answered with 400."""
    filters = JobFilters(request.GET)
    everything = Job.objects.filter(project=request.project)
    rows = everything.filter(**filters.said) if filters.is_valid() else everything.none()
    rows = rows.select_related("stage__round", "created_by").defer("config", "report").order_by("-pk")
    rows = rows.annotate(worked_seconds=F("report__worked_seconds"))  # time_of reads it
    sheet = Paginator(rows, ROWS).get_page(request.GET.get("sheet", "1"))
    by_state = dict(everything.order_by().values_list("state").annotate(many=Count("pk")))
    context = {
        "filters": filters,
        "narrowed": bool(filters.said),
        "all": sum(by_state.values()),
        "running": by_state.get(Job.State.RUNNING, 0),
        "queued": by_state.get(Job.State.QUEUED, 0),
        "failed": by_state.get(Job.State.FAILED, 0),
        "sheet": sheet,
        "lines": [(one, time_of(one)) for one in sheet.object_list],
        "newer": query_with(request.GET, sheet=str(sheet.number - 1)) if sheet.has_previous() else "",
        "older": query_with(request.GET, sheet=str(sheet.number + 1)) if sheet.has_next() else "",
    }
    return render(request, "jobs/list.html", context, status=200 if filters.is_valid() else 400)


@never_cache
@require_safe
@project_page(RESEARCHES)
def job(request: ProjectRequest, job_id: int) -> HttpResponse:
    found = get_object_or_404(
        Job.objects.select_related("stage__round", "created_by"), project=request.project, pk=job_id
    )
    context = {
        "job": found,
        "round": found.stage.round if found.stage else None,
        "time": time_of(found),
        "facts": facts_of(found),
        "no_worker": found.state == Job.State.QUEUED and not can_take(found.queue),
        "curves": drawn_curves(found),
        "figures": figures_of(found),
        "frontier": frontier_plot(found.report),
        "checkpoint": Checkpoint.objects.filter(job=found).first(),
        "snapshots": snapshots_of(found.pk),
        "models": found.inputs.filter(checkpoint__isnull=False).select_related("checkpoint").order_by("role"),
        "reading": reading_of(found, request.GET),
        "log": log_of(found, lines=LOG_LINES),
        "config": json.dumps(found.config, indent=2, sort_keys=True),
        "report": json.dumps(found.report, indent=2, sort_keys=True) if found.report else "",
    }
    return render(request, "jobs/job.html", context)
