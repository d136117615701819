"""One task: shown to whom it was handed, submitted by them, and by nobody else."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.assigning import SKIP_REASONS, State, claim, labeler_of
from labeling.checking import TEXT_LIMIT
from labeling.errors import Problem, Refusal
from labeling.forms import fields_of, fields_said, read_form
from labeling.models import Assignment, Campaign, Labeler
from labeling.screens import screen_of, template_of
from labeling.standing import done_since, left_nearby, start_of_day
from labeling.submitting import Outcome, may_correct, submit

SURPLUS = (
    "Thank you. The time for that task had run out and others had done it meanwhile: "
    "your submission is kept and credited to you, and not counted for the task."
)


def own_assignment_or_404(request: ProjectRequest, uuid: UUID) -> Assignment:
    """The assignment, if it was handed to the visitor; a stranger's, another's and an invented one are all 404."""
    found = (
        Assignment.objects.filter(uuid=uuid, campaign__project=request.project, labeler__membership=request.membership)
        .select_related("task__prompt", "campaign__guideline", "labeler", "current_submission")
        .first()
    )
    if found is None:
        raise Http404("There is no such page, or it is not yours.")
    found.labeler.membership = request.membership
    return found


def next_address(request: ProjectRequest, campaign: Campaign, labeler: Labeler) -> str:
    """Where the next task of the campaign is; the queue, which says why, where there is none."""
    queue = reverse("queue", args=[request.project.slug])
    try:
        assignment = claim(campaign, labeler)
    except Refusal as refusal:
        messages.info(request, refusal.message)
        return queue
    if assignment is None:
        return f"{queue}#campaign-{campaign.pk}"
    return reverse("task", args=[request.project.slug, assignment.uuid])


@require_POST
@project_page(LABELS)
def take_next(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """Hands out the next task of a campaign."""
    campaign = Campaign.objects.filter(pk=campaign_id, project=request.project, imported=False)
    found = campaign.exclude(state=Campaign.State.DRAFT).first()
    if found is None:
        raise Http404("There is no such page, or it is not yours.")
    return redirect(next_address(request, found, labeler_of(request.membership)))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(LABELS)
def task(request: ProjectRequest, uuid: UUID) -> HttpResponse:
    assignment = own_assignment_or_404(request, uuid)
    if request.method == "POST":
        return _take(request, assignment)
    if assignment.state == State.SUBMITTED and assignment.current_submission:
        fields = fields_said(assignment.current_submission, assignment.order, assignment.campaign.kind)
    else:
        fields = assignment.draft
    return _show(request, assignment, fields)


def _take(request: ProjectRequest, assignment: Assignment) -> HttpResponse:
    """Submits; the answer is the next task. What is refused comes back with the words as they were sent."""
    try:
        sent = read_form(request.POST)
        outcome = submit(assignment, sent.work, key=sent.key, lease_token=sent.lease_token, corrects=sent.corrects)
    except Refusal as refusal:
        if wants_json(request):
            return JsonResponse(refusal.as_json(), status=refusal.status)
        return _show(request, assignment, fields_of(request.POST), refusal.problems, status=refusal.status)
    return _go_on(request, assignment, outcome)


def _go_on(request: ProjectRequest, assignment: Assignment, outcome: Outcome) -> HttpResponse:
    if not outcome.submission.counted and not outcome.repeated:
        messages.warning(request, SURPLUS)
    address = next_address(request, assignment.campaign, assignment.labeler)
    return JsonResponse({"next": address}) if wants_json(request) else redirect(address)


def wants_json(request: HttpRequest) -> bool:
    """The page's script asks for JSON; a plain form asks for a page."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _show(
    request: ProjectRequest,
    assignment: Assignment,
    fields: Mapping[str, str],
    problems: Sequence[Problem] = (),
    *,
    status: int = 200,
) -> HttpResponse:
    submitted = assignment.state == State.SUBMITTED
    context = {
        "assignment": assignment,
        "campaign": assignment.campaign,
        "guideline": assignment.campaign.guideline,
        "screen": screen_of(assignment, fields, problems),
        "text_limit": TEXT_LIMIT,
        "key": uuid4(),
        "skip_reasons": SKIP_REASONS,
        "corrects": assignment.current_submission.number if submitted and assignment.current_submission else 0,
        "submitted": submitted,
        "locked": submitted and not may_correct(assignment, timezone.now()),
        "lapsed": assignment.state == State.EXPIRED,
        "skipped": assignment.state == State.SKIPPED,
        "today": done_since(assignment.labeler, start_of_day()).submissions,
        "left": left_nearby(assignment.campaign, assignment.labeler),
    }
    return render(request, template_of(assignment), context, status=status)
