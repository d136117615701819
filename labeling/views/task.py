"""One task: shown to whom it was handed, submitted by them, and by nobody else."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.messages import get_messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.assigning import State, claim, labeler_of
from labeling.checking import TEXT_LIMIT
from labeling.distress import is_announced_first, show, words_of
from labeling.errors import GuidelineUnread, Problem, Refusal
from labeling.forms import fields_of, fields_said, read_form
from labeling.fresh_pages import fresh_page, is_fresh
from labeling.models import Assignment, Campaign, Labeler, Review, WorkKind
from labeling.packing import packed
from labeling.prepared import Prepared
from labeling.reviewing import newest_review
from labeling.screens import screen_of, template_of
from labeling.skipping import skip_reasons_of
from labeling.standing import done_today, left_nearby
from labeling.submitting import Outcome, may_correct, submit
from labeling.written_prompts import like_so_far

SURPLUS = gettext_lazy(
    "Thank you. The time for that task had run out and others had done it meanwhile: "
    "your submission is kept and credited to you, and not counted for the task."
)
CLOSED_MEANWHILE = gettext_lazy(
    "Thank you. The campaign was closed before you submitted: "
    "your submission is kept and credited to you, and not counted for the task."
)


def own_assignment_or_404(request: ProjectRequest, uuid: UUID) -> Assignment:
    """The assignment, if it was handed to the visitor; a stranger's, another's and an invented one are all 404."""
    # What is submitted is checked without the prompt; whoever gets the page back with a problem sees it.
    found = _OWN.first([request.membership.pk, request.project.pk, uuid], request.method != "POST")
    if found is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    found.labeler.membership = request.membership
    found.campaign.project = request.project
    # What is shown and checked is what it was handed out under, whatever the campaign has by now.
    found.campaign.guideline = found.worked_by
    return found


def _own_asked(membership: int, project: int, uuid: UUID, with_prompt: bool) -> QuerySet[Assignment]:
    theirs = Assignment.objects.filter(labeler__membership=membership, campaign__project=project, uuid=uuid)
    task = "task__prompt" if with_prompt else "task"
    return theirs.select_related(task, "campaign", "guideline", "labeler", "current_submission").order_by()


_OWN = Prepared(_own_asked, int, int, UUID)


def next_address(request: ProjectRequest, campaign: Campaign, labeler: Labeler) -> str:
    """Where the next task of the campaign is; the queue, which says why, where there is none."""
    return _next(request, campaign, labeler)[0]


def _next(request: ProjectRequest, campaign: Campaign, labeler: Labeler) -> tuple[str, Assignment | None]:
    """The address, and which assignment it shows, the campaign's guideline at hand where it was before."""
    queue = reverse("queue", args=[request.project.slug])
    try:
        assignment = claim(campaign, labeler)
    except GuidelineUnread as unread:
        page = reverse("guideline", args=[request.project.slug, unread.guideline])
        return f"{page}?campaign={campaign.pk}", None
    except Refusal as refusal:
        messages.info(request, refusal.message)
        return queue, None
    if assignment is None:
        return f"{queue}#campaign-{campaign.pk}", None
    assignment.campaign, assignment.labeler = campaign, labeler
    if assignment.guideline_id == campaign.guideline_id:
        assignment.guideline = campaign.guideline
    campaign.guideline = assignment.worked_by
    return reverse("task", args=[request.project.slug, assignment.uuid]), assignment


@require_POST
@project_page(LABELS)
def take_next(request: ProjectRequest, campaign_id: int) -> HttpResponse:
    """Hands out the next task of a campaign."""
    campaign = Campaign.objects.filter(pk=campaign_id, project=request.project, imported=False)
    found = campaign.exclude(state=Campaign.State.DRAFT).first()
    if found is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    return redirect(next_address(request, found, labeler_of(request.membership)))


