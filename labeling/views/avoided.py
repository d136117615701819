"""What a labeler would rather not read."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.assigning import labeler_of
from labeling.distress import avoid, sum_of
from labeling.models import Content


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(LABELS)
def avoided(request: ProjectRequest) -> HttpResponse:
    labeler = labeler_of(request.membership)
    if request.method == "POST":
        avoid(labeler, sum_of(request.POST.getlist("kind")))
        messages.success(request, gettext("Saved. You are handed no such texts from now on."))
        return redirect("avoided", request.project.slug)
    kinds = [(kind.name, kind.words, bool(labeler.avoids & kind)) for kind in Content]
    return render(request, "labeling/avoided.html", {"kinds": kinds})
