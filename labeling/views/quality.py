"""The page of quality: labelers' work one by one, gold and repeats, and what can be done where labelers disagree."""

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.agreement.figures import Figure
from labeling.asking_again import ask_again_in
from labeling.errors import Refusal
from labeling.models import Campaign
from labeling.progress import time_in_words
from labeling.reports.agreement import agreement_report
from labeling.reports.quality import QualityLine, QualityReport, quality_report
from labeling.reports.scope import ScopeFilters
from labeling.views.agreement import people_in_words, reach
from labeling.views.report_ways import ways_for
from labeling.views.worded import Cell, as_json, cell, percent, plural

MOST_LABELERS = 60
NO_ANSWERS = "No order of all responses and no overall rating yet."


def _report(filters: ScopeFilters) -> QualityReport:
    return quality_report(filters.scope, agreement_report(filters.scope))


@never_cache
@require_safe
@project_page(RESEARCHES)
def quality(request: ProjectRequest) -> HttpResponse:
    """Narrowed like the page of agreement."""
    filters = ScopeFilters(request.GET, project=request.project)
    report = _report(filters)
    campaign = Campaign.objects.filter(pk=filters.scope.campaign).first() if filters.scope.campaign else None
    context = {
        "ways": ways_for(request.project.slug), "filters": filters, "query": request.GET.urlencode(),
        "narrowed": any(filters.said.get(name) for name in filters.fields),
        "claim": claim_of(report), "lines": [_line(line) for line in report.lines[:MOST_LABELERS]],
        "more": max(0, len(report.lines) - MOST_LABELERS),
        "with_self": cell(report.with_themselves, share=True), "gold": cell(report.gold.whole, share=True),
        "gold_tasks": [(one, cell(one.share, share=True)) for one in report.gold.tasks],
        "campaign": campaign,
        "campaigns": Campaign.objects.filter(project=request.project, kind="ranking").exclude(state="draft")[:20],
    }  # fmt: skip
    return render(request, "reports/quality.html", context, status=400 if filters.errors else 200)


@never_cache
@require_safe
@project_page(RESEARCHES)
def quality_json(request: ProjectRequest) -> JsonResponse:
    filters = ScopeFilters(request.GET, project=request.project)
    if not filters.is_valid():
        place, errors = next(iter(filters.errors.items()))
        problem = {"code": "invalid_filter", "message": str(errors[0]), "place": place}
        return JsonResponse(problem | {"problems": [problem]}, status=400)
    report = _report(filters)
    return JsonResponse(
        {
            "project": request.project.slug,
            "with_themselves": as_json(report.with_themselves),
            "gold": as_json(report.gold.whole),
            "gold_tasks": [
                {"task": one.task.pk, "answered": one.answered, "right": as_json(one.share), "problem": one.problem}
                for one in report.gold.tasks
            ],
            "labelers": [_line_json(line) for line in report.lines],
        }
    )


def _line(line: QualityLine) -> dict[str, object]:
    ability, lining = line.ability, line.lining
    return {
        "line": line,
        "time": time_in_words(line.active_ms),
        "weight": f"{ability.weight:.2f}" if ability else "1.00",
        "agreement": _agreement(line),
        "figures": [_drift(line), _share(line.gold), _share(line.with_self)],
        "run": Cell(f"{lining.longest_run} of {lining.answers:,}") if lining else Cell("–", why=NO_ANSWERS),
        "ability": cell(ability.ability) if ability else Cell("–", why=NO_ANSWERS),
    }


def _agreement(line: QualityLine) -> Cell:
    """Of rankings; of ratings where somebody ranked nothing that others ranked."""
    if line.agreement.value is None and line.near.value is not None:
        return Cell(reach(line.near), "ratings within one")
    return Cell(reach(line.agreement), why=line.agreement.reason)


def _drift(line: QualityLine) -> Cell:
    early, late = line.drift.early, line.drift.late
    if early.value is None or late.value is None:
        which = (
            "both halves" if early.value is late.value else "the first half" if early.value is None else "the second"
        )
        return Cell("–", why=f"Of {which}: {early.reason or late.reason}")
    p_value = line.drift.p_value
    return Cell(
        f"{percent(early.value)} → {percent(late.value)}",
        why=f"p = {p_value:.3f}" if p_value is not None else line.drift.p_reason,
    )  # fmt: skip


def _share(figure: Figure) -> Cell:
    return Cell("–", why=figure.reason) if figure.value is None else Cell(percent(figure.value))


def _line_json(line: QualityLine) -> dict[str, object]:
    ability, lining = line.ability, line.lining
    return {
        "labeler": line.person.pseudonym, "submissions": line.submissions, "agreement": as_json(line.agreement),
        "ratings_within_one": as_json(line.near), "gold": as_json(line.gold), "with_self": as_json(line.with_self),
        "drift": {"early": as_json(line.drift.early), "late": as_json(line.drift.late), "p_value": line.drift.p_value,
                  "p_reason": line.drift.p_reason},
        "median_active_ms": line.active_ms,
        "longest_run": lining and lining.longest_run,
        "run_probability": lining and lining.run_probability.value,
        "ability": ability and as_json(ability.ability), "first_shown": ability and as_json(ability.first),
        "weight": ability.weight if ability else 1.0, "remarks": line.remarks,
    }  # fmt: skip


def claim_of(report: QualityReport) -> str:
    if not len(report.said.of):
        return report.agreement.withheld or "Nothing was judged here yet."
    remarked = sum(bool(line.remarks) for line in report.lines)
    of = people_in_words(report.agreement, report.labelers)
    who = f"{remarked} of {of} are worth a look" if remarked != 1 else f"One of {of} is worth a look"
    if not report.agreement.names_people:
        who = f"{of} of a cohort made of background answers, who are not looked at one by one"
    elif not remarked:
        who = f"Nothing about the work of {of} calls for a look" if report.labelers > 1 else "There is one labeler"
    own = report.with_themselves.value
    return f"{who}; asked again, people say the same in {percent(own)} of cases." if own is not None else f"{who}."


@require_POST
@project_page(RESEARCHES)
def ask_again(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """One labeler more for every complete task of the campaign on which those before disagree."""
    campaign = get_object_or_404(Campaign.objects.filter(project=request.project), pk=campaign_id)
    try:
        asked = ask_again_in(campaign)
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"{plural(asked, 'task is', 'tasks are')} given to one more labeler.")
    return redirect("campaign", request.project.slug, campaign.pk)
