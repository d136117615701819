"""The page of agreement: do labelers say the same, who stands apart, and does place or length decide. Also as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.agreement.figures import Figure
from labeling.agreement.pairwise import PAPER_HELD_OUT, PAPER_HELD_OUT_ERROR, PAPER_TRAINING, PAPER_TRAINING_ERROR
from labeling.progress import time_in_words
from labeling.reports.agreement import AgreementReport, LabelerLine, Part, agreement_report
from labeling.reports.floor import in_steps
from labeling.reports.judgments import lengths_in
from labeling.reports.places import LengthReport, PlaceReport, lengths, places
from labeling.reports.scope import ScopeFilters
from labeling.views.columns_plot import Columns, drawn_columns
from labeling.views.report_ways import ways_for
from labeling.views.row_plot import RowAxis, RowMark
from labeling.views.worded import Cell, as_json, between, cell, percent, plural

PAPER = (PAPER_TRAINING, PAPER_HELD_OUT)
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
MOST_PAIRS = 30
MOST_LABELERS = 60
SURE = 0.05
SURELY = 1.96
"""Standard errors of the paper's figures, to either side."""
ROUGH = 0.1
"""An interval longer than this says nothing beside the paper's two figures, which are 4.7 points apart."""
FEW_SHARED = 200


@never_cache
@require_safe
@project_page(RESEARCHES)
def agreement(request: ProjectRequest) -> HttpResponse:
    """?campaign= &guideline= &cohort= &use_case= &raters= &since= &until= narrow it; a value that is not offered is
    answered with 400, a sentence, and the page of everything."""
    filters = ScopeFilters(request.GET, project=request.project)
    report = agreement_report(filters.scope)
    context = page_of(report) | {
        "filters": filters,
        "ways": ways_for(request.project.slug),
        "narrowed": any(filters.said.get(name) for name in filters.fields),
        "query": request.GET.urlencode(),
    }
    return render(request, "reports/agreement.html", context, status=400 if filters.errors else 200)


@never_cache
@require_safe
@project_page(RESEARCHES)
def agreement_json(request: ProjectRequest) -> JsonResponse:
    """The same figures, narrowed in the same way."""
    filters = ScopeFilters(request.GET, project=request.project)
    if not filters.is_valid():
        problems = [
            {"code": "invalid_filter", "message": str(error), "place": name}
            for name, errors in filters.errors.items()
            for error in errors
        ]
        answer = {"code": "invalid_filter", "message": problems[0]["message"], "problems": problems}
        return JsonResponse(answer, status=400)
    return JsonResponse(json_of(agreement_report(filters.scope)))


# --- the page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A row of a table with a share drawn in it. near, alpha, tau_b: figures that stand beside it."""

    name: str
    of: Any
    cell: Cell
    reach: str
    mark: RowMark
    near: Cell
    alpha: Cell
    tau_b: Cell


def page_of(report: AgreementReport) -> dict[str, object]:
    """What the template shows; figures that repeat are reckoned once."""
    labelers, parts = report.labelers[:MOST_LABELERS], report.parts
    axis = RowAxis.over([line.agreement for line in labelers], PAPER)
    parts_axis = RowAxis.over([part.figure for _, some in parts for part in some], PAPER)
    found_places, found_lengths = places(report), lengths(report, lengths_in(report.scope))
    return {
        "claim": claim_of(report), "basis": basis_of(report), "report": report,
        "axis": axis, "parts_axis": parts_axis,
        "labelers": [_labeler_line(line, axis) for line in labelers],
        "more_labelers": len(report.labelers) - len(labelers),
        "apart": [line.person.pseudonym for line in labelers if line.apart],
        "pairs": [
            (line, line.agreement and cell(line.agreement, share=True), line.near and cell(line.near, share=True))
            for line in report.pairs[:MOST_PAIRS]
        ],
        "more_pairs": max(0, len(report.pairs) - MOST_PAIRS),
        "parts": [(name, [_part_line(part, parts_axis) for part in some]) for name, some in parts],
        "headline": headline(report), "rated": len(report.rated),
        "scales": [(one, cell(one.figure)) for one in report.scales],
        "flags": [
            (one, cell(one.figure), cell(one.alpha), percent(one.share))
            for one in report.flags
            if one.alpha is not None and one.share is not None
        ],
        "place": place_view(found_places[0]) if found_places else None,
        "other_places": [place_view(one) for one in found_places[1:]],
        "length": length_view(found_lengths),
    }  # fmt: skip


