"""A project at a glance: what it holds, what waits for people, how far its rounds are."""

from collections.abc import Sequence

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.holdings import LATELY, Holdings, holdings_of
from labeling.models import Campaign, Role
from labeling.progress import progress_of
from labeling.projects import may_make_projects
from labeling.rendering import render as render_markdown
from training.founding import base_round
from training.models import Round
from training.views.round_claims import claim_of
from training.views.stage_cards import StageCard, cards_of

OPEN_SHOWN = 8


@never_cache
@require_safe
@project_page(RESEARCHES)
def overview(request: ProjectRequest) -> HttpResponse:
    project = request.project
    held = holdings_of(project)
    rounds = Round.objects.filter(project=project)
    last = rounds.prefetch_related("stages__job", "stages__campaign").first()
    opened = Campaign.objects.filter(project=project, state=Campaign.State.OPEN).select_related("cohort")
    campaigns = list(opened.order_by("name")[:OPEN_SHOWN])
    progress = progress_of(campaigns)
    cards = cards_of(list(last.stages.all())) if last else []
    waits = _waits(held)
    context = {
        "held": held,
        "holds": _holds(held),
        "waits": waits,
        "claim": _claim(last, cards) if last and project.simulated else waits,
        "rehearses": project.simulated and base_round(project) is not None,
        "about": render_markdown(project.about) if project.about else "",
        "rounds": rounds.count(),
        "last_round": last,
        "cards": cards,
        "campaigns": [(campaign, progress[campaign.pk]) for campaign in campaigns],
        "members": project.memberships.count(),
        "lately_days": LATELY.days,
        "owns": request.membership.role == Role.OWNER,
        "may_make": may_make_projects(request.user),
    }
    return render(request, "projects/overview.html", context)


def _claim(last: Round, cards: Sequence[StageCard]) -> str:
    """Of a rehearsal, where machines are what happens. last: its newest round."""
    return "Rounds that were recorded, to be looked at: nothing runs here." if last.recorded else claim_of(last, cards)


def _holds(held: Holdings) -> str:
    """ "1,204 prompts, 310 rankings and 12 ratings"."""
    counts = (
        (held.prompts, "prompt"),
        (held.demonstrations, "demonstration"),
        (held.rankings, "ranking"),
        (held.ratings, "rating"),
    )
    said = [_number(number, noun) for number, noun in counts if number]
    return " and ".join(filter(None, [", ".join(said[:-1]), said[-1]])) if said else ""


def _waits(held: Holdings) -> str:
    if not held.campaigns_open:
        return "No campaign is open: nothing waits for people."
    said = []
    if held.tasks_left:
        tasks = "1 task waits" if held.tasks_left == 1 else f"{held.tasks_left:,} tasks wait"
        said.append(f"{tasks} for people, in {_number(held.campaigns_open, 'open campaign')}.")
    if held.writing:
        said.append("People are asked to write prompts.")
    if not said:
        many = held.campaigns_open > 1
        opened = f"{held.campaigns_open:,} campaigns are open" if many else "One campaign is open"
        said.append(f"{opened}, and nothing in {'them' if many else 'it'} waits for people.")
    return " ".join(said)


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
