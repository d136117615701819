"""A guideline on a page of its own; beside the work it is a panel. Who must read it first says so here."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.assigning import labeler_of
from labeling.models import Campaign, Guideline, GuidelineRead
from labeling.rendering import render as render_markdown
from labeling.views.task import next_address


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(LABELS)
def guideline(request: ProjectRequest, guideline_id: int) -> HttpResponse:
    """?campaign=3: on the way to a task of this campaign, for which it must be read; POST says that it was."""
    found = Guideline.objects.filter(pk=guideline_id, project=request.project, published_at__isnull=False).first()
    if found is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    campaign = _campaign_asked_for(request, found)
    if request.method == "POST":
        labeler = labeler_of(request.membership)
        GuidelineRead.objects.get_or_create(labeler=labeler, guideline=found)
        if campaign is None:
            return redirect("queue", request.project.slug)
        return redirect(next_address(request, campaign, labeler))
    read = GuidelineRead.objects.filter(labeler__membership=request.membership, guideline=found).first()
    context = {
        "guideline": found,
        "body": render_markdown(found.body),
        "changes": render_markdown(found.changes) if found.changes else "",
        "read": read,
        "asked": campaign is not None,
    }
    return render(request, "labeling/guideline.html", context)


def _campaign_asked_for(request: ProjectRequest, guideline: Guideline) -> Campaign | None:
    asked = request.GET.get("campaign", "")
    if not asked:
        return None
    is_number = asked.isascii() and asked.isdigit() and len(asked) < 19
    theirs = Campaign.objects.filter(project=request.project, kind=guideline.kind, imported=False)
    found = theirs.exclude(state=Campaign.State.DRAFT).filter(pk=int(asked)).first() if is_number else None
    if found is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    return found
