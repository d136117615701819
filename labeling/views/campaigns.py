"""The console's pages about campaigns: the list, a new one, one with its progress, its settings, its end as a draft."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Value, When
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.campaign_forms import ChoiceForm, SettingsForm
from labeling.campaigning import (
    change_settings,
    create_campaign,
    create_for_each,
    delete_campaign,
    hindrance_to_deleting,
)
from labeling.choosing import count_of
from labeling.errors import Refusal
from labeling.models import Campaign, Guideline, WorkKind
from labeling.progress import (
    completion_of,
    days_of,
    labelers_of,
    median_time,
    progress_of,
    skips_of,
    time_in_words,
)
from labeling.views.day_plot import drawn_days

PAGE = 25
ORDER = (Campaign.State.OPEN, Campaign.State.PAUSED, Campaign.State.DRAFT, Campaign.State.CLOSED)
ABOUT = {
    WorkKind.PROMPT: "People write prompts, up to a quota.",
    WorkKind.DEMONSTRATION: "People write the response to a prompt; models learn to imitate it.",
    WorkKind.RANKING: "People put responses to one prompt in order; a reward model learns from it.",
    WorkKind.RATING: "People rate one response at a time, blind; models are compared by it.",
}


def campaign_or_404(request: ProjectRequest, campaign_id: int) -> Campaign:
    found = Campaign.objects.filter(project=request.project).select_related("guideline", "cohort", "project")
    return get_object_or_404(found, pk=campaign_id)


@never_cache
@require_safe
@project_page(RESEARCHES)
def campaign_list(request: ProjectRequest) -> HttpResponse:
    """The campaigns, open ones first, with how far each is."""
    place = Case(*(When(state=state, then=Value(at)) for at, state in enumerate(ORDER)), output_field=IntegerField())
    found = Campaign.objects.filter(project=request.project).alias(place=place).order_by("imported", "place", "-pk")
    sheet = Paginator(found.select_related("cohort", "guideline"), PAGE).get_page(request.GET.get("page"))
    progress = progress_of(sheet.object_list)
    handed_out = Campaign.objects.filter(project=request.project, imported=False, state=Campaign.State.OPEN)
    context = {
        "sheet": sheet,
        "campaigns": [(campaign, progress[campaign.pk]) for campaign in sheet.object_list],
        "open": handed_out.count(),
        "left": sum(progress[one.pk].left for one in sheet.object_list if one.state == Campaign.State.OPEN),
    }
    return render(request, "campaigns/list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def new_campaign(request: ProjectRequest) -> HttpResponse:
    """First the kind of work (?kind=ranking), then its form: counted first, then made as a draft."""
    asked = request.GET.get("kind", "")
    published = Guideline.objects.filter(project=request.project, published_at__isnull=False)
    with_guideline = set(published.order_by().values_list("kind", flat=True).distinct())
    if asked not in WorkKind.values or asked not in with_guideline:
        kinds = [(kind, ABOUT[kind], kind in with_guideline) for kind in WorkKind]
        context: dict[str, Any] = {"kinds": kinds, "asked": asked if asked in WorkKind.values else ""}
        return render(request, "campaigns/kinds.html", context)
    kind = WorkKind(asked)
    typed = request.POST if request.method == "POST" else None
    settings = SettingsForm(typed, project=request.project, kind=kind)
    chosen = None if kind == WorkKind.PROMPT else ChoiceForm(typed, project=request.project, kind=kind)
    context = {"kind": kind, "about": ABOUT[kind], "settings": settings, "chosen": chosen}
    if typed is None:
        return render(request, "campaigns/new.html", context)
    count_only = typed.get("act") == "count"
    # The count needs the choice alone; a name can be thought of later.
    if chosen is not None and chosen.is_valid():
        context["found"] = count_of(request.project, chosen.choice)
    right = (count_only or settings.is_valid()) and (chosen is None or chosen.is_valid())
    if right and not count_only:
        try:
            choice = chosen.choice if chosen else None
            said = dict(settings.cleaned_data)
            cohorts = said.pop("for_each", [])
            if cohorts:
                each = create_for_each(request.project, kind, said, choice, cohorts)
                messages.success(request, f"{len(each)} drafts with the same tasks are made, one a cohort.")
                return redirect("campaigns", request.project.slug)
            made = create_campaign(request.project, kind, said, choice)
        except Refusal as refusal:
            context["problem"] = refusal.message
        except ValidationError as error:
            context["problem"] = " ".join(error.messages)
        else:
            messages.success(
                request, f"“{made.name}” is a draft with {made.tasks.count():,} tasks. Open it when ready."
            )
            return redirect("campaign", request.project.slug, made.pk)
    if count_only:
        context["settings"] = SettingsForm(initial=_as_initial(settings), project=request.project, kind=kind)
    return render(request, "campaigns/new.html", context, status=200 if right and "problem" not in context else 400)


def _as_initial(form: SettingsForm) -> dict[str, Any]:
    """What was typed, to be shown again without being judged yet."""
    return {name: form[name].value() for name in form.fields}


@never_cache
@require_safe
@project_page(RESEARCHES)
def campaign_page(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """One campaign: how far it is, who did what, and what can be done with it."""
    campaign = campaign_or_404(request, campaign_id)
    labelers, many = labelers_of(campaign)
    days = days_of(campaign)
    context = {
        "campaign": campaign,
        "about": ABOUT[WorkKind(campaign.kind)],
        "progress": progress_of([campaign])[campaign.pk],
        "completion": completion_of(campaign),
        "labelers": labelers,
        "labelers_there": many,
        "days": days,
        "plots": [drawn_days(days, narrow=narrow) for narrow in (False, True)] if days else [],
        "skips": skips_of(campaign),
        "typical": time_in_words(median_time(campaign)),
        "required": [part for part in ("ranks", "ratings", "flags") if part in campaign.required],
    }
    return render(request, "campaigns/campaign.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def edit_campaign(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    campaign = campaign_or_404(request, campaign_id)
    if campaign.imported:
        raise Http404("A campaign that holds imported judgments has no settings.")
    kind, name = WorkKind(campaign.kind), campaign.name
    typed = request.POST if request.method == "POST" else None
    settings = SettingsForm(typed, project=request.project, kind=kind, instance=campaign)
    context: dict[str, Any] = {"campaign": campaign, "name": name, "settings": settings}
    if typed is not None and settings.is_valid():
        try:
            change_settings(campaign, settings.cleaned_data)
        except Refusal as refusal:
            context["problem"] = refusal.message
        except ValidationError as error:
            context["problem"] = " ".join(error.messages)
        else:
            messages.success(request, "The settings are saved.")
            return redirect("campaign", request.project.slug, campaign.pk)
    return render(request, "campaigns/edit.html", context, status=200 if typed is None else 400)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def delete(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """Asks first, and says what stays in the way."""
    campaign = campaign_or_404(request, campaign_id)
    hindrance = hindrance_to_deleting(campaign)
    status = 200
    if request.method == "POST":
        try:
            delete_campaign(campaign)
        except Refusal as refusal:
            hindrance, status = refusal.message, refusal.status
        else:
            messages.success(request, f"The draft “{campaign.name}” is deleted.")
            return redirect("campaigns", request.project.slug)
    context = {"campaign": campaign, "hindrance": hindrance, "tasks": campaign.tasks.count()}
    return render(request, "campaigns/delete.html", context, status=status)
