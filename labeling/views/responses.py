"""The console's list of responses."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.browsing.filters import ResponseFilters
from labeling.browsing.opinions import opinions_of
from labeling.browsing.responses import as_lines, found_responses
from labeling.browsing.searching import MOST_WORDS, Found
from labeling.browsing.sheets import sheet_of
from labeling.models import Response


@never_cache
@require_safe
@project_page(RESEARCHES)
def response_list(request: ProjectRequest) -> HttpResponse:
    """The newest responses, or those that the filters leave. A filter that cannot be is answered with 400."""
    filters = ResponseFilters(request.GET, project=request.project)
    said = filters.said
    found = found_responses(request.project, said) if filters.is_valid() else Found(Response.objects.none())
    sheet = sheet_of(as_lines(found.rows), request.GET)
    opinions = opinions_of(sheet.rows)
    context = {
        "filters": filters,
        "narrowed": bool(said),
        "many": found.rows.count(),
        "among": found.among,
        "most_words": MOST_WORDS if len(said.get("q", "").split()) > MOST_WORDS else None,
        "sheet": sheet,
        "lines": [(one, opinions[one.pk]) for one in sheet.rows],
    }
    return render(request, "responses/list.html", context, status=200 if filters.is_valid() else 400)
