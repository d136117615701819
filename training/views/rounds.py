"""The console's pages about rounds: the list of them, one of them, and what can be done there."""

from collections.abc import Mapping, Sequence

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.browsing.filters import query_with
from labeling.errors import Refusal
from labeling.models import Project
from training import rounds
from training.audience import audience_in
from training.base_models import folders_on_offer
from training.errors import RoundRefused
from training.founding import base_round
from training.knobs import overrides_of
from training.models import Checkpoint, Round, Stage
from training.next_round import newest_policy
from training.preflight import LAUNCHABLE
from training.readiness import Item
from training.recipes import RECIPES, recipes_for
from training.views.alarms import alarms_of
from training.views.beginnings import beginning_of
from training.views.curves import drawn_curves
from training.views.evaluation_forms import choices_of, overlap_in
from training.views.launch_forms import checked_launch, launch_form, watch_in
from training.views.recipe_changes import changes_in
from training.views.round_claims import claim_of, finding_of
from training.views.sheet import sheet_of, stage_looked_at
from training.views.stage_cards import StageCard, cards_of, made_from_older
from training.waiting import WAITS, read_number

ROUNDS_A_PAGE = 12
ALARMS_SHOWN = 100
ROUNDS_OFFERED = 200


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def round_list(request: ProjectRequest) -> HttpResponse:
    """The rounds of a project, the newest first, and a form that opens another."""
    problem = ""
    if request.method == "POST":
        try:
            opened = _open(request)
        except RoundRefused as refused:
            problem = str(refused)
        else:
            return redirect("round", request.project.slug, opened.number)
    stages = Prefetch("stages", Stage.objects.select_related("job", "campaign").defer("job__config"))
    found = request.project.rounds.select_related("created_by").prefetch_related(stages)
    sheet = Paginator(found, ROUNDS_A_PAGE).get_page(request.GET.get("sheet", "1"))
    shown = _with_cards(list(sheet.object_list))
    context = {
        "rounds": shown,
        "sheet": sheet,
        "newer": query_with(request.GET, sheet=str(sheet.number - 1)) if sheet.has_previous() else "",
        "older": query_with(request.GET, sheet=str(sheet.number + 1)) if sheet.has_next() else "",
        # Of the newest round, which stands on the first page only.
        "claim": claim_of(*shown[0]) if shown and sheet.number == 1 else "",
        "rehearses": request.project.simulated and base_round(request.project) is not None,
        "recipes": recipes_for(request.project),
        "bases": _bases(request.project),
        "simulated": rounds.SIMULATED,
        "readings": rounds.READINGS,
        "cohorts": list(request.project.cohorts.order_by("name")),
        "named": request.POST.getlist("cohort"),
        "typed": request.POST or {"simulated": "include" if request.project.simulated else "exclude"},
        "waits": [
            (kind, Stage.Kind(kind).label, wait, request.POST.get(f"enough-{kind}", "")) for kind, wait in WAITS.items()
        ],
        "problem": problem,
        "recorded": rounds.holds_recorded_rounds(request.project),
    }
    return render(request, "rounds/list.html", context, status=400 if problem else 200)


def _with_cards(rounds: Sequence[Round]) -> list[tuple[Round, list[StageCard]]]:
    """Each with the cards of its stages, which were fetched with it (two queries, however many rounds)."""
    cards = iter(cards_of([stage for one in rounds for stage in one.stages.all()]))
    return [(one, [next(cards) for _ in one.stages.all()]) for one in rounds]


def _open(request: ProjectRequest) -> Round:
    typed = request.POST
    return rounds.open_round(
        request.project,
        recipe=typed.get("recipe", "tiny"),
        base=typed.get("base", "").strip() or None,
        simulated=typed.get("simulated") or None,
        changes=changes_in(typed.get("changes", "")),
        enough={kind: read_number(typed.get(f"enough-{kind}", "")) for kind in WAITS},
        more={
            "overlap": people_in(typed.get("overlap", "1")),
            "evaluation": {"overlap": people_in(typed.get("raters", "2"))},
            **{name: typed[name] for name in rounds.READINGS if name in typed},
        },
        runs_itself=typed.get("runs_itself") == "yes",
        audience=audience_in(request.project, typed.get("audience", "everybody"), typed.getlist("cohort")),
        by=request.user,
    )


def people_in(typed: str) -> int:
    """Labelers a task, as typed. Raises RoundRefused."""
    try:
        return overlap_in(typed)
    except Refusal as refused:
        raise RoundRefused(str(refused)) from None


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
            rounds.open_ranking_campaign(round_, overlap=overlap_in(typed.get("overlap", "1")))
        else:
            overrides = overrides_of(kind, typed) if kind in LAUNCHABLE else {}
            choices = choices_of(typed) if kind == Stage.Kind.EVALUATE else None
            rounds.launch(
                round_, kind, overrides=overrides, choices=choices, watch=watch_in(typed), told=typed.get("told", ""),
                by=request.user,
            )  # fmt: skip
    except Refusal as refused:
        return _show(request, round_, asked=kind, typed=typed, problem=str(refused))
    return redirect(f"{_address(request, round_)}?stage={kind}#live")


@never_cache
@require_POST
@project_page(RESEARCHES)
def check(request: ProjectRequest, number: int, kind: str) -> HttpResponse:
    """What a launch with the form's values would find; nothing is started and nothing is written."""
    round_ = _round_or_404(request, number)
    stage = get_object_or_404(
        Stage.objects.select_related("round__project", "campaign", "job"), round=round_, kind=kind
    )
    typed = {name: value for name, value in request.POST.items() if isinstance(value, str)}
    try:
        checked = checked_launch(stage, typed)
    except Refusal as refused:
        return _show(request, round_, asked=kind, typed=typed, problem=str(refused))
    return _show(request, round_, asked=kind, typed=typed, checked=checked)


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
    checked: Sequence[Item] = (),
) -> HttpResponse:
    stages = list(round_.stages.select_related("job", "campaign", "round__project"))
    stage = stage_looked_at(stages, asked)
    form = None if round_.recorded else launch_form(stage, typed=typed, problem=problem)
    sheet = sheet_of(stage, form, request.GET)
    cards = cards_of(stages, older=made_from_older(stages))
    alarms = list(alarms_of(round_)[:ALARMS_SHOWN])
    others = list(round_.project.rounds.exclude(pk=round_.pk).values_list("number", flat=True)[:ROUNDS_OFFERED])
    context = {
        "round": round_,
        "recipe": RECIPES.get(round_.recipe.get("name", "")),
        "beginning": beginning_of(round_),
        "cards": cards,
        "claim": claim_of(round_, cards),
        "finding": finding_of(round_, stages),
        "looked_at": cards[stages.index(stage)],
        "sheet": sheet,
        "curves": drawn_curves(sheet.job) if sheet.job else [],
        "problem": problem,
        "checked": checked,
        "overlap": (typed or {}).get("overlap", "1"),
        "alarms": [alarm for alarm in alarms if alarm.seen_at is None],
        "seen_alarms": [alarm for alarm in alarms if alarm.seen_at is not None],
        "policy": newest_policy(round_),
        "others": others,
    }
    return render(request, "rounds/round.html", context, status=400 if problem else 200)