def headline(report: AgreementReport) -> list[tuple[str, Cell, str]]:
    """Name, figure, and what it means."""
    of_ratings = [
        ("Ratings within one", cell(report.near, share=True), "overall, 1 to 7, of one response"),
        ("Alpha of ratings", cell(report.rating_alpha),
         "overall, ordinal; the interval takes labelers as drawn, not only prompts"),
    ]  # fmt: skip
    of_rankings = [
        ("Pairwise agreement", cell(report.pairwise, share=True), "a tie is an answer: it agrees with a tie alone"),
        ("the same, for other labelers too", cell(report.pairwise_of_anybody, share=True),
         "the interval takes labelers as drawn, not only prompts"),
        ("ties against an order count half", cell(report.ties_half, share=True), "another reading of the same"),
        ("ties left out", cell(report.ties_left_out, share=True), "only where both put one above the other"),
        ("Kendall’s tau-b", cell(report.tau_b), "1 the same order, 0 none in common; mean over two labelers of a task"),
        ("Krippendorff’s alpha", cell(report.alpha), "nominal, of comparisons: beyond what chance gives"),
    ]  # fmt: skip
    return [*(of_rankings if report.rankings else ()), *(of_ratings if len(report.rated) else ())]


def _labeler_line(line: LabelerLine, axis: RowAxis) -> dict[str, object]:
    return {
        "line": line,
        "cell": cell(line.agreement, share=True),
        "value": reach(line.agreement),
        "near": cell(line.near, share=True),
        "near_value": reach(line.near),
        "mark": axis.mark(line.agreement),
        "time": time_in_words(line.active_ms),
        "first": f"{line.first_shown:.2f} ×" if line.first_shown is not None else "–",
        "few": any(figure.value is not None for figure in (line.agreement, line.near))
        and max(line.agreement.count, line.near.count) < FEW_SHARED,
    }


def _part_line(part: Part, axis: RowAxis) -> Line:
    return Line(
        part.name, part, cell(part.figure, share=True), reach(part.figure), axis.mark(part.figure),
        near=cell(part.near, share=True), alpha=cell(part.alpha), tau_b=cell(part.tau_b),
    )  # fmt: skip


def reach(figure: Figure) -> str:
    """ "73.1 ± 1.1": half the interval's length; the interval itself may be a little longer on one side."""
    if figure.value is None:
        return "–"
    half = f" ± {(figure.interval.high - figure.interval.low) * 50:.1f}" if figure.interval else ""
    return f"{figure.value * 100:.1f}{half}"


@dataclass(frozen=True)
class Shown:
    """A column plot with its sentence and the figures behind it."""

    plots: Sequence[Columns]
    note: str
    rows: list[tuple[str, Cell]]
    words: str = ""


def place_view(found: PlaceReport) -> Shown:
    bias = found.bias
    names = [f"shown {ORDINALS[place]}" for place in range(bias.responses)]
    even = 1 / bias.responses
    plots = drawn_columns(
        list(zip(names, found.rates, strict=True)), reference=even, least=max(0.0, even - 0.1), most=even + 0.1
    )
    p_value = bias.p_value.value
    test = "" if p_value is None else f"The test ({bias.method}) gives p {p_words(p_value)}: "
    if p_value is not None and p_value < SURE:
        most = max(range(bias.responses), key=lambda place: bias.rates[place])
        test += f"place decides something; {names[most]} gains {(bias.rates[most] - even) * 100:.1f} points."
    elif p_value is not None:
        test += "no sign that place decides."
    note = (
        f"Of {plural(bias.judgments, 'ranking')} of {bias.responses} responses, how often the one at each place was "
        f"ranked first, alone or tied (ties shared out). Places are shuffled for each labeler: without bias each has "
        f"{even * 100:.3g} %. {test}"
    )
    return Shown(plots, note, [(name, cell(rate, share=True)) for name, rate in zip(names, found.rates, strict=True)])


