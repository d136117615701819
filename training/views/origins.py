"""Pages of lineage: the card of a model, where a submission went, deleting a model, and what the disk holds."""

from datetime import timedelta

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.models import Role, Submission
from labeling.rendering import render as render_markdown
from training.base_models import folder_of
from training.errors import CheckpointRefused
from training.model_card import card_of
from training.models import Checkpoint
from training.origins import destinations_of
from training.retention import DAYS, clean, delete_weights, freed_bytes, removable, rests_on

OWNS = frozenset({Role.OWNER})
PIECES_SHOWN = 100
MOST_DAYS = 3650


def _checkpoints() -> QuerySet[Checkpoint]:
    return Checkpoint.objects.select_related("project", "generator", "job__stage__round", "job__created_by")


@never_cache
@require_safe
@project_page(RESEARCHES)
def card(request: ProjectRequest, checkpoint_id: int) -> HttpResponse:
    """The card of a model; ?as=markdown: as a file to keep beside its weights."""
    found = get_object_or_404(_checkpoints(), project=request.project, pk=checkpoint_id)
    text = card_of(found)
    if request.GET.get("as") == "markdown":
        answer = HttpResponse(text, content_type="text/markdown; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{slugify(found.name) or "model"}-card.md"'
        return answer
    _, _, body = text.partition("\n")  # the page has the name for its title
    return render(request, "checkpoints/card.html", {"checkpoint": found, "card": render_markdown(body)})


@never_cache
@require_safe
@project_page(RESEARCHES)
def submission(request: ProjectRequest, submission_id: int) -> HttpResponse:
    """Where what somebody said went: snapshots, jobs, checkpoints, and what was made from those."""
    rows = Submission.objects.select_related("assignment__campaign", "assignment__task", "guideline")
    found = get_object_or_404(rows, assignment__campaign__project=request.project, pk=submission_id)
    context = {"submission": found, "campaign": found.assignment.campaign, "went": destinations_of(found)}
    return render(request, "checkpoints/submission.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(OWNS)
def delete_checkpoint(request: ProjectRequest, checkpoint_id: int) -> HttpResponse:
    """Asks first, says what rests on it, and deletes the weights; the row and the card stay."""
    found = get_object_or_404(_checkpoints(), project=request.project, pk=checkpoint_id)
    if request.method == "POST":
        try:
            freed = delete_weights(found)
        except CheckpointRefused as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, f"The weights of {found.name} are deleted; {filesizeformat(freed)} freed.")
        return redirect("checkpoint", request.project.slug, found.pk)
    folder = folder_of(found)
    context = {
        "checkpoint": found,
        "reasons": rests_on(found),
        "bytes": freed_bytes(folder) if folder is not None and folder.is_dir() else 0,
    }
    return render(request, "checkpoints/delete.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(OWNS)
def disk(request: ProjectRequest) -> HttpResponse:
    """What of the project's run folders can go, and letting it go. days=NUMBER: since the end of a job."""
    days = days_in(request.POST.get("days") or request.GET.get("days") or "")
    pieces = removable(older_than=timedelta(days=days), project=request.project)
    if request.method == "POST":
        freed = clean(pieces)
        messages.success(request, f"{filesizeformat(freed)} freed.")
        return redirect(f"{redirect('disk', request.project.slug).url}?days={days}")
    context = {
        "days": days,
        "pieces": pieces[:PIECES_SHOWN],
        "more": max(0, len(pieces) - PIECES_SHOWN),
        "bytes": sum(piece.bytes for piece in pieces),
    }
    return render(request, "checkpoints/disk.html", context)


def days_in(typed: str) -> int:
    """What is no number of days counts as the usual one."""
    return min(int(typed), MOST_DAYS) if typed.isascii() and typed.isdigit() and len(typed) < 6 else DAYS
