"""Cohorts: made, described, filled and deleted by owners; researchers look."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import LABELS, RESEARCHES, ProjectRequest, project_page
from labeling.assigning import labeler_of
from labeling.backgrounds import FEWEST_SHOWN, form_of, people_told
from labeling.errors import Refusal
from labeling.grouping import (
    delete_cohort,
    describe_cohort,
    make_cohort,
    put_in,
    refuse_by_rule,
    take_out,
    why_kept,
)
from labeling.models import Cohort, Labeler, Membership, Role

A_PAGE = 50
OFFERED = 50
"""People offered at once to be put in; a search finds the others."""
FIELDS = ("name", "about")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def cohorts(request: ProjectRequest) -> HttpResponse:
    """All cohorts of the project, and a form that makes another."""
    problem = ""
    typed = {field: request.POST.get(field, "") for field in FIELDS}
    if request.method == "POST":
        _refuse_who_only_looks(request)
        try:
            made = make_cohort(request.project, name=typed["name"], about=typed["about"])
        except Refusal as refusal:
            problem = refusal.message
        else:
            return redirect("cohort", request.project.slug, made.pk)
    inside = Count("members", filter=Q(members__until=None), distinct=True)
    found = request.project.cohorts.annotate(inside=inside, given=Count("campaigns", distinct=True)).order_by("name")
    page = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page, "lines": [(one, people_told(one, one.inside)) for one in page],  # type: ignore[attr-defined]
        "fewest": FEWEST_SHOWN, "problem": problem, "typed": typed, "owns": request.membership.role == Role.OWNER,
    }  # fmt: skip
    return render(request, "people/cohorts.html", context, status=400 if problem else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def cohort(request: ProjectRequest, cohort_id: int) -> HttpResponse:
    """One cohort: its name, who is in it, and who could be."""
    found = _cohort_or_404(request, cohort_id)
    problem = ""
    typed = {"name": found.name, "about": found.about}
    if request.method == "POST":
        _refuse_who_only_looks(request)
        typed = {field: request.POST.get(field, "") for field in FIELDS}
        try:
            describe_cohort(found, name=typed["name"], about=typed["about"])
        except Refusal as refusal:
            problem = refusal.message
            found.refresh_from_db()
        else:
            messages.success(request, "Kept.")
            return redirect("cohort", request.project.slug, found.pk)
    context = _of_cohort(request, found) | {"typed": typed, "problem": problem}
    return render(request, "people/cohort.html", context, status=400 if problem else 200)


def _of_cohort(request: ProjectRequest, found: Cohort) -> dict[str, Any]:
    # By name, where there is one: in the order of the pseudonyms, names could be matched with them.
    members = found.members.select_related("labeler__user").order_by(
        "labeler__user__username", "labeler__pseudonym", "since"
    )
    within = people_told(found, members.filter(until=None).count())
    if found.by_rule:
        members = members.none()
    inside = Paginator(members.filter(until=None), A_PAGE).get_page(request.GET.get("page"))
    sought = request.GET.get("q", "").replace("\0", "").strip()[:100]
    offered = [] if found.by_rule else list(_offered(found, sought))
    return {
        "by_rule": found.by_rule,
        "within": within,
        "questions": form_of(found.project).questions,
        "cohort": found,
        "inside": inside,
        "left": members.exclude(until=None).count(),
        "campaigns": list(found.campaigns.order_by("name")[:20]),
        "sought": sought,
        "offered": offered[:OFFERED],
        "more_offered": len(offered) > OFFERED,
        "owns": request.membership.role == Role.OWNER,
    }


def _offered(found: Cohort, sought: str) -> Iterator[tuple[str, str, str]]:
    """Who is not in it: (value of the choice, name, what they are), at most a few more than are shown.

    A member who never labelled is no labeler yet and can be put in all the same.
    """
    members = (
        Membership.objects.filter(project=found.project_id, role__in=LABELS)
        .exclude(labeler__cohorts__in=found.members.filter(until=None))
        .select_related("user", "labeler")
        .order_by("user__username")
    )
    others = (
        Labeler.objects.filter(project=found.project_id, membership=None)
        .exclude(source=Labeler.Source.MEMBER)
        .exclude(cohorts__in=found.members.filter(until=None))
        .order_by("pseudonym")
    )
    if sought:
        members = members.filter(Q(user__username__icontains=sought) | Q(user__first_name__icontains=sought))
        others = others.filter(pseudonym__icontains=sought)
    for member in members[: OFFERED + 1]:
        user = member.user
        yield f"member-{member.pk}", user.get_full_name() or user.username, member.get_role_display().lower()
    for labeler in others[: OFFERED + 1]:
        yield f"labeler-{labeler.pk}", labeler.pseudonym, labeler.get_source_display().lower()


@require_POST
@project_page([Role.OWNER])
def put_in_cohort(request: ProjectRequest, cohort_id: int) -> HttpResponse:
    """who: any number of "member-7" and "labeler-9"; what names nobody of this project is passed over."""
    found = _cohort_or_404(request, cohort_id)
    try:
        refuse_by_rule(found)
    except Refusal as refusal:
        messages.error(request, refusal.message)
        return redirect("cohort", request.project.slug, found.pk)
    chosen = [choice.partition("-") for choice in request.POST.getlist("who")[: 2 * OFFERED]]
    ids = {kind: [int(pk) for of, _, pk in chosen if of == kind and _is_id(pk)] for kind in ("member", "labeler")}
    members = Membership.objects.filter(project=request.project, role__in=LABELS, pk__in=ids["member"])
    labelers = [labeler_of(member) for member in members.select_related("user")]
    labelers += Labeler.objects.filter(project=request.project, pk__in=ids["labeler"])
    if labelers:
        came = put_in(found, labelers)
        messages.success(request, f"{came} came into {found.name}." if came else "They were in it already.")
    else:
        messages.error(request, "Nobody was chosen. Tick whom to put in.")
    return redirect("cohort", request.project.slug, found.pk)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


@require_POST
@project_page([Role.OWNER])
def take_out_of_cohort(request: ProjectRequest, cohort_id: int, labeler_id: int) -> HttpResponse:
    found = _cohort_or_404(request, cohort_id)
    labeler = Labeler.objects.filter(project=request.project, pk=labeler_id).first()
    if labeler is None:
        raise Http404("There is no such page, or it is not yours.")
    try:
        take_out(found, labeler.pk)
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        says = f"{labeler} is not in {found.name} any more; what they said while in it stays with it."
        messages.success(request, says)
    return redirect("cohort", request.project.slug, found.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page([Role.OWNER])
def delete(request: ProjectRequest, cohort_id: int) -> HttpResponse:
    found = _cohort_or_404(request, cohort_id)
    status = 200
    if request.method == "POST":
        try:
            delete_cohort(found)
        except Refusal as refusal:
            status = refusal.status
        else:
            messages.success(request, f"The cohort {found.name} is deleted.")
            return redirect("cohorts", request.project.slug)
    context = {"cohort": found, "why_kept": why_kept(found)}
    return render(request, "people/delete_cohort.html", context, status=status)


def _cohort_or_404(request: ProjectRequest, cohort_id: int) -> Cohort:
    found = Cohort.objects.filter(project=request.project, pk=cohort_id).first()
    if found is None:
        raise Http404("There is no such page, or it is not yours.")
    return found


def _refuse_who_only_looks(request: ProjectRequest) -> None:
    if request.membership.role != Role.OWNER:
        raise PermissionDenied("Cohorts are changed by owners of the project.")
