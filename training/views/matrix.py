"""The page of a project's groups: reward models by cohorts, and what it takes to make them. Also as JSON."""

from django.contrib import messages
from django.http import HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.agreement.figures import Figure
from labeling.agreement.matrix import MODELS, Matrix, claim_of
from labeling.models import Cohort
from labeling.views.report_ways import ways_for
from labeling.views.worded import Cell, as_json, cell
from training.cohort_matrix import Found, newest_matrix, newest_round_with_one
from training.cohort_models import Partition, chosen_cohorts, launch_cohort_models, partition_of
from training.errors import LaunchRefused
from training.models import Round

ABOUT = {
    "all": "everybody’s rankings",
    "all, at equal n": "as many of everybody’s as the cohort made",
    "own cohort only": "the cohort’s own",
    "conditioned": "everybody’s, told the cohort’s name",
    "conditioned, wrong name": "the same model, told another cohort’s name",
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def matrix(request: ProjectRequest) -> HttpResponse:
    """?round= the number of one; by default the newest that has a matrix, else the newest. ?cohorts= the number of one
    that is told apart, as often as there are; by default all. POST trains its models."""
    round_ = _round(request)
    try:
        cohorts = chosen_cohorts(request.project, _asked_cohorts(request))
    except LaunchRefused as refused:
        return render(request, "rounds/matrix.html", _context(request, round_, [], problem=str(refused)), status=400)
    if request.method == "POST" and round_ is not None:
        try:
            made = launch_cohort_models(round_, cohorts=cohorts, by=request.user)
        except LaunchRefused as refused:
            context = _context(request, round_, cohorts, problem=str(refused))
            return render(request, "rounds/matrix.html", context, status=409)
        messages.success(request, f"{len(made)} reward models wait for a worker.")
        again = QueryDict(mutable=True)
        again["round"] = str(round_.number)
        again.setlist("cohorts", _asked_cohorts(request))
        return redirect(f"{request.path}?{again.urlencode()}")
    return render(request, "rounds/matrix.html", _context(request, round_, cohorts))


@never_cache
@require_safe
@project_page(RESEARCHES)
def matrix_json(request: ProjectRequest) -> JsonResponse:
    round_ = _round(request)
    try:
        cohorts = chosen_cohorts(request.project, _asked_cohorts(request))
    except LaunchRefused as refused:
        return JsonResponse({"error": str(refused)}, status=400)
    found = newest_matrix(round_) if round_ else None
    several = partition_of(round_, cohorts).sentence if round_ else ""
    if found is None or found.matrix is None:
        nothing = {"models": list(MODELS), "cohorts": [], "in_several": several}
        return JsonResponse({"claim": sentence_of(found)} | nothing)
    return JsonResponse({"round": found.round.number, "in_several": several} | json_of(found.matrix))


def _round(request: ProjectRequest) -> Round | None:
    rounds = Round.objects.filter(project=request.project, recorded="").select_related("project").order_by("-number")
    asked = request.POST.get("round") or request.GET.get("round")
    if asked:
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0
        return get_object_or_404(rounds, number=number)
    return newest_round_with_one(request.project) or rounds.first()


def _asked_cohorts(request: ProjectRequest) -> list[str]:
    return (request.POST if request.method == "POST" else request.GET).getlist("cohorts")


def _context(
    request: ProjectRequest, round_: Round | None, cohorts: list[Cohort], *, problem: str = ""
) -> dict[str, object]:  # fmt: skip
    project = request.project
    found = newest_matrix(round_) if round_ else None
    shown = found.matrix if found else None
    partition = partition_of(round_, cohorts) if round_ else Partition([], 0)
    groups = partition.groups
    return {
        "ways": ways_for(project.slug), "round": round_, "found": found, "problem": problem,
        "claim": sentence_of(found),
        "cohorts": shown.cohorts if shown else (), "rows": _rows(shown) if shown else [],
        "differences": _differences(shown) if shown else [],
        "wanting": [(name, said) for name, said in shown.wanting.items() if said] if shown else [],
        "groups": groups, "ready": partition.ready, "in_several": partition.sentence,
        "offered": [(one, one in cohorts) for one in project.cohorts.order_by("name")],
        "told_apart": cohorts if _asked_cohorts(request) else [],
        "lacking": [(one.cohort.name, one.wanting) for one in groups if one.wanting],
        "rounds": list(Round.objects.filter(project=project, recorded="").order_by("-number")[:20]),
    }  # fmt: skip


def sentence_of(found: Found | None) -> str:
    """What can be claimed, or why there is nothing to claim it of."""
    return claim_of(found.matrix) if found and found.matrix else _not_yet(found)


def _not_yet(found: Found | None) -> str:
    if found is None:
        return (
            "Whether the cohorts want different things of a reward model is not known yet: the models are not trained."
        )
    if found.problem:
        return found.problem
    return f"{found.done} of {len(found.jobs)} reward models of the matrix are done."


def _rows(shown: Matrix) -> list[tuple[str, str, list[Cell]]]:
    rows = [
        (model, ABOUT[model], [cell(shown.cells[model, cohort], share=True) for cohort in shown.cohorts])
        for model in MODELS
    ]
    agreed = [cell(shown.agreement[cohort], share=True) for cohort in shown.cohorts]
    return [*rows, ("another of the cohort", "how often its other labelers order the pair alike", agreed)]


def _differences(shown: Matrix) -> list[tuple[str, str, str, Cell]]:
    return [(one.model, one.than_model, one.cohort or "all of them", _points(one.figure)) for one in shown.differences]


def _points(figure: Figure) -> Cell:
    """A difference of shares, in points."""
    if figure.value is None:
        return cell(figure)
    low, high = (figure.interval.low, figure.interval.high) if figure.interval else (0.0, 0.0)
    between = f"{_signed(low)} to {_signed(high)}" if figure.interval else ""
    return Cell(_signed(figure.value), between, figure.interval_reason, figure.count)


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def json_of(shown: Matrix) -> dict[str, object]:
    return {
        "claim": claim_of(shown), "models": list(MODELS), "cohorts": list(shown.cohorts),
        "accuracy": {
            model: {cohort: as_json(shown.cells[model, cohort]) for cohort in shown.cohorts} for model in MODELS
        },
        "agreement": {cohort: as_json(figure) for cohort, figure in shown.agreement.items()},
        "differences": [
            {"model": one.model, "less": one.than_model, "cohort": one.cohort or None, "points": as_json(one.figure),
             "p_value": one.p_value.value}
            for one in shown.differences
        ],
        "wanting": {cohort: list(said) for cohort, said in shown.wanting.items()},
    }  # fmt: skip
