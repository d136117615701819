"""One member: another role, removal; and leaving by oneself. A page says what will end before anything does."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.leaving import leave, what_leaving_does
from labeling.members import change_role
from labeling.models import Membership, Role
from labeling.sessions import sign_out_member


def _member_or_404(request: ProjectRequest, membership_id: int) -> Membership:
    found = Membership.objects.select_related("user", "project").filter(project=request.project, pk=membership_id)
    member = found.first()
    if member is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    return member


def name_of(member: Membership) -> str:
    """As the list of members has it."""
    return member.user.get_full_name() or member.user.username


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page([Role.OWNER])
@reauthentication_required(allow_get=True)
def member(request: ProjectRequest, membership_id: int) -> HttpResponse:
    """Their role, and a form that gives another."""
    found = _member_or_404(request, membership_id)
    problem = ""
    if request.method == "POST":
        try:
            change_role(found, request.POST.get("role", ""))
        except Refusal as refusal:
            problem = refusal.message
        else:
            messages.success(request, f"{name_of(found)} is {found.get_role_display().lower()} now.")
            return redirect("people", request.project.slug)
    context = {"member": found, "roles": Role.choices, "problem": problem, "own": found.pk == request.membership.pk}
    return render(request, "people/member.html", context, status=409 if problem else 200)


@require_POST
@project_page([Role.OWNER])
@reauthentication_required
def sign_out(request: ProjectRequest, membership_id: int) -> HttpResponse:
    """Ends the sessions of a member, and their tokens of this project: a lost laptop, somebody who is leaving. An owner
    who does it to themselves keeps the session that they do it with."""
    found = _member_or_404(request, membership_id)
    sessions, tokens = sign_out_member(found, but=request.session.session_key)
    says = gettext(
        "%(person)s is signed out everywhere. Sessions ended: %(sessions)d; tokens of this project: %(tokens)d."
    )
    messages.success(request, says % {"person": name_of(found), "sessions": sessions, "tokens": tokens})
    return redirect("member", request.project.slug, found.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page([Role.OWNER])
@reauthentication_required(allow_get=True)
def remove_member(request: ProjectRequest, membership_id: int) -> HttpResponse:
    return _leave(request, _member_or_404(request, membership_id))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Role.values)
def leave_project(request: ProjectRequest) -> HttpResponse:
    return _leave(request, request.membership)


def _leave(request: ProjectRequest, leaver: Membership) -> HttpResponse:
    own = leaver.pk == request.membership.pk
    problem = ""
    if request.method == "POST":
        try:
            leave(leaver, sign_out=not own and "sign_out" in request.POST)
        except Refusal as refusal:
            problem = refusal.message
        else:
            name = request.project.name
            left = gettext("You left %(project)s.") % {"project": name}
            gone = gettext("%(person)s is no member of %(project)s any more.")
            messages.success(request, left if own else gone % {"person": name_of(leaver), "project": name})
            return redirect("home") if own else redirect("people", request.project.slug)
    context = {"leaver": leaver, "own": own, "ends": what_leaving_does(leaver), "problem": problem}
    context["sees_people"] = request.membership.role in RESEARCHES
    return render(request, "people/leave.html", context, status=409 if problem else 200)
