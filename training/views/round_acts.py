"""What is done to a round as a whole from its page: the next one, whether it runs itself, what a stage waits for."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from labeling.access import RESEARCHES, ProjectRequest, project_page
from training.errors import RoundRefused
from training.models import Round, Stage
from training.next_round import next_round
from training.self_running import run_by_itself, set_running
from training.waiting import read_number, set_enough


def _round(request: ProjectRequest, number: int) -> Round:
    return get_object_or_404(Round.objects.select_related("project"), project=request.project, number=number)


@never_cache
@require_POST
@project_page(RESEARCHES)
def open_next(request: ProjectRequest, number: int) -> HttpResponse:
    """The recipe once more: from=policy, or from where this one began."""
    round_ = _round(request, number)
    try:
        opened = next_round(round_, with_policy=request.POST.get("from") == "policy", by=request.user)
    except RoundRefused as refused:
        messages.error(request, str(refused))
        return redirect("round", request.project.slug, number)
    return redirect("round", request.project.slug, opened.number)


@never_cache
@require_POST
@project_page(RESEARCHES)
def running(request: ProjectRequest, number: int) -> HttpResponse:
    """by_itself=yes: stages start as soon as what they wait for is there; anything else: by hand."""
    round_ = _round(request, number)
    try:
        set_running(round_, by_itself=request.POST.get("by_itself") == "yes")
    except RoundRefused as refused:
        messages.error(request, str(refused))
    else:
        if round_.runs_itself:
            run_by_itself(round_)
    return redirect("round", request.project.slug, number)


@never_cache
@require_POST
@project_page(RESEARCHES)
def wait(request: ProjectRequest, number: int, kind: str) -> HttpResponse:
    """enough=NUMBER; empty: nothing is waited for."""
    round_ = _round(request, number)
    get_object_or_404(Stage, round=round_, kind=kind)
    try:
        set_enough(round_, kind, read_number(request.POST.get("enough", "")))
    except RoundRefused as refused:
        messages.error(request, str(refused))
    page = redirect("round", request.project.slug, number)
    return redirect(f"{page.url}?stage={kind}#live")
