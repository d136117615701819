"""The page of the audit log: what was done in a project, by whom and when, narrowed and out as a file. Owners only."""

from collections.abc import Callable, Iterator

from allauth.account.decorators import reauthentication_required
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import ProjectRequest, project_page
from labeling.audit.reading import AuditFilters, as_csv, as_json, entries_of, lines_of
from labeling.audit.recording import record
from labeling.browsing.filters import query_with
from labeling.browsing.sheets import sheet_of
from labeling.models import AuditEntry, AuditKind, Role


@never_cache
@require_safe
@project_page([Role.OWNER])
def audit(request: ProjectRequest) -> HttpResponse:
    """?kind=role&person=7&since=2026-03-01&until=2026-03-31, each of them optional."""
    filters = AuditFilters(request.GET, project=request.project)
    found = entries_of(request.project, filters)
    sheet = sheet_of(found, request.GET)
    context = {
        "filters": filters,
        "narrowed": bool(filters.said),
        "many": found.count(),
        "sheet": sheet,
        "lines": lines_of(sheet.rows),
        "query": query_with(request.GET, before=""),
    }
    return render(request, "people/audit.html", context, status=400 if filters.errors else 200)


def _file(
    ending: str, media_type: str, written: Callable[[QuerySet[AuditEntry]], Iterator[str]]
) -> Callable[..., HttpResponseBase]:
    """A view that sends what the page lists, all sheets of it."""

    @never_cache
    @require_safe
    @project_page([Role.OWNER])
    @reauthentication_required
    def view(request: ProjectRequest) -> HttpResponseBase:
        filters = AuditFilters(request.GET, project=request.project)
        if not filters.is_valid():
            problem = " ".join(str(one) for errors in filters.errors.values() for one in errors)
            return HttpResponse(problem, status=400, content_type="text/plain; charset=utf-8")
        # Before the file, and in it: that it was fetched is part of what was done.
        record(AuditKind.EXPORT, project=request.project.pk, facts={"act": "fetched", "records": f"audit.{ending}"})
        answer = StreamingHttpResponse(
            written(entries_of(request.project, filters)), content_type=f"{media_type}; charset=utf-8"
        )
        name = f"{request.project.slug}-audit-{timezone.localdate()}.{ending}"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    return view


audit_csv = _file("csv", "text/csv", as_csv)
audit_json = _file("json", "application/json", as_json)
