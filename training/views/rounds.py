"""The console's pages about rounds: the list of them, one of them, and what can be done there."""

from collections.abc import Mapping

from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.models import Project
from training import rounds
from training.base_models import folders_on_offer
from training.errors import LaunchRefused, RoundRefused
from training.knobs import overrides_of
from training.models import Checkpoint, Round, Stage
from training.preflight import LAUNCHABLE
from training.recipes import RECIPES
from training.views.curves import drawn_curves
from training.views.launch_forms import launch_form
from training.views.sheet import sheet_of, stage_looked_at
from training.views.stage_cards import card_of


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def round_list(request: ProjectRequest) -> HttpResponse:
    """The rounds of a project, and a form that opens another."""
    problem = ""
    if request.method == "POST":
        try:
            opened = _open(request)
        except RoundRefused as refused:
            problem = str(refused)
        else:
            return redirect("round", request.project.slug, opened.number)
    stages = Prefetch("stages", Stage.objects.select_related("job", "campaign"))
    found = request.project.rounds.select_related("created_by").prefetch_related(stages)
    context = {
        "page": "rounds",
        "rounds": [(one, [card_of(stage) for stage in one.stages.all()]) for one in found],
        "recipes": RECIPES.values(),
        "bases": _bases(request.project),
        "simulated": rounds.SIMULATED,
        "typed": request.POST,
        "problem": problem,
    }
    return render(request, "rounds/list.html", context, status=400 if problem else 200)


def _open(request: ProjectRequest) -> Round:
    return rounds.open_round(
        request.project,
        recipe=request.POST.get("recipe", "tiny"),
        base=request.POST.get("base", "").strip() or None,
        simulated=request.POST.get("simulated", "exclude"),
        by=request.user,
    )


def _bases(project: Project) -> list[str]:
    """Names that can be typed as a base model: checkpoints of the project, and folders on offer."""
    own = Checkpoint.objects.filter(project=project).exclude(kind=Checkpoint.Kind.REWARD)
    return [*own.values_list("name", flat=True)[:50], *folders_on_offer()]


@never_cache
@require_safe
@project_page(RESEARCHES)
def round_page(request: ProjectRequest, number: int) -> HttpResponse:
    """A round: its stages, and the one that is looked at (?stage=sft)."""
    round_ = _round_or_404(request, number)
    return _show(request, round_, asked=request.GET.get("stage"))


@never_cache
@require_POST
@project_page(RESEARCHES)
def launch(request: ProjectRequest, number: int, kind: str) -> HttpResponse:
    """Starts a stage from the form's values; refused, the page comes back with the sentence and what was typed."""
    round_ = _round_or_404(request, number)
    get_object_or_404(Stage, round=round_, kind=kind)
    typed = {name: value for name, value in request.POST.items() if isinstance(value, str)}
    try:
        if kind == Stage.Kind.RANK:
            rounds.open_ranking_campaign(round_, overlap=_overlap(typed))
        else:
            overrides = overrides_of(kind, typed) if kind in LAUNCHABLE else {}
            rounds.launch(round_, kind, overrides=overrides, by=request.user)
    except Refusal as refused:
        return _show(request, round_, asked=kind, typed=typed, problem=str(refused))
    return redirect(f"{_address(request, round_)}?stage={kind}#live")


def _overlap(typed: Mapping[str, str]) -> int:
    text = typed.get("overlap", "1").strip()
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise LaunchRefused(f"The overlap is {text!r}; expected a whole number from 1 to 100.")
    return int(text)


@never_cache
@require_POST
@project_page(RESEARCHES)
def close(request: ProjectRequest, number: int) -> HttpResponse:
    """Ends a round: nothing of it is launched any more."""
    round_ = _round_or_404(request, number)
    try:
        rounds.close_round(round_)
    except RoundRefused as refused:
        messages.error(request, str(refused))
    return redirect(_address(request, round_))


def _round_or_404(request: ProjectRequest, number: int) -> Round:
    found = Round.objects.select_related("project", "created_by")
    return get_object_or_404(found, project=request.project, number=number)


def _address(request: ProjectRequest, round_: Round) -> str:
    return str(redirect("round", request.project.slug, round_.number).url)


def _show(
    request: ProjectRequest,
    round_: Round,
    *,
    asked: str | None,
    typed: Mapping[str, str] | None = None,
    problem: str = "",
) -> HttpResponse:
    stages = list(round_.stages.select_related("job", "campaign", "round__project"))
    stage = stage_looked_at(stages, asked)
    form = launch_form(stage, typed=typed, problem=problem)
    sheet = sheet_of(stage, form)
    base = round_.recipe.get("base")
    context = {
        "page": "rounds",
        "round": round_,
        "recipe": RECIPES.get(round_.recipe.get("name", "")),
        "base": Checkpoint.objects.filter(project=round_.project, pk=base).first() if base else None,
        "cards": [card_of(one) for one in stages],
        "looked_at": card_of(stage),
        "sheet": sheet,
        "curves": drawn_curves(sheet.job) if sheet.job else [],
        "problem": problem,
    }
    return render(request, "rounds/round.html", context, status=400 if problem else 200)