def length_view(found: LengthReport) -> Shown | None:
    if found.whole.value is None:
        return None
    plots = drawn_columns(found.parts, reference=0.5, least=0.4, most=0.6)
    p_value = found.p_value.value
    if p_value is None:
        reading = found.p_value.reason
    elif p_value >= SURE:
        reading = f"As often as not (p {p_words(p_value)})."
    else:
        which = "longer" if found.whole.value > 0.5 else "shorter"
        reading = f"The {which} one is preferred (p {p_words(p_value)}); it may also be the better one."
    note = (
        f"How often the longer of two responses was put above the shorter, by how much longer it was, in "
        f"{plural(found.whole.count, 'pair')} that differ in rank. Altogether {percent(found.whole.value)}. {reading} "
        "Unlike place, length is not shuffled: compare at equal length before calling it a bias."
    )
    rows = [*found.parts, ("altogether", found.whole)]
    return Shown(plots, note, [(name, cell(figure, share=True)) for name, figure in rows])


def p_words(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}" if value < 0.1 else f"= {value:.2f}"


# --- sentences --------------------------------------------------------------------------------------------------------


def claim_of(report: AgreementReport) -> list[tuple[str, str]]:
    """(text, kind) pieces of one or two sentences; kind is "", "strong" or "quiet"."""
    figure = report.pairwise
    if not len(report.all.of):
        return [(report.withheld or "Nothing was judged here yet.", "")]
    if figure.value is None and not report.rankings and report.rating_alpha.value is not None:
        return _claim_of_ratings(report)
    if figure.value is None:
        reason = figure.reason if report.rankings or not len(report.rated) else report.rating_alpha.reason
        return [("There is no agreement to speak of yet: ", ""), (_lower(reason), "quiet")]
    half = "" if figure.interval is None else f"(± {(figure.interval.high - figure.interval.low) * 50:.1f})"
    pieces = [("Two labelers agree on ", ""), (percent(figure.value), "strong"), (" of comparisons ", "")]
    if half:
        pieces.append((half, "quiet"))
        pieces.append((f", {_beside_paper(report.pairwise_of_anybody)}.", ""))
    else:
        pieces.append((f"; how far this is off cannot be told. {figure.interval_reason}", "quiet"))
    return [*pieces, *_apart(report)]


def _claim_of_ratings(report: AgreementReport) -> list[tuple[str, str]]:
    alpha, reached = cell(report.rating_alpha), between(report.rating_alpha)
    pieces = [
        ("Two labelers’ overall ratings lie within one in ", ""), (cell(report.near, share=True).value, "strong"),
        (" of cases; alpha is ", ""), (alpha.value, "strong"),
        (f" ({reached})." if reached else f". {alpha.why}", "quiet"),
    ]  # fmt: skip
    return [*pieces, *_apart(report)]


def _apart(report: AgreementReport) -> list[tuple[str, str]]:
    apart = sum(line.apart for line in report.labelers)
    return [(f" {'One labeler stands' if apart == 1 else f'{apart} labelers stand'} apart.", "")] if apart else []


def _beside_paper(figure: Figure) -> str:
    """figure: over prompts and labelers, since the paper's labelers are others than these."""
    if figure.value is None or figure.interval is None:
        return "of too few labelers yet to be set beside InstructGPT"
    if figure.interval.high - figure.interval.low > ROUGH:
        return "too rough yet to be set beside InstructGPT"
    above, below = figure.interval.high - figure.value, figure.value - figure.interval.low
    if figure.value + hypot(above, SURELY * PAPER_TRAINING_ERROR) < PAPER_TRAINING:
        return "less often than those of InstructGPT"
    if figure.value - hypot(below, SURELY * PAPER_HELD_OUT_ERROR) > PAPER_HELD_OUT:
        return "more often than those of InstructGPT"
    return "about as often as those of InstructGPT"


def people_in_words(report: AgreementReport, number: int) -> str:
    """Where all of them are of cohorts by a rule they are counted in steps of five."""
    return f"at least {plural(in_steps(number), 'labeler')}" if report.by_rule else plural(number, "labeler")


