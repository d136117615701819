"""Skipping a task, with a reason: a dialog on the task's page, a page of its own where no script runs."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.assigning import STALE
from labeling.errors import Refusal, StaleLease
from labeling.skipping import skip, skip_reasons_of
from labeling.views.task import next_address, own_assignment_or_404


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(LABELS)
def skip_task(request: ProjectRequest, uuid: UUID) -> HttpResponse:
    assignment = own_assignment_or_404(request, uuid)
    offered = skip_reasons_of(assignment.campaign)
    context: dict[str, Any] = {"assignment": assignment, "reasons": offered}
    if request.method != "POST":
        return render(request, "labeling/skip.html", context)
    reasons = {reason.name: reason for reason in offered}
    reason = reasons.get(request.POST.get("reason", ""))
    if reason is None:
        context["problem"] = gettext("Choose a reason, so that the task can be mended or given to somebody else.")
        return render(request, "labeling/skip.html", context, status=422)
    try:
        skip(assignment, reason, lease_token=_token(request))
    except Refusal as refusal:
        messages.info(request, refusal.message)
    return redirect(next_address(request, assignment.campaign, assignment.labeler))


def _token(request: ProjectRequest) -> UUID:
    try:
        return UUID(request.POST.get("lease_token", ""))
    except ValueError:
        raise StaleLease(str(STALE)) from None
