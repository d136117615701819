"""The page that rehearses a round: settings, what they will take and give, and what earlier rounds gave."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.views.worded import percent
from training.durations import duration
from training.errors import RoundRefused
from training.foreseeing import Foreseen, foresee
from training.founding import base_round
from training.models import Round, Stage
from training.outcomes import outcomes
from training.rehearsal_form import RehearsalForm, is_rehearsed, with_amounts_of_the_recipe
from training.rehearsing import Settings, default_settings, rehearse
from training.views.rehearsal_rows import outcome_lines


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def rehearse_round(request: ProjectRequest) -> HttpResponse:
    """?prompts=…&responses=… looks at settings; posted, they are begun, or with "expect" looked at under an address
    that holds them and nothing else. There is no such page for people's projects."""
    if not request.project.simulated:
        raise Http404("There is nothing to rehearse here.")
    base = base_round(request.project)
    if base is None:
        return render(request, "rounds/nothing_to_rehearse.html", status=405 if request.method == "POST" else 200)
    typed = with_amounts_of_the_recipe(request.POST or request.GET)
    if request.method == "POST" and "expect" in request.POST:
        asked = {name: typed[name] for name in RehearsalForm.base_fields if name in typed}
        return redirect(f"{request.path}?{urlencode(asked)}")
    form = RehearsalForm(typed if "prompts" in typed else None, project=request.project, recipe=_recipe(typed))
    problem = ""
    if request.method == "POST" and form.is_valid():
        try:
            opened = rehearse(request.project, form.settings(), by=request.user)
        except RoundRefused as refused:
            problem = str(refused)
        else:
            return redirect("round", request.project.slug, opened.number)
    refused_form = form.is_bound and not form.is_valid()
    settings = form.settings() if form.is_bound and not refused_form else default_settings(_recipe(typed))
    context = {
        "form": form,
        "problem": problem,
        "refused": refused_form,
        "base": base,
        "base_stage": base.stages.select_related("job").get(kind=Stage.Kind.PRETRAIN),
        **_foreseen(request, settings, refused=bool(problem) or refused_form),
        "lines": outcome_lines(outcomes(request.project)),
        "at_work": _at_work(request),
    }
    status = 400 if problem or (refused_form and request.method == "POST") else 200
    return render(request, "rounds/rehearse.html", context, status=status)


def _recipe(typed: Mapping[str, str]) -> str:
    """The recipe that the form is filled from; an unknown one is said at its field."""
    name = typed.get("recipe", "rehearsal")
    return name if is_rehearsed(name) else "rehearsal"


def _foreseen(request: ProjectRequest, settings: Settings, *, refused: bool) -> dict[str, object]:
    """refused: the settings are none that a round could have, so nothing is foreseen of them."""
    if refused:
        return {"claim": "These settings cannot be rehearsed."}
    found = foresee(request.project, settings)
    takes = duration(60 * max(1, round(found.seconds / 60))) if found.seconds is not None else ""
    across = percent(found.across.mean) if found.across else ""
    return {"foreseen": found, "across": across, "claim": claim_of(found, takes)}


def claim_of(found: Foreseen, takes: str) -> str:
    """One sentence on what the settings take and give; what was never measured is said to be so."""
    time = f"takes about {takes}" if takes else "takes a few minutes on two cores (never measured here)"
    if found.within is None or found.accuracy is None:
        return f"A round with these settings {time}; what it gives has not been measured."
    return (
        f"A round with these settings {time}; two labelers of one cohort should order {percent(found.within.mean)} of "
        f"pairs alike, and the reward model {percent(found.accuracy.mean)} as a labeler does."
    )


def _at_work(request: ProjectRequest) -> Round | None:
    """A rehearsal that has not come to its end; jobs wait for each other on a machine with one worker."""
    running = Round.objects.filter(
        project=request.project, state=Round.State.OPEN, recorded="", stages__state=Stage.State.RUNNING
    )
    return running.exclude(stages__kind=Stage.Kind.PRETRAIN).order_by("-number").first()
