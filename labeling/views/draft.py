"""Drafts: what a page's script sends at every pause."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.errors import InvalidWork, Problem, Refusal
from labeling.models import WorkKind
from labeling.submitting import Basis, keep_draft
from labeling.views.task import own_assignment_or_404
from labeling.written_prompts import like_so_far


@never_cache
@require_POST
@project_page(LABELS)
def draft(request: ProjectRequest, uuid: UUID) -> HttpResponse:
    """{"lease_token": …, "fields": {name: text}, "base": "saved_at" of the draft before or null, "device": …,
    "corrects": number of the submission that is corrected}
    -> {"saved_at": …, "lease_until": … or null, "held": true or false}

    Without a base it replaces whatever is there. Where another device has kept one since, the answer is 409 with that
    one: {"code": "newer_draft", "draft": {name: text}, "saved_at": …, …}.
    Of a prompt that is being written also "like": {"says": …, "text": …} of a prompt that it is close to, or null.
    """
    assignment = own_assignment_or_404(request, uuid)
    try:
        token, fields, basis, corrects = _read(request.body)
        kept = keep_draft(assignment, fields, lease_token=token, basis=basis, corrects=corrects)
    except Refusal as refusal:
        return JsonResponse(refusal.as_json(), status=refusal.status)
    told: dict[str, Any] = {"saved_at": kept.saved_at, "lease_until": kept.lease_until, "held": kept.held}
    if assignment.campaign.kind == WorkKind.PROMPT:
        like = like_so_far(fields, assignment)
        told["like"] = like and {"says": like.says, "text": like.text}
    return JsonResponse(told)


def _read(body: bytes) -> tuple[UUID, dict[str, str], Basis | None, int]:
    try:
        sent: Any = json.loads(body)
        token, fields = UUID(sent["lease_token"]), sent["fields"]
        basis = _basis(sent["base"], sent.get("device", "")) if "base" in sent else None
        corrects = int(sent.get("corrects", 0))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise _malformed() from None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise _malformed()
    return token, fields, basis, corrects


def _basis(base: str | None, device: str) -> Basis:
    """Raises ValueError, TypeError, AttributeError."""
    saved_at = None if base is None else datetime.fromisoformat(base)
    if saved_at is not None and saved_at.tzinfo is None:
        raise ValueError("a time without its zone")
    return Basis(saved_at, str(UUID(device)) if device else "")


def _malformed() -> InvalidWork:
    says = gettext('A draft is {"lease_token": "…", "fields": {"name": "text"}}; this one is not. Reload the page.')
    return InvalidWork([Problem("malformed_draft", says)])
