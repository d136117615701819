"""The page of a round's evaluation: what was found, what it rests on, the figures, and the texts to read.

A round may be evaluated again; earlier evaluations keep pages of their own.
"""

from collections.abc import Iterable

from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.models import Campaign
from labeling.views.agreement import p_words
from labeling.views.worded import cell
from training.evaluation import RATERS, Evaluation, evaluation_of
from training.models import Job, Round, Stage
from training.rating import ratings_of
from training.snapshots import shown_query
from training.two_by_two import claimed_of, squares, wanting_of_squares
from training.verdicts import interactions, more_words, paired_tests, said_of, verdict_of, wanting_of
from training.views.doubts import doubts_of
from training.views.evaluated_texts import compared_texts, prompts_to_read
from training.views.evaluation_json import json_of
from training.views.evaluation_tables import (
    cohort_table,
    flag_lines,
    means,
    scale_table,
    square_table,
    use_case_table,
    virtue_table,
    wins,
)
from training.views.findings import basis_of, claim_of, name_of
from training.views.stage_cards import progress_of

PROMPTS_A_PAGE = 10
TEXTS = ("all", "lower", "higher")
WIDEST = 6
"""Between a mean of 1 and one of 7."""


@never_cache
@require_safe
@project_page(RESEARCHES)
def evaluation(request: ProjectRequest, number: int) -> HttpResponse:
    """The newest of the round.

    ?as=json gives the figures alone.
    ?baseline= and ?subject= an author's key, ?raters= people, simulated or both, ?texts= all, lower or higher. What is
    none of these is answered with 400, a sentence, and the page as it is without it.
    """
    stage = _stage_or_404(request, number)
    return _show(request, stage, stage.campaign)


@never_cache
@require_safe
@project_page(RESEARCHES)
def earlier_evaluation(request: ProjectRequest, number: int, campaign_id: int) -> HttpResponse:
    """One of the round, by its campaign; looked at like the newest."""
    stage = _stage_or_404(request, number)
    found = Campaign.objects.select_related("guideline", "project").filter(pk__in=ratings_of(stage))
    return _show(request, stage, get_object_or_404(found, pk=campaign_id))


def _stage_or_404(request: ProjectRequest, number: int) -> Stage:
    round_ = get_object_or_404(Round.objects.select_related("project"), project=request.project, number=number)
    found = Stage.objects.select_related("campaign__guideline", "campaign__project", "job", "round__project")
    return get_object_or_404(found, round=round_, kind="evaluate")


def _show(request: ProjectRequest, stage: Stage, campaign: Campaign | None) -> HttpResponse:
    asked = {name: request.GET.get(name, "") for name in ("baseline", "subject", "raters", "texts", "difference")}
    context: dict[str, object] = {"round": stage.round, "stage": stage, "job": stage.job}
    found = evaluation_of(stage.round, campaign, **_of(asked)) if campaign else None
    if request.GET.get("as") == "json":
        return _as_json(stage, campaign, found, asked)
    if found is None or campaign is None:
        return render(request, "rounds/evaluation.html", context | {"claim": _nothing(stage)})
    problem = _problem(asked, found)
    context |= _figures(found, stage, campaign, difference=_difference(asked["difference"]))
    context |= {"problem": problem, "difference": asked["difference"]}
    context |= _texts(request, found, asked["texts"] if asked["texts"] in TEXTS else "all")
    return render(request, "rounds/evaluation.html", context, status=400 if problem else 200)


def _of(asked: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if name not in ("texts", "difference")}


def _difference(typed: str) -> float | None:
    """The smallest difference that matters, in points of 1 to 7; None where none was typed, or no such number."""
    try:
        value = float(typed) if typed.isascii() and len(typed) <= 10 else 0.0
    except ValueError:
        return None
    return value if 0 < value <= WIDEST else None


def _problem(asked: dict[str, str], found: Evaluation) -> str:
    for name, choices in (("raters", RATERS), ("texts", TEXTS)):
        if asked[name] and asked[name] not in choices:
            return f"{name} is {asked[name][:40]!r}; expected one of {', '.join(choices)}."
    for name in ("baseline", "subject"):
        if asked[name] and found.author(asked[name]) is None:
            return f"Nobody of this evaluation is called {asked[name][:40]!r}; choose from the list."
    if asked["difference"] and _difference(asked["difference"]) is None:
        return (
            f"difference is {asked['difference'][:40]!r}; expected a number above 0 and at most {WIDEST}, such as 0.3."
        )
    return ""


def _nothing(stage: Stage) -> str:
    """Why there is no evaluation yet."""
    job, label = stage.job, f"Round {stage.round.number}"
    if job is None or stage.campaign:
        return f"{label} is not evaluated yet."
    if job.state == Job.State.FAILED:
        return f"{label} is not evaluated: its last try failed."
    if job.state == Job.State.CANCELLED:
        return f"{label} is not evaluated: its last try was cancelled."
    if job.state in (Job.State.QUEUED, Job.State.PAUSED):
        return f"{label} is not evaluated yet: its models wait to answer the held-out prompts."
    return f"{label} is not evaluated yet: its models are answering the held-out prompts."


