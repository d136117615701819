"""What is done with a campaign: opened, paused, closed, widened after a pilot, another overlap. Each page says what it
does to the people at work before it is done."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.campaigning import MOST_OVERLAP, change_overlap, open_as_pilot, open_to_all, overlap_change
from labeling.errors import Refusal
from labeling.models import Campaign, WorkKind
from labeling.opening import close_campaign, open_campaign, pause_campaign
from labeling.progress import progress_of
from labeling.views.campaigns import campaign_or_404

PILOT_AT_FIRST = 20


def _page(request: ProjectRequest, campaign: Campaign, act: str, problem: str = "", **more: Any) -> HttpResponse:
    context = {"campaign": campaign, "progress": progress_of([campaign])[campaign.pk], "problem": problem, **more}
    return render(request, f"campaigns/{act}.html", context, status=more.get("status", 400 if problem else 200))


def _back(request: ProjectRequest, campaign: Campaign, says: str) -> HttpResponse:
    messages.success(request, says)
    return redirect("campaign", request.project.slug, campaign.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def open_page(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """To all, or as a pilot on the first tasks."""
    campaign = campaign_or_404(request, campaign_id)
    pilot = request.POST.get("pilot_tasks", str(PILOT_AT_FIRST)).strip()
    offers: dict[str, Any] = {
        "pilot": pilot,
        "may_pilot": campaign.kind != WorkKind.PROMPT,
        "to": request.POST.get("to", "all"),
    }
    if request.method != "POST":
        return _page(request, campaign, "open", **offers)
    if offers["to"] == "pilot" and not (pilot.isascii() and pilot.isdigit() and len(pilot) <= 9):
        return _page(
            request, campaign, "open", f"The pilot is of {pilot[:20]!r} tasks; expected a whole number.", **offers
        )
    try:
        if offers["to"] == "pilot":
            open_as_pilot(campaign, int(pilot))
        else:
            open_campaign(campaign)
    except Refusal as refusal:
        return _page(request, campaign, "open", refusal.message, status=refusal.status, **offers)
    campaign.refresh_from_db(fields=["pilot_tasks"])
    tasks = campaign.pilot_tasks
    words = f"as a pilot on its first {tasks:,} task{'' if tasks == 1 else 's'}" if tasks else "to all whom it is for"
    return _back(request, campaign, f"“{campaign.name}” is open {words}.")


@require_POST
@project_page(RESEARCHES)
def widen(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """Ends the pilot."""
    campaign = campaign_or_404(request, campaign_id)
    try:
        open_to_all(campaign)
    except Refusal as refusal:
        messages.error(request, refusal.message)
        return redirect("campaign", request.project.slug, campaign.pk)
    return _back(request, campaign, "The pilot is over: every task may be handed out now.")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def pause_page(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    campaign = campaign_or_404(request, campaign_id)
    if request.method != "POST":
        return _page(request, campaign, "pause")
    try:
        pause_campaign(campaign)
    except Refusal as refusal:
        return _page(request, campaign, "pause", refusal.message, status=refusal.status)
    return _back(request, campaign, f"“{campaign.name}” is paused: nothing new is handed out.")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def close_page(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """People at work finish, unless it is said that their holds end now."""
    campaign = campaign_or_404(request, campaign_id)
    if request.method != "POST":
        return _page(request, campaign, "close")
    try:
        close_campaign(campaign, release=request.POST.get("held") == "release")
    except Refusal as refusal:
        return _page(request, campaign, "close", refusal.message, status=refusal.status)
    return _back(request, campaign, f"“{campaign.name}” is closed.")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def overlap_page(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """What another overlap (?to=3) would do; POST does it."""
    campaign = campaign_or_404(request, campaign_id)
    asked = (request.POST if request.method == "POST" else request.GET).get("to", "").strip()
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10 and 1 <= int(asked) <= MOST_OVERLAP):
        problem = f"The overlap is {asked[:20]!r}; expected 1 to {MOST_OVERLAP}." if asked else ""
        return _page(request, campaign, "overlap", problem, to=asked or str(campaign.overlap))
    to = int(asked)
    if request.method != "POST":
        return _page(request, campaign, "overlap", to=asked, change=overlap_change(campaign, to))
    try:
        change = change_overlap(campaign, to)
    except Refusal as refusal:
        return _page(request, campaign, "overlap", refusal.message, status=refusal.status, to=asked)
    kept = f" {change.kept_above:,} tasks keep what they have beyond it." if change.kept_above else ""
    return _back(request, campaign, f"Each task is for {to} labelers now.{kept}")
