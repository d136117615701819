"""Gold answers and withdrawn tasks of a campaign: the list of what is aside, and the form of one gold answer.

For whoever reviews. Nothing here says which model wrote what: a reviewer labels too.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import REVIEWS, ProjectRequest, project_page
from labeling.beside import KINDS
from labeling.checking import LETTERS, scales_of
from labeling.errors import InvalidWork, Problem, Refusal
from labeling.gold import EXAMPLE, Gold, answers_in, order_of, responses_of, retire_gold, untouched_task, write_gold
from labeling.models import Campaign, GoldAnswer, Response, Task
from labeling.rendering import render_all
from labeling.screens import shown_prompt
from labeling.setting_aside import put_back

SHOWN = 200
YES_NO = {"yes": True, "no": False}


def _campaign_or_404(request: ProjectRequest, campaign_id: int) -> Campaign:
    """Of the kinds that have gold, or any that has withdrawn tasks."""
    found = Campaign.objects.filter(project=request.project, imported=False).select_related("guideline")
    return get_object_or_404(found, pk=campaign_id)


def _task_or_404(request: ProjectRequest, campaign_id: int, task_id: int) -> Task:
    campaign = _campaign_or_404(request, campaign_id)
    found = get_object_or_404(Task.objects.select_related("prompt"), pk=task_id, campaign=campaign)
    found.campaign = campaign
    return found


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(REVIEWS)
def aside(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """What is aside; POST opens the form of a gold answer for a task that nobody was handed yet."""
    campaign = _campaign_or_404(request, campaign_id)
    if request.method == "POST":
        task = untouched_task(campaign) if campaign.kind in KINDS else None
        if task is not None:
            return redirect("gold", request.project.slug, campaign.pk, task.pk)
        messages.info(request, "There is no task left that nobody was handed yet.")
    withdrawn = Task.objects.filter(campaign=campaign, aside=Task.Aside.WITHDRAWN).select_related("prompt")
    answers = answers_in(campaign)
    context = {
        "campaign": campaign,
        "has_gold": campaign.kind in KINDS,
        "many": answers.count(),
        "answers": answers[:SHOWN],
        "withdrawn": withdrawn.order_by("position")[:SHOWN],
    }
    return render(request, "campaigns/aside.html", context)


@require_POST
@project_page(REVIEWS)
def put_back_task(request: ProjectRequest, campaign_id: int, task_id: int) -> HttpResponse:
    """A withdrawn task goes back into the queue; gold does, and is none any more."""
    task = _task_or_404(request, campaign_id, task_id)
    if task.aside == Task.Aside.GOLD:
        retire_gold(task)
    else:
        put_back(task)
    messages.success(request, "It is back in the queue.")
    return redirect("campaign_aside", request.project.slug, campaign_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(REVIEWS)
def gold(request: ProjectRequest, campaign_id: int, task_id: int) -> HttpResponse:
    task = _task_or_404(request, campaign_id, task_id)
    if task.campaign.kind not in KINDS or task.prompt is None:
        raise Http404("A task of this kind has no gold answer.")
    if request.method != "POST":
        return _show(request, task, _fields_of(task))
    try:
        write_gold(task, request.user, _read(request.POST))
    except Refusal as refusal:
        return _show(request, task, request.POST.dict(), refusal)
    messages.success(request, "The gold answer is kept. The task is handed out as gold from now on.")
    return redirect("campaign_aside", request.project.slug, campaign_id)


def _read(sent: Mapping[str, str]) -> Gold:
    """Raises InvalidWork where a rating is no number."""
    ratings, flags, problems = {}, {}, []
    for name, value in sent.items():
        kind, *rest = name.split("-", 2)
        if not value or len(rest) != 2:
            continue
        if kind == "rating" and value.isascii() and value.isdigit() and len(value) < 5:
            ratings[rest[0], rest[1]] = int(value)
        elif kind == "flag" and value in YES_NO:
            flags[rest[0], rest[1]] = YES_NO[value]
        elif kind in ("rating", "flag"):
            problems.append(Problem("not_understood", f"{value[:40]!r} is no answer here.", name))
    if problems:
        raise InvalidWork(problems)
    why = sent.get("why", "").replace("\r\n", "\n").strip()
    return Gold(order=sent.get("order", "")[:500], ratings=ratings, flags=flags, why=why)


def _fields_of(task: Task) -> dict[str, str]:
    """The form's fields as the answer has them."""
    found = GoldAnswer.objects.filter(task=task).first()
    if found is None:
        return {}
    shown = responses_of(task)
    fields = {"order": order_of(found, shown), "why": found.why}
    for letter, response_id in zip(LETTERS, shown, strict=False):
        said = found.judged.get(str(response_id), {})
        fields |= {f"rating-{letter}-{scale}": str(rating) for scale, rating in said.get("ratings", {}).items()}
        fields |= {f"flag-{letter}-{flag}": "yes" if yes else "no" for flag, yes in said.get("flags", {}).items()}
    return fields


def _show(
    request: ProjectRequest, task: Task, fields: Mapping[str, str], refusal: Refusal | None = None
) -> HttpResponse:
    assert task.prompt is not None
    guideline, shown = task.campaign.guideline, responses_of(task)
    by_id = Response.objects.only("text").in_bulk(shown)
    turns = [str(message["content"]) for message in task.prompt.messages]
    html = render_all([*turns, *(by_id[pk].text for pk in shown)])
    responses = []
    for letter, text in zip(LETTERS, html[len(turns) :], strict=False):
        scales = [(one["label"], *_field(f"rating-{letter}-{one['name']}", fields)) for one in scales_of(guideline)]
        flags = [(one["label"], *_field(f"flag-{letter}-{one['name']}", fields)) for one in guideline.flags]
        responses.append(
            {"letter": letter, "html": text, "scales": scales, "flags": flags, "flagged": any(one[2] for one in flags)}
        )
    context: dict[str, Any] = {
        "campaign": task.campaign,
        "task": task,
        "turns": shown_prompt(task.prompt, html[: len(turns)]).turns,
        "responses": responses,
        "steps": [str(step) for step in range(1, 8)],
        "order": fields.get("order", ""),
        "why": fields.get("why", ""),
        "example": EXAMPLE if len(shown) > 3 else "A > B",
        "problems": refusal.problems if refusal else [],
        "is_gold": task.aside == Task.Aside.GOLD,
    }
    return render(request, "campaigns/gold.html", context, status=refusal.status if refusal else 200)


def _field(name: str, fields: Mapping[str, str]) -> tuple[str, str]:
    """The field's name and what is filled in."""
    return name, fields.get(name, "")
