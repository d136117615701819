"""Data of a project: what went out and came in as files, and what others may do with it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import READS_DATA, ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.exporting.making import file_of
from labeling.models import Export, Import, Role
from labeling.names import checked_line

SHOWN = 20
MOST_LICENCE = 200


@never_cache
@require_http_methods(["GET", "HEAD"])
@project_page(READS_DATA)
def data(request: ProjectRequest) -> HttpResponse:
    return render(request, "data/list.html", context_of(request))


def context_of(request: ProjectRequest, *, problem: str = "") -> dict[str, object]:
    exports = Export.objects.filter(project=request.project)[:SHOWN]
    imports = Import.objects.filter(project=request.project)[:SHOWN]
    found = [(export, file_of(export) is not None) for export in exports]
    return {
        "exports": found,
        "imports": imports,
        "waiting": any(not one.ended for one in [*exports, *imports]),
        "owns": request.membership.role == Role.OWNER,
        "problem": problem,
    }


@require_POST
@project_page([Role.OWNER])
def set_licence(request: ProjectRequest) -> HttpResponse:
    """An empty one says that none is stated."""
    typed = request.POST.get("licence", "").strip()
    try:
        licence = checked_line(typed, what="licence", most=MOST_LICENCE) if typed else ""
    except Refusal as refusal:
        return render(request, "data/list.html", context_of(request, problem=refusal.message), status=400)
    request.project.licence = licence
    request.project.save(update_fields=["licence"])
    messages.success(request, "Kept; it stands in the datasheet of every export from now on.")
    return redirect("data", request.project.slug)