def basis_of(report: AgreementReport) -> str:
    sentences = []
    if report.rankings:
        sentences.append(
            f"{plural(report.rankings, 'ranking')} by {people_in_words(report, report.rankers)}, "
            f"{plural(report.shared_prompts, 'prompt')} ranked by two or more of them"
            + (f", {plural(report.pairwise.count, 'shared comparison')}." if report.pairwise.value is not None else ".")
        )
    if len(report.rated):
        sentences.append(
            f"{plural(len(report.rated), 'overall rating')} by {people_in_words(report, report.raters)}"
            + (f", {plural(report.near.count, 'pair')} of one response." if report.near.value is not None else ".")
        )
    if report.left_out:
        sentences.append(
            f"{plural(report.left_out, 'judgment')} beyond the planned overlap left out: those asked for where two"
            " disagreed would bias it."
        )
    if not report.rankings:
        return " ".join(sentences)
    sentences.append(
        "A tie is an answer. Intervals over prompts, drawn again 1,000 times. Reference lines: 72.6 ± 1.5 % training "
        "labelers, 77.3 ± 1.3 % held-out labelers (Ouyang et al. 2022, who do not say how ties enter); beside them the "
        "interval for other labelers too decides, and theirs."
    )
    return " ".join(sentences)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


# --- JSON -------------------------------------------------------------------------------------------------------------


def json_of(report: AgreementReport) -> dict[str, object]:
    scope = report.scope
    bias, length = places(report), lengths(report, lengths_in(scope))
    return {
        "project": scope.project.slug,
        "scope": {
            "raters": scope.raters, "campaign": scope.campaign, "guideline": scope.guideline, "cohort": scope.cohort,
            "use_case": scope.use_case, "since": scope.since, "until": scope.until,
        },
        "rankings": report.rankings,
        "shared_prompts": report.shared_prompts,
        "beyond_overlap": report.left_out,
        "wanting": report.wanting,
        "paper": {"training": PAPER_TRAINING, "held_out": PAPER_HELD_OUT,
                  "training_error": PAPER_TRAINING_ERROR, "held_out_error": PAPER_HELD_OUT_ERROR},
        "pairwise": as_json(report.pairwise),
        "pairwise_over_labelers": as_json(report.pairwise_of_anybody),
        "ties_half": as_json(report.ties_half),
        "ties_left_out": as_json(report.ties_left_out),
        "tau_b": as_json(report.tau_b),
        "alpha_nominal": as_json(report.alpha),
        "ratings": len(report.rated),
        "ratings_within_one": as_json(report.near),
        "ratings_alpha_ordinal": as_json(report.rating_alpha),
        "scales": {one.name: {"alpha_ordinal": as_json(one.figure)} for one in report.scales},
        "flags": {
            one.name: {"ac1": as_json(one.figure), "alpha": one.alpha and as_json(one.alpha), "yes": one.share}
            for one in report.flags
        },
        "labelers": [
            {
                "labeler": line.person.pseudonym, "rankings": line.rankings, "agreement": as_json(line.agreement),
                "ratings": line.ratings, "ratings_within_one": as_json(line.near),
                "median_active_ms": line.active_ms, "first_shown_ratio": line.first_shown, "apart": line.apart,
            }
            for line in report.labelers
        ],
        "pairs": [
            {
                "labelers": [line.one, line.other], "agreement": line.agreement and as_json(line.agreement),
                "ratings_within_one": line.near and as_json(line.near),
            }
            for line in report.pairs
        ],
        "parts": {
            name.lower().replace(" ", "_"): [
                {"name": part.name, "labelers": part.people, "rankings": part.rankings,
                 "agreement": as_json(part.figure), "tau_b": as_json(part.tau_b), "ratings": part.ratings,
                 "ratings_within_one": as_json(part.near), "ratings_alpha_ordinal": as_json(part.alpha),
                 "flags_ac1": {flag: as_json(figure) for flag, figure in part.flags.items()}}
                for part in some
            ]
            for name, some in report.parts
        },
        "position": [
            {"responses": one.bias.responses, "rankings": one.bias.judgments, "p_value": one.bias.p_value.value,
             "method": one.bias.method, "first_places": [as_json(rate) for rate in one.rates]}
            for one in bias
        ],
        "length": {
            "longer_preferred": as_json(length.whole), "p_value": length.p_value.value,
            "by_ratio": [{"part": name, "longer_preferred": as_json(figure)} for name, figure in length.parts],
        },
    }  # fmt: skip
