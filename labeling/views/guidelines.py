"""The console's pages about guidelines: their versions, the editor of a draft, publishing, what changed, deleting."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.comparing import compare
from labeling.errors import Problem, Refusal
from labeling.guideline_form import flag_rows, read_content, scale_rows
from labeling.models import Campaign, Guideline, WorkKind
from labeling.publishing import (
    JUDGED,
    Content,
    asks_about_flags,
    begin_version,
    content_of,
    current_versions,
    delete_draft,
    hindrance_to_deleting,
    problems_of,
    publish,
    save_draft,
)
from labeling.rendering import render as render_markdown
from labeling.screens import questions_of

MOST_VERSIONS = 200
"""Versions of all kinds that the list shows, the newest of each first."""
MOST_NAMED = 5


def guideline_or_404(request: ProjectRequest, guideline_id: int) -> Guideline:
    return get_object_or_404(Guideline, pk=guideline_id, project=request.project)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def guideline_list(request: ProjectRequest) -> HttpResponse:
    """The versions by kind; POST begins the next version of a kind."""
    if request.method == "POST":
        return _begin(request)
    current = current_versions(request.project)
    found = Guideline.objects.filter(project=request.project).defer("body", "flags", "scales")
    by_kind: dict[str, list[Guideline]] = {kind: [] for kind in WorkKind}
    for version in found.annotate(uses=Count("campaigns")).order_by("kind", "-version")[:MOST_VERSIONS]:
        by_kind[version.kind].append(version)
    kinds = [
        (WorkKind(kind), current.get(kind), list(zip_longest(versions, versions[1:])))
        for kind, versions in by_kind.items()
    ]
    context = {
        "kinds": kinds,
        "in_force": len(current),
        "drafts": sum(version.published_at is None for versions in by_kind.values() for version in versions),
    }
    return render(request, "guidelines/list.html", context)


def _begin(request: ProjectRequest) -> HttpResponse:
    kind = request.POST.get("kind", "")
    if kind not in WorkKind.values:
        raise Http404("There is no such kind of work.")
    draft, made = begin_version(request.project, WorkKind(kind))
    if not made:
        messages.info(request, f"Version {draft.version} is a draft already; go on with it, or publish it first.")
    return redirect("edit_guideline", request.project.slug, draft.pk)


@never_cache
@require_safe
@project_page(RESEARCHES)
def version(request: ProjectRequest, guideline_id: int) -> HttpResponse:
    """One version as labelers read it, and which campaigns use it."""
    found = guideline_or_404(request, guideline_id)
    others = Guideline.objects.filter(project=request.project, kind=found.kind).only("pk", "version", "kind")
    campaigns = Campaign.objects.filter(guideline=found)
    context = _as_read(content_of(found)) | {
        "guideline": found,
        "is_current": current_versions(request.project).get(found.kind) == found.version,
        "before": list(others.filter(version__lt=found.version)[:MOST_NAMED]),
        "campaigns": campaigns.order_by("-pk")[:MOST_NAMED],
        "uses": campaigns.count(),
        "judged": found.kind in JUDGED,
    }
    return render(request, "guidelines/version.html", context)


def _as_read(content: Content) -> dict[str, Any]:
    """The body and the questions as a labeler meets them."""
    scales, flags = questions_of(Guideline(flags=list(content.flags), scales=list(content.scales)))
    return {"content": content, "body": render_markdown(content.body), "scales": scales, "flags": flags}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def edit(request: ProjectRequest, guideline_id: int) -> HttpResponse:
    """The editor of a draft: saved, looked at without saving, or saved on the way to publishing."""
    draft = guideline_or_404(request, guideline_id)
    if draft.published_at is not None:
        messages.info(request, f"Version {draft.version} is published and never changes; write the next one.")
        return redirect("guideline_version", request.project.slug, draft.pk)
    saved = content_of(draft)
    if request.method != "POST":
        return _editor(request, draft, saved, seen=saved.digest)
    typed, seen = read_content(request.POST, WorkKind(draft.kind), saved), request.POST.get("seen", "")
    act = request.POST.get("act", "save")
    if act == "look":
        return _editor(request, draft, typed, seen=seen)
    try:
        save_draft(draft, typed, seen=seen)
    except Refusal as refusal:
        return _editor(request, draft, typed, refusal.problems, seen=seen, status=refusal.status)
    if act == "publish":
        return redirect("publish_guideline", request.project.slug, draft.pk)
    messages.success(request, f"Draft {draft.version} is saved.")
    return redirect("edit_guideline", request.project.slug, draft.pk)


def _editor(
    request: ProjectRequest,
    draft: Guideline,
    content: Content,
    problems: Sequence[Problem] = (),
    *,
    seen: str,
    status: int = 200,
) -> HttpResponse:
    shown = problems or problems_of(WorkKind(draft.kind), content)
    context = _as_read(content) | {
        "guideline": draft,
        "seen": seen,
        "refused": problems,
        "missing": () if problems else shown,
        "flag_rows": flag_rows(content, shown),
        "scale_rows": scale_rows(content, shown),
        "body_problems": [problem for problem in shown if problem.place == "body"],
        "changes_problems": [problem for problem in shown if problem.place == "changes"],
        "judged": draft.kind in JUDGED,
        "unsaved": content.digest != content_of(draft).digest,
    }
    return render(request, "guidelines/edit.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def publish_page(request: ProjectRequest, guideline_id: int) -> HttpResponse:
    """What publishing means and what is in its way; POST publishes."""
    draft = guideline_or_404(request, guideline_id)
    problems: Sequence[Problem] = problems_of(WorkKind(draft.kind), content_of(draft))
    status = 200
    if request.method == "POST":
        try:
            without_flags, major = (bool(request.POST.get(name)) for name in ("without_flags", "major"))
            publish(draft, without_flags=without_flags, major=major, seen=request.POST.get("seen"))
        except Refusal as refusal:
            problems, status = refusal.problems, refusal.status
            draft.refresh_from_db()
        else:
            messages.success(request, f"Version {draft.version} is published. New campaigns can be made under it.")
    if draft.published_at is not None:
        return redirect("guideline_version", request.project.slug, draft.pk)
    context = {
        "guideline": draft,
        "seen": content_of(draft).digest,
        "problems": problems,
        "refused": status != 200,
        "asks": asks_about_flags(draft),
        "judged": draft.kind in JUDGED,
        "before": Guideline.objects.filter(project=request.project, kind=draft.kind, version__lt=draft.version).first(),
        "current": current_versions(request.project).get(draft.kind),
    }
    return render(request, "guidelines/publish.html", context, status=status)


@never_cache
@require_safe
@project_page(RESEARCHES)
def comparison(request: ProjectRequest, guideline_id: int, earlier_id: int) -> HttpResponse:
    """What is new in a version against an earlier one of the same kind."""
    after, before = guideline_or_404(request, guideline_id), guideline_or_404(request, earlier_id)
    if before.kind != after.kind:
        raise Http404("These two are guidelines for different work.")
    context = {"after": after, "before": before, "comparison": compare(content_of(before), content_of(after))}
    return render(request, "guidelines/compare.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def delete(request: ProjectRequest, guideline_id: int) -> HttpResponse:
    """Asks first, and says what stays in the way."""
    draft = guideline_or_404(request, guideline_id)
    hindrance = hindrance_to_deleting(draft)
    if request.method == "POST":
        try:
            delete_draft(draft)
        except Refusal as refusal:
            hindrance = refusal.message
        else:
            messages.success(request, f"Draft {draft.version} of the {draft.get_kind_display()} guideline is deleted.")
            return redirect("guidelines", request.project.slug)
    status = 409 if request.method == "POST" else 200
    return render(request, "guidelines/delete.html", {"guideline": draft, "hindrance": hindrance}, status=status)
