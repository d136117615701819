"""The page of erasures: an owner has somebody's words erased, and sees what it reached and which models had learned."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labeling.access import ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.models import Labeler, Project, Role
from training.erasing import erase
from training.models import Erasure

SHOWN = 100


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page([Role.OWNER])
@reauthentication_required(allow_get=True)
def erasures(request: ProjectRequest) -> HttpResponse:
    problem, typed = "", request.POST
    if request.method == "POST":
        labeler = labeler_named(request.project, typed.get("who", ""))
        problem = _problem(labeler, typed)
        if labeler is not None and not problem:
            try:
                made = erase(labeler, by=request.user, judgments="judgments" in typed)
            except Refusal as refusal:
                problem = refusal.message
            else:
                many = made.checkpoints.count()
                messages.success(request, f"Erased. {many} model{'' if many == 1 else 's'} had learned from it.")
                return redirect("erasures", request.project.slug)
    found = Erasure.objects.filter(project=request.project).select_related("labeler", "by")
    context = {
        "erasures": found.prefetch_related("checkpoints", "snapshots")[:SHOWN], "problem": problem, "typed": typed,
    }  # fmt: skip
    return render(request, "people/erasures.html", context, status=409 if problem else 200)


def labeler_named(project: Project, name: str) -> Labeler | None:
    """By pseudonym, or by the user name of somebody who is or was a member."""
    name = name.strip()
    found = Labeler.objects.filter(Q(pseudonym=name) | Q(user__username=name), project=project)
    return found.select_related("project", "user", "membership").first() if name else None


def _problem(labeler: Labeler | None, typed: Any) -> str:
    name = typed.get("who", "").strip()
    if labeler is None:
        return f"Nobody here is called {name[:60]!r}; expected a pseudonym, or the user name of somebody who labeled."
    if typed.get("again", "").strip() != name:
        return "The two names differ. Type the same one twice: it cannot be undone."
    return ""
