"""A guideline on a page of its own; beside the work it is a panel."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.models import Guideline
from labeling.rendering import render as render_markdown


@require_safe
@project_page(LABELS)
def guideline(request: ProjectRequest, guideline_id: int) -> HttpResponse:
    found = Guideline.objects.filter(pk=guideline_id, project=request.project, published_at__isnull=False).first()
    if found is None:
        raise Http404("There is no such page, or it is not yours.")
    context = {"guideline": found, "body": render_markdown(found.body)}
    return render(request, "labeling/guideline.html", context)