def is_over(stage: Stage, campaign: Campaign) -> bool:
    """No rating will come any more: a round is evaluated anew only once its raters are done."""
    closed = campaign.state == Campaign.State.CLOSED
    return bool(stage.round.recorded) or closed or stage.state == Stage.State.DONE or stage.campaign_id != campaign.pk


def _figures(found: Evaluation, stage: Stage, campaign: Campaign, *, difference: float | None) -> dict[str, object]:
    progress = progress_of([campaign])[campaign.pk]
    jobs = ratings_of(stage)
    job = jobs.get(campaign.pk)
    rating = (job.report or {}).get("rating", {}) if job else {}
    newest = stage.campaign_id == campaign.pk
    over = is_over(stage, campaign)
    return {
        "campaign": campaign, "job": job, "newest": newest, "others": _others(jobs, campaign),
        "found": found, "over": over, "done": progress.done, "wanted": progress.wanted,
        "claim": claim_of(found, over=over), "basis": basis_of(found, done=progress.done, wanted=progress.wanted),
        "subject_name": name_of(found.subject), "baseline_name": name_of(found.baseline),
        "means": means(found), "wins": wins(found), "scales": scale_table(found), "flags": flag_lines(found),
        "cohorts": cohort_table(found), "wanting": wanting_of(found),
        "squares": [(one, *square_table(one), claimed_of(one, over=over)) for one in squares(found)],
        "no_squares": wanting_of_squares(found), "use_cases": use_case_table(found),
        **_verdict(found, over=over, difference=difference), "virtues": virtue_table(found),
        "doubts": doubts_of(
            found, left_out=rating.get("prompts_left_out", 0),
            missing=max(0, progress.wanted - progress.done) if campaign.state == Campaign.State.CLOSED else 0,
        ),
        "newer": stage.job if newest and stage.job != job else None,
        "snapshot": _snapshot(job),
    }  # fmt: skip


def _verdict(found: Evaluation, *, over: bool, difference: float | None) -> dict[str, object]:
    """What can be claimed, the tests behind it, and whether it depends on who rates."""
    tests = paired_tests(found, difference=difference)
    spoken = {"subject": name_of(found.subject), "baseline": name_of(found.baseline)}
    return {
        "verdict": verdict_of(found, tests, **spoken, over=over),
        "tests": [
            (one, cell(one.difference, sign=True), p_words(one.p_value.value) if one.p_value.value is not None else "",
             p_words(one.adjusted) if one.adjusted is not None else "", more_words(one))
            for one in tests
        ],
        "interactions": [
            (one, cell(one.figure, sign=True), cell(one.shared, sign=True),
             [(author, cell(figure)) for author, figure in one.quality], said_of(one, **spoken, over=over))
            for one in interactions(found)
        ],
    }  # fmt: skip


def _as_json(stage: Stage, campaign: Campaign | None, found: Evaluation | None, asked: dict[str, str]) -> JsonResponse:
    if found is None or campaign is None:
        return JsonResponse({"claim": _nothing(stage), "generators": []})
    if problem := _problem(asked, found):
        one = {"code": "invalid_choice", "message": problem, "place": ""}
        return JsonResponse(one | {"problems": [one]}, status=400)
    over = is_over(stage, campaign)
    spoken = {"subject": name_of(found.subject), "baseline": name_of(found.baseline)}
    tests = paired_tests(found, difference=_difference(asked["difference"]))
    return JsonResponse(
        json_of(
            found, tests, claim=claim_of(found, over=over), verdict=verdict_of(found, tests, **spoken, over=over),
            depends=[said_of(one, **spoken, over=over) for one in interactions(found)], over=over,
        )
    )  # fmt: skip


def _others(jobs: Iterable[int], campaign: Campaign) -> list[Campaign]:
    """The round's other evaluations, the newest first."""
    return list(Campaign.objects.filter(pk__in=jobs).exclude(pk=campaign.pk).order_by("-pk"))


def _snapshot(job: Job | None) -> dict[str, object] | None:
    one = job.inputs.select_related("snapshot").filter(snapshot__isnull=False).first() if job else None
    if one is None or one.snapshot is None:
        return None
    return {"rows": one.snapshot.rows, "sha256": one.snapshot.sha256, "query": shown_query(one.snapshot)}


def _texts(request: ProjectRequest, found: Evaluation, texts: str) -> dict[str, object]:
    page = Paginator(prompts_to_read(found, texts), PROMPTS_A_PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    others = query.copy()
    others.pop("texts", None)
    ours, theirs = found.subject.label, found.baseline.label
    which = [("all", "all"), ("lower", f"{ours} rated lower than {theirs}"), ("higher", "rated higher")]
    return {
        "sheet": page, "compared": compared_texts(found, list(page)), "texts": texts, "which": which,
        "query": query.urlencode(), "kept": f"{others.urlencode()}&" if others else "",
    }  # fmt: skip
