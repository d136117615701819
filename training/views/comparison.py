"""The page that sets two rounds beside each other."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.agreement.figures import Figure as Measured
from training.comparing import StagePair, compare
from training.evaluation import evaluation_of
from training.models import Job, Round, Stage
from training.views.curves import (
    CURVES,
    HEIGHT,
    LEFT,
    MOST_MEAN_OF,
    WIDTH,
    Curve,
    edge,
    means_of,
    metric_rows,
    points_of,
    scale_of,
    shown_value,
)
from training.views.figures import FIGURES, Figure, beside_of, figures_of


@dataclass(frozen=True)
class CurvePair:
    """Means of both on one scale. paths are empty where a round has no such steps; steps: the right edge."""

    curve: Curve
    first: str
    second: str
    now_first: str
    now_second: str
    low: str
    high: str
    total: int


@dataclass(frozen=True)
class FigurePair:
    name: str
    first: str
    second: str
    note: str


@dataclass(frozen=True)
class Rated:
    """Who wrote, and the mean rating in either round's evaluation."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class PairShown:
    pair: StagePair
    curves: list[CurvePair]
    figures: list[FigurePair]


@never_cache
@require_safe
@project_page(RESEARCHES)
def compare_rounds(request: ProjectRequest, number: int) -> HttpResponse:
    """?with=NUMBER: the other round; without it the one before, or another that there is."""
    rounds = Round.objects.filter(project=request.project).select_related("project")
    first = get_object_or_404(rounds, number=number)
    others = list(rounds.exclude(pk=first.pk).order_by("-number"))
    asked = request.GET.get("with", "")
    if asked:
        second = next((one for one in others if str(one.number) == asked), None)
        if second is None:
            raise Http404(f"There is no round {asked[:20]}.")
    else:
        second = next((one for one in others if one.number < number), others[-1] if others else None)
    context: dict[str, Any] = {"round": first, "other": second, "others": others}
    if second is not None:
        shown = [PairShown(pair, curves_of(pair), figures_beside(pair)) for pair in compare(first, second)]
        context |= {
            "pairs": shown,
            "differing": sum(len(one.pair.differing) for one in shown),
            "rated": rated_beside(first, second),
            "changed_data": sum(not data.same for one in shown for data in one.pair.data),
        }
    return render(request, "rounds/compare.html", context)


def curves_of(pair: StagePair) -> list[CurvePair]:
    if pair.first is None and pair.second is None:
        return []
    found = []
    rows = [metric_rows(job) if job else [] for job in (pair.first, pair.second)]
    total = max(
        [1, *(job.steps or 0 for job in (pair.first, pair.second) if job), *(one[-1][0] for one in rows if one)]
    )
    for curve in CURVES.get(pair.kind, ()):
        points = [points_of(one, curve.key, held_out=False) for one in rows]
        if not any(points):
            continue
        means = [means_of(one, max(1, min(MOST_MEAN_OF, len(one) // MOST_MEAN_OF))) for one in points]
        low, high = scale_of([value for one in means for _, value in one])

        def path(line: list[tuple[int, float]], low: float = low, high: float = high) -> str:
            return "".join(
                f"{'L' if place else 'M'}{LEFT + step / total * WIDTH:.1f} "
                f"{HEIGHT - (value - low) / (high - low) * HEIGHT:.1f}"
                for place, (step, value) in enumerate(line)
            )

        now = [shown_value(one[-1][1], curve.digits) if one else "–" for one in means]
        found.append(CurvePair(curve, path(means[0]), path(means[1]), now[0], now[1], edge(low), edge(high), total))
    return found


def figures_beside(pair: StagePair) -> list[FigurePair]:
    of = [{one.name: one for one in figures_of(job)} if job else {} for job in (pair.first, pair.second)]
    found = []
    for wanted in FIGURES.get(pair.kind, ()):
        pieces = [one.get(wanted.name) for one in of]
        if any(pieces):
            values = ["–" if one is None else f"{one.value} ({one.interval})" if one.interval else one.value
                      for one in pieces]  # fmt: skip
            found.append(FigurePair(wanted.name, values[0], values[1], wanted.note))
    return found + points_beside(pair)


def points_beside(pair: StagePair) -> list[FigurePair]:
    """Score against KL of both rounds: the policies beside best-of-n and lower temperatures."""
    of = [{one.name: one for one in beside_of(job.report or {})} if job else {} for job in (pair.first, pair.second)]
    names = dict.fromkeys([*of[0], *of[1]])

    def told(one: Figure | None) -> str:
        return f"{one.value} ({one.interval}); {one.note.removeprefix('score; ')}" if one else "–"

    return [FigurePair(name, told(of[0].get(name)), told(of[1].get(name)), "score, and KL from SFT") for name in names]


def rated_beside(first: Round, second: Round) -> list[Rated]:
    """By author, from the evaluations of both; empty where neither has one."""
    means: list[dict[str, str]] = []
    for round_ in (first, second):
        stage = round_.stages.filter(kind=Stage.Kind.EVALUATE).select_related("campaign__project", "job").first()
        campaign = stage.campaign if stage and (stage.job is None or stage.job.state == Job.State.DONE) else None
        found = evaluation_of(round_, campaign) if campaign is not None else None
        means.append({author.label: in_words(found.mean(author)) for author in found.authors} if found else {})
    names = dict.fromkeys([*means[0], *means[1]])
    return [Rated(name, means[0].get(name, "–"), means[1].get(name, "–")) for name in names]


def in_words(figure: Measured) -> str:
    if figure.value is None:
        return "–"
    if figure.interval is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} ({figure.interval.low:.2f} to {figure.interval.high:.2f})"
