"""The console's pages about models: the list of checkpoints, and one of them with where it comes from."""

import json

from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.browsing.filters import Filters, choice, query_with
from labeling.models import Response
from training.base_models import folder_of
from training.lineage import family_of
from training.models import Checkpoint, JobInput
from training.origins import in_words, origin_of, sources
from training.views.figures import figures_of
from training.views.stage_cards import done_facts

ROWS = 50
NAMES: dict[str, str] = {
    Checkpoint.Kind.BASE: "base model",
    Checkpoint.Kind.SFT: "SFT model",
    Checkpoint.Kind.REWARD: "reward model",
    Checkpoint.Kind.POLICY: "policy model",
}


class CheckpointFilters(Filters):
    kind = choice("Kind", Checkpoint.Kind.choices)


@never_cache
@require_safe
@project_page(RESEARCHES)
def checkpoint_list(request: ProjectRequest) -> HttpResponse:
    """The newest first. A filter that cannot be is answered with 400."""
    filters = CheckpointFilters(request.GET)
    everything = Checkpoint.objects.filter(project=request.project)
    rows = everything.filter(**filters.said) if filters.is_valid() else everything.none()
    rows = rows.select_related("job__stage__round").prefetch_related("parents").order_by("-pk")
    sheet = Paginator(rows, ROWS).get_page(request.GET.get("sheet", "1"))
    context = {
        "filters": filters,
        "narrowed": bool(filters.said),
        "all": everything.count(),
        "kinds": _kinds(everything),
        "newest": everything.order_by("-pk").first(),
        "sheet": sheet,
        "lines": [(one, list(done_facts(one.job.kind, one.metrics)) if one.job else []) for one in sheet.object_list],
        "newer": query_with(request.GET, sheet=str(sheet.number - 1)) if sheet.has_previous() else "",
        "older": query_with(request.GET, sheet=str(sheet.number + 1)) if sheet.has_next() else "",
    }
    return render(request, "checkpoints/list.html", context, status=200 if filters.is_valid() else 400)


def _kinds(everything: QuerySet[Checkpoint]) -> list[str]:
    """ "2 SFT models", in the order in which a round makes them (one query)."""
    many = dict(everything.order_by().values_list("kind").annotate(many=Count("pk")))
    return [f"{many[kind]:,} {NAMES[kind]}{'s' if many[kind] > 1 else ''}" for kind in NAMES if kind in many]


@never_cache
@require_safe
@project_page(RESEARCHES)
def checkpoint(request: ProjectRequest, checkpoint_id: int) -> HttpResponse:
    rows = Checkpoint.objects.select_related("project", "generator", "job__stage__round")
    found = get_object_or_404(rows, project=request.project, pk=checkpoint_id)
    before, after = family_of(found)
    round_ = found.job.stage.round if found.job and found.job.stage else None
    folder = folder_of(found)
    origin = origin_of(found)
    context = {
        "checkpoint": found,
        "round": round_,
        "before": before,
        "after": after,
        "figures": figures_of(found.job) if found.job else [],
        "snapshots": snapshots_of(found.job_id) if found.job_id else [],
        "config": json.dumps(found.job.config, indent=2, sort_keys=True) if found.job else "",
        "responses": Response.objects.filter(generator=found.generator).count() if found.generator else None,
        "origin": origin,
        "labelers": sources(origin.labelers),
        "guidelines": [
            (f"{kind.capitalize()} guideline, version {version}", many)
            for (kind, version), many in origin.guidelines.items()
        ],
        "code": in_words(found.code) if found.code else "",
        "on_a_hub": folder is None,
        "is_there": folder is not None and folder.is_dir(),
    }
    return render(request, "checkpoints/checkpoint.html", context)


def snapshots_of(job_id: int) -> list[JobInput]:
    """The frozen data that a job reads, each with how many submissions are in it."""
    found = JobInput.objects.filter(job=job_id, snapshot__isnull=False).select_related("snapshot")
    return list(found.annotate(submissions=Count("snapshot__submissions")).order_by("role"))