@packed
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(LABELS)
def task(request: ProjectRequest, uuid: UUID) -> HttpResponse:
    assignment = own_assignment_or_404(request, uuid)
    if request.method == "POST":
        return _take(request, assignment)
    return _open(request, assignment)


def _open(request: ProjectRequest, assignment: Assignment) -> HttpResponse:
    """The page with what the labeler said so far; before it what distressing material the texts hold, if any."""
    if is_announced_first(assignment):
        return _announce(request, assignment)
    submitted = assignment.current_submission if assignment.state == State.SUBMITTED else None
    if submitted and not (assignment.draft and may_correct(assignment, timezone.now())):
        fields = fields_said(submitted, assignment.order, assignment.campaign.kind)
    else:
        fields = assignment.draft
    return _show(request, assignment, fields)


def _announce(request: ProjectRequest, assignment: Assignment) -> HttpResponse:
    """What the texts hold, and none of them."""
    context = {"assignment": assignment, "campaign": assignment.campaign, "holds": words_of(assignment.task.content)}
    return render(request, "labeling/announce.html", context)


@require_POST
@project_page(LABELS)
def show_task(request: ProjectRequest, uuid: UUID) -> HttpResponse:
    """The labeler was told what the texts hold and wants to see them."""
    show(own_assignment_or_404(request, uuid))
    return redirect("task", request.project.slug, uuid)


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
        closed = assignment.campaign.state == Campaign.State.CLOSED
        messages.warning(request, CLOSED_MEANWHILE if closed else SURPLUS)
    address, taken = _next(request, assignment.campaign, assignment.labeler)
    if not wants_json(request):
        return redirect(address)
    answer = {"next": address}
    if taken and wants_page(request) and not is_announced_first(taken):
        answer["page"] = _open(request, taken).content.decode()
    return JsonResponse(answer)


def wants_json(request: HttpRequest) -> bool:
    """The page's script asks for JSON; a plain form asks for a page."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def wants_page(request: HttpRequest) -> bool:
    """The page's script shows the next task from the same answer (RFC 7240), without asking once more."""
    return "return=representation" in request.headers.get("Prefer", "")


def _show(
    request: ProjectRequest,
    assignment: Assignment,
    fields: Mapping[str, str],
    problems: Sequence[Problem] = (),
    *,
    status: int = 200,
) -> HttpResponse:
    today, left = done_today(assignment.labeler), left_nearby(assignment.campaign, assignment.labeler)
    counts = {"today": str(today), "number": str(today + 1), "left": left}
    common = {
        "campaign": assignment.campaign,
        "guideline": assignment.worked_by,
        "text_limit": TEXT_LIMIT,
        "skip_reasons": skip_reasons_of(assignment.campaign),
    }
    if not (fields or problems or len(get_messages(request))) and is_fresh(assignment):
        new = {**common, "corrects": 0, "takes_drafts": True, "may_skip": True}
        if page := fresh_page(request, request.project, assignment, new, counts):
            return HttpResponse(page)
    submitted = assignment.state == State.SUBMITTED
    newest = newest_review(assignment.current_submission) if submitted and assignment.current_submission else None
    returned = newest if newest and newest.state == Review.State.RETURNED else None
    may_send = not submitted or may_correct(assignment, timezone.now())
    writes = assignment.campaign.kind == WorkKind.PROMPT and not submitted
    context = {
        **common,
        **counts,
        "assignment": assignment,
        "like": like_so_far(fields, assignment) if writes else None,
        "screen": screen_of(assignment, fields, problems),
        "key": uuid4(),
        "corrects": assignment.current_submission.number if submitted and assignment.current_submission else 0,
        "submitted": submitted,
        "returned": returned,
        "takes_drafts": may_send,
        "may_skip": not submitted,
        "locked": not may_send,
        "lapsed": assignment.state == State.EXPIRED,
        "skipped": assignment.state == State.SKIPPED,
    }
    return render(request, template_of(assignment), context, status=status)
