"""Adjudication: the tasks on which labelers disagree, and a page that decides one. It names no model and no person."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling.access import REVIEWS, ProjectRequest, project_page
from labeling.adjudicating import adjudicate, disputes, shown_order
from labeling.assigning import is_kept_out, labeler_of
from labeling.browsing.opinions import counted_judgments
from labeling.checking import LETTERS, scales_of
from labeling.errors import Problem, Refusal
from labeling.forms import read_work
from labeling.models import Adjudication, Campaign, Response, Task, WorkKind
from labeling.rendering import render_all
from labeling.screens import ShownTurn
from labeling.views.worded import percent

ROWS = 50


def campaign_to_decide(request: ProjectRequest, campaign_id: int) -> Campaign:
    """Http404 for one that is not of the project; 403 where the visitor may not judge its models blind."""
    found = Campaign.objects.filter(project=request.project, kind__in=(WorkKind.RANKING, WorkKind.RATING))
    campaign = get_object_or_404(found.select_related("guideline", "project"), pk=campaign_id)
    if is_kept_out(campaign, labeler_of(request.membership)):
        raise PermissionDenied("Your role shows you which model wrote what; judging models blind is left to others.")
    return campaign


@never_cache
@require_safe
@project_page(REVIEWS)
def dispute_list(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """What nobody has decided, where labelers disagree most first; ?page= goes on."""
    campaign = campaign_to_decide(request, campaign_id)
    found = disputes(campaign)
    sheet = Paginator(found, ROWS).get_page(request.GET.get("page", "1"))
    tasks = Task.objects.select_related("prompt").in_bulk([one.task for one in sheet])
    context = {
        "campaign": campaign, "many": len(found), "open": sum(not one.adjudicated for one in found), "sheet": sheet,
        "lines": [(one, tasks[one.task], percent(one.agreement.known())) for one in sheet if one.task in tasks],
        "is_ranking": campaign.kind == WorkKind.RANKING,
    }  # fmt: skip
    return render(request, "reports/disputes.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(REVIEWS)
def decide(request: ProjectRequest, campaign_id: int, task_id: int) -> HttpResponse:
    """What was said of a task, under the letters of its storage, and a form for what holds."""
    campaign = campaign_to_decide(request, campaign_id)
    task = get_object_or_404(Task.objects.select_related("prompt"), campaign=campaign, pk=task_id, aside="")
    task.campaign = campaign
    problems: list[Problem] = []
    status = 200
    if request.method == "POST":
        try:
            work = read_work(request.POST, besides=["why"])
            adjudicate(task, request.membership, work, why=request.POST.get("why", ""))
        except Refusal as refusal:
            problems, status = list(refusal.problems), refusal.status
        else:
            messages.success(request, "Decided. What the labelers said stays as it was.")
            return redirect("disputes", request.project.slug, campaign.pk)
    return render(request, "reports/decide.html", _page(task, request.POST.dict(), problems), status=status)


def _page(task: Task, typed: dict[str, str], problems: list[Problem]) -> dict[str, Any]:
    order = shown_order(task)
    responses = Response.objects.in_bulk(order)
    turns = task.prompt.messages if task.prompt else []
    html = render_all([*(turn["content"] for turn in turns), *(responses[pk].text for pk in order)])
    said = _said(task, order)
    is_ranking = task.campaign.kind == WorkKind.RANKING
    columns = [
        {
            "letter": letter, "html": text, "said": [of_one[place] for of_one in said],
            "fields": [
                (name, label, choices, typed.get(name, ""))
                for name, label, choices in _fields(task, letter, len(order) if is_ranking else 0)
            ],
        }
        for place, (letter, text) in enumerate(zip(LETTERS, html[len(turns) :], strict=False))
    ]  # fmt: skip
    return {
        "campaign": task.campaign, "task": task, "problems": problems, "typed": typed, "columns": columns,
        "turns": [ShownTurn(turn["role"], text) for turn, text in zip(turns, html, strict=False)],
        "voices": range(1, len(said) + 1), "is_ranking": is_ranking,
        "earlier": Adjudication.objects.filter(task=task).select_related("by"),
    }  # fmt: skip


def _fields(task: Task, letter: str, ranked: int) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Name, label and choices of what is asked of one response. ranked: how many are put in order; 0: none."""
    if ranked:
        yield f"rank-{letter}", "Rank", [(str(rank), str(rank)) for rank in range(1, ranked + 1)]
    sevens = [(str(step), str(step)) for step in range(1, 8)]
    guideline = task.campaign.guideline
    for scale in scales_of(guideline):
        yield f"rating-{letter}-{scale['name']}", scale["label"], sevens
    for flag in guideline.flags:
        yield f"flag-{letter}-{flag['name']}", flag["label"], [("yes", "yes"), ("no", "no")]


def _said(task: Task, order: list[int]) -> list[list[str]]:
    """Of each labeler in turn, unnamed, what they said of each response: its rank, or its overall rating."""
    place = {pk: at for at, pk in enumerate(order)}
    found: dict[int, list[str]] = {}
    for one in counted_judgments().filter(submission__assignment__task=task).order_by("submission_id"):
        words = "–" if one.rank is None else str(one.rank)
        if task.campaign.kind != WorkKind.RANKING:
            words = str(one.ratings.get("overall", "–"))
        found.setdefault(one.submission_id, ["–"] * len(order))[place[one.response_id]] = words
    return list(found.values())
