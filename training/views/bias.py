"""The bias report of a project: one page to read and to print, and the same as JSON."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.agreement.pairwise import PAPER_HELD_OUT, PAPER_TRAINING
from labeling.views.agreement import reach
from labeling.views.report_ways import ways_for
from labeling.views.row_plot import RowAxis
from labeling.views.worded import as_json, cell, percent, plural
from training.bias import BiasReport, Told, missing_of
from training.views.matrix import sentence_of

PARTS = {"origin": "Origin", "use_case": "Use case", "style": "Style", "language": "Language"}


@never_cache
@require_safe
@project_page(RESEARCHES)
def bias(request: ProjectRequest) -> HttpResponse:
    report = BiasReport(request.project, timezone.now())
    parts = report.agreement_parts
    axis = RowAxis.over([part.figure for _, some in parts for part in some], (PAPER_TRAINING, PAPER_HELD_OUT))
    context = {
        "ways": ways_for(request.project.slug), "report": report, "claim": claim_of(report),
        "missing": list(missing_of(report)), "asked": report.asked,
        "prompts": [(PARTS[name], some) for name, some in report.prompts.items()],
        "agreement": cell(report.agreement.pairwise, share=True), "parts_axis": axis,
        "parts": [
            (name, [{"name": part.name, "of": part, "cell": cell(part.figure, share=True), "reach": reach(part.figure),
                     "mark": axis.mark(part.figure)} for part in some])
            for name, some in parts
        ],
        "largest": percent(report.sources[1]),
        "busiest": report.concentration and (percent(report.concentration[0]), report.concentration[1]),
        "models": [(one, _words(one.accuracy), _words(one.over_longer)) for one in report.models],
        "apart": report.apart and [
            (name, [(part.name, cell(part.figure, share=True)) for part in some]) for name, some in report.apart.parts
        ],
        "matrix": report.matrix, "matrix_says": sentence_of(report.matrix) if report.matrix else "",
    }  # fmt: skip
    return render(request, "reports/bias.html", context)


@never_cache
@require_safe
@project_page(RESEARCHES)
def bias_json(request: ProjectRequest) -> JsonResponse:
    return JsonResponse(json_of(BiasReport(request.project, timezone.now())))


def claim_of(report: BiasReport) -> str:
    """One sentence: whose preferences, by what is known."""
    people = sum(one.number for one in report.labelers)
    if not people:
        return "Nobody has labeled here yet."
    who = plural(people, "labeler")
    if not report.prompts_worked_on:
        return f"{who[:1].upper()}{who[1:]} wrote prompts here, and nobody has said anything of one yet."
    found = f"What was said here was said by {who} of {plural(report.prompts_worked_on, 'prompt')}"
    if report.concentration and report.concentration[0] >= 0.3:
        share, busiest = report.concentration
        tenth = "one of them" if busiest == 1 else f"{busiest} of them"
        found += f"; {percent(share)} of it was said by {tenth}"
    return f"{found}."


def _words(found: tuple[float, float, float] | None) -> str:
    return f"{found[0]:.3f} ({found[1]:.3f} to {found[2]:.3f})" if found else "–"


def _told(some: list[Told]) -> list[dict[str, object]]:
    return [{"name": one.name, "number": one.number, "share": one.share} for one in some]


def json_of(report: BiasReport) -> dict[str, object]:
    with_consent, theirs = report.consents
    return {
        "project": report.project.slug, "made_at": report.made_at, "claim": claim_of(report),
        "missing": list(missing_of(report)),
        "who": {
            "labelers": _told(report.labelers), "prompts": report.prompts_worked_on,
            "busiest_tenth": report.concentration and report.concentration[0],
            "background": [
                {"question": one.label, "answered": one.answered, "why": one.why,
                 "shares": [{"answer": share.answer, "count": share.count, "share": share.share,
                             "population": share.reference} for share in one.shares]}
                for one in report.asked
            ],
            "population": report.reference_source,
        },
        "chosen": {
            "guidelines": [
                {"kind": one.guideline.kind, "version": one.guideline.version, "changes": one.guideline.changes,
                 "published_at": one.guideline.published_at, "submissions": one.submissions}
                for one in report.guidelines
            ],
            "kept_for_some": [
                {"campaign": one.name, "cohort": one.cohort and one.cohort.name, "requires": one.requires and
                 one.requires.name, "blind": one.blind}
                for one in report.campaigns
            ],
            "recipes": [{"round": one.round, "job": one.job, "choices": dict(one.choices)} for one in report.models],
        },
        "prompts": {name: _told(some) for name, some in report.prompts.items()} | {
            "sources": report.sources[0], "largest_sources": report.sources[1],
            "customers_with_consent": with_consent, "customers": theirs,
        },
        "effects": {
            "agreement": as_json(report.agreement.pairwise),
            "agreement_by": {
                name.lower().replace(" ", "_"): {part.name: as_json(part.figure) for part in some}
                for name, some in report.agreement_parts
            },
            "reward_models": [
                {"round": one.round, "accuracy": one.accuracy, "accuracy_over_longer": one.over_longer}
                for one in report.models
            ],
            "reward_model_apart": report.apart and {
                "of": report.apart.of, "why": report.apart.why,
                "accuracy_by": {
                    name.lower().replace(" ", "_"): {part.name: as_json(part.figure) for part in some}
                    for name, some in report.apart.parts
                },
            },
            "matrix": report.matrix and {
                "round": report.matrix.round.number, "claim": sentence_of(report.matrix),
                "at": reverse("matrix_json", args=[report.project.slug]) + f"?round={report.matrix.round.number}",
            },
            "models_read": [
                {"round": one.round, "job": one.job, "model": one.kind, "records": one.role, "rows": one.rows,
                 "asked": one.asked, "left_out": one.left_out}
                for one in report.read
            ],
        },
    }  # fmt: skip
