"""Who belongs to a project: members, open invitations, and the form that invites. Owners act, researchers look."""

from collections.abc import Mapping
from datetime import timedelta

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.inviting import AlreadyInvited, MailNotSent, in_words, invite, send_again, withdraw
from labeling.models import Invitation, Membership, Role
from labeling.roster import rows_of
from labeling.second_factors import OF_A_PROJECT

A_PAGE = 50
MAIL_IS_PRINTED = "django.core.mail.backends.console.EmailBackend"


@never_cache
@require_safe
@project_page(RESEARCHES)
def people(request: ProjectRequest) -> HttpResponse:
    return show_people(request)


def show_people(
    request: ProjectRequest,
    *,
    typed: Mapping[str, str] | None = None,
    problem: str = "",
    again: Invitation | None = None,
    pay_problem: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page, with what was typed and why it was refused. again: the open invitation that could be sent again."""
    members = Membership.objects.filter(project=request.project).select_related("user").order_by("user__username")
    page = Paginator(members, A_PAGE).get_page(request.GET.get("page"))
    today = timezone.localdate()
    open_ones = Invitation.objects.filter(project=request.project, accepted_at=None, withdrawn_at=None)
    invitations = Paginator(open_ones.select_related("invited_by"), A_PAGE).get_page(request.GET.get("invitations"))
    context = {
        "owns": request.membership.role == Role.OWNER,
        "page": page,
        "rows": rows_of(list(page.object_list)),
        "members": page.paginator.count,
        "owners": members.filter(role=Role.OWNER).count(),
        "invitations": invitations,
        "invited": invitations.paginator.count,
        "now": timezone.now(),
        "cohorts": request.project.cohorts.count(),
        "roles": Role.choices,
        "asked_of": {*settings.SECOND_FACTOR_ROLES, *(OF_A_PROJECT if request.project.second_factor else ())},
        "typed": typed or {"role": Role.LABELER, "from": str(today.replace(day=1)), "to": str(today)},
        "problem": problem,
        "again": again,
        "pay_problem": pay_problem,
        "mail_is_printed": settings.EMAIL_BACKEND == MAIL_IS_PRINTED,
        "valid_days": Invitation.VALID_FOR // timedelta(days=1),
    }
    return render(request, "people/people.html", context, status=status)


@require_POST
@project_page([Role.OWNER])
@reauthentication_required
def invite_somebody(request: ProjectRequest) -> HttpResponse:
    typed = {name: request.POST.get(name, "") for name in ("email", "role")}
    try:
        made = invite(
            request.project,
            email=typed["email"],
            role=typed["role"],
            by=request.user,
            address_of=lambda token: link_of(request, token),
        )
    except MailNotSent as refusal:
        messages.error(request, refusal.message)
    except AlreadyInvited as refusal:
        return show_people(
            request, typed=typed, problem=refusal.message, again=refusal.invitation, status=refusal.status
        )
    except Refusal as refusal:
        return show_people(request, typed=typed, problem=refusal.message, status=refusal.status)
    else:
        messages.success(request, f"{made.email} is invited as {made.get_role_display().lower()}.")
    return redirect("people", request.project.slug)


def link_of(request: ProjectRequest, token: str) -> str:
    return request.build_absolute_uri(reverse("invitation", args=[token]))


@require_POST
@project_page([Role.OWNER])
def resend_invitation(request: ProjectRequest, invitation_id: int) -> HttpResponse:
    found = _invitation_or_404(request, invitation_id)
    try:
        anew = send_again(found, by=request.user, address_of=lambda token: link_of(request, token))
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(
            request, f"{anew.email} was sent a new link, valid until {in_words(anew)}. The old one leads nowhere."
        )
    return redirect("people", request.project.slug)


@require_POST
@project_page([Role.OWNER])
def withdraw_invitation(request: ProjectRequest, invitation_id: int) -> HttpResponse:
    found = _invitation_or_404(request, invitation_id)
    try:
        withdraw(found)
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"The invitation of {found.email} is withdrawn; its link leads nowhere.")
    return redirect("people", request.project.slug)


def _invitation_or_404(request: ProjectRequest, invitation_id: int) -> Invitation:
    found = Invitation.objects.select_related("project").filter(project=request.project, pk=invitation_id).first()
    if found is None:
        raise Http404("There is no such page, or it is not yours.")
    return found
