"""Reviewing: the queue of what labelers wrote, and one text with its guideline beside it."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling.access import REVIEWS, ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.gold import with_gold
from labeling.models import Campaign, Submission
from labeling.questions import waiting_in
from labeling.review_screen import earlier_reviews, review_screen_of
from labeling.reviewing import OWN_WORDS, REVIEWED_KINDS, next_after, review, waiting_for, words_of
from labeling.views.task import wants_json

ROWS = 25
DECIDED = {"accepted": "Accepted.", "returned": "Returned to its author with your remarks."}


@never_cache
@require_safe
@project_page(REVIEWS)
def review_queue(request: ProjectRequest) -> HttpResponse:
    """What waits, the oldest first; ?campaign=ID narrows it. A campaign that is not there is answered with 404."""
    campaign = _campaign_asked_for(request)
    waiting = waiting_for(request.user, request.project, campaign)
    rows = waiting.select_related("assignment__campaign", "assignment__task__prompt").prefetch_related("prompts")
    sheet = Paginator(rows, ROWS).get_page(request.GET.get("page", "1"))
    narrowed = f"campaign={campaign.pk}&" if campaign else ""
    campaigns = Campaign.objects.filter(project=request.project, kind__in=REVIEWED_KINDS, imported=False)
    context = {
        "campaign": campaign,
        "campaigns": campaigns.exclude(state=Campaign.State.DRAFT),
        "sheet": sheet,
        "lines": [(submission, words_of(submission)) for submission in sheet],
        "many": sheet.paginator.count,
        "first": waiting.first(),
        "asked": f"?campaign={campaign.pk}" if campaign else "",
        "questions": waiting_in(request.project).count(),
        "gold_campaigns": with_gold(request.project),
        "before": f"?{narrowed}page={sheet.number - 1}" if sheet.has_previous() else "",
        "after": f"?{narrowed}page={sheet.number + 1}" if sheet.has_next() else "",
    }
    return render(request, "labeling/review_queue.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(REVIEWS)
def review_one(request: ProjectRequest, submission_id: int) -> HttpResponse:
    """One text; ?campaign=ID keeps to the campaign when going on. The answer to a decision is the next one's page."""
    campaign = _campaign_asked_for(request)
    submission = _submission_or_404(request, submission_id)
    if request.method != "POST":
        return _show(request, submission, campaign)
    decision, remarks = request.POST.get("decision", ""), request.POST.get("remarks", "").replace("\r\n", "\n")
    try:
        review(submission, request.user, state=decision, remarks=remarks, seen=_seen(request))
    except Refusal as refusal:
        if wants_json(request):
            return JsonResponse(refusal.as_json(), status=refusal.status)
        return _show(request, submission, campaign, refusal, remarks=remarks)
    messages.info(request, DECIDED[decision])
    address = _next_address(request, submission, campaign)
    return JsonResponse({"next": address}) if wants_json(request) else redirect(address)


def _campaign_asked_for(request: ProjectRequest) -> Campaign | None:
    asked = request.GET.get("campaign", "")
    if not asked:
        return None
    is_number = asked.isascii() and asked.isdigit() and len(asked) < 19
    found = Campaign.objects.filter(project=request.project, pk=int(asked)).first() if is_number else None
    if found is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    return found


def _submission_or_404(request: ProjectRequest, submission_id: int) -> Submission:
    found = (
        Submission.objects.filter(
            assignment__campaign__project=request.project,
            assignment__campaign__kind__in=REVIEWED_KINDS,
            assignment__campaign__imported=False,
        )
        .select_related("guideline", "assignment__campaign", "assignment__labeler", "assignment__task__prompt")
        .filter(pk=submission_id)
        .first()
    )
    if found is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    return found


def _seen(request: ProjectRequest) -> int:
    """Id of the newest review that the page showed, 0 for none or nonsense (and then any review there is wins)."""
    sent = request.POST.get("corrects", "")
    return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 19 else 0


def _next_address(request: ProjectRequest, submission: Submission, campaign: Campaign | None) -> str:
    found = next_after(submission, waiting_for(request.user, request.project, campaign))
    asked = f"?campaign={campaign.pk}" if campaign else ""
    if found is None:
        return reverse("review_queue", args=[request.project.slug]) + asked
    return reverse("review", args=[request.project.slug, found.pk]) + asked


def _show(
    request: ProjectRequest,
    submission: Submission,
    campaign: Campaign | None,
    refusal: Refusal | None = None,
    *,
    remarks: str = "",
) -> HttpResponse:
    reviews = earlier_reviews(submission)
    newest = next((one for one in reviews if one.submission_id == submission.pk), None)
    assignment = submission.assignment
    own = assignment.labeler.user_id == request.user.pk
    replaced = assignment.current_submission_id != submission.pk
    context: dict[str, Any] = {
        "submission": submission,
        "campaign": assignment.campaign,
        "guideline": submission.guideline,
        "screen": review_screen_of(submission),
        "reviews": reviews,
        "newest": newest,
        "seen": newest.pk if newest else 0,
        "own_words": OWN_WORDS if own else "",
        "replaced": replaced,
        "current": assignment.current_submission_id,
        "decides": not own and not replaced,
        "asked": f"?campaign={campaign.pk}" if campaign else "",
        "next": _next_address(request, submission, campaign),
        "waiting": waiting_for(request.user, request.project, campaign).count(),
        "remarks": remarks,
        "problems": refusal.problems if refusal else [],
    }
    return render(request, "labeling/review.html", context, status=refusal.status if refusal else 200)
