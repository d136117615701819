"""The page that an invitation's link leads to. Looking at it changes nothing: mail programs look at links too."""

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from labeling.backends import BACKEND
from labeling.errors import InvalidWork, InvitationGone
from labeling.inviting import accept, accept_as_new, has_account, in_words, inviter_of, open_invitation
from labeling.models import Invitation, Membership, User
from labeling.views.home import first_page


@sensitive_post_parameters("password", "password_again")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    try:
        found = open_invitation(token)
        if isinstance(request.user, User):
            return _for_someone(request, found, token, request.user)
        return _for_a_newcomer(request, found, token)
    except InvitationGone as gone:
        return render(request, "people/invitation_gone.html", {"says": gone.message}, status=gone.status)


def _for_someone(request: HttpRequest, found: Invitation, token: str, user: User) -> HttpResponse:
    if request.method == "POST":
        return redirect(first_page(accept(token, user)) or "home")
    member = Membership.objects.filter(user=user, project=found.project_id).first()
    return render(request, "people/invitation.html", _context(found) | {"member": member})


def _for_a_newcomer(request: HttpRequest, found: Invitation, token: str) -> HttpResponse:
    if has_account(found.email):
        return render(request, "people/invitation_sign_in.html", _context(found))
    problems: dict[str, str] = {}
    if request.method == "POST":
        password = request.POST.get("password", "")
        if password != request.POST.get("password_again", ""):
            problems = {"password_again": gettext("The two passwords are not the same; type them again.")}
        else:
            try:
                membership = accept_as_new(token, name=request.POST.get("name", ""), password=password)
            except InvalidWork as refusal:
                problems = {problem.place: problem.message for problem in refusal.problems}
            else:
                login(request, membership.user, backend=BACKEND)
                return redirect(first_page(membership) or "home")
    context = _context(found) | {"problems": problems, "typed": request.POST.get("name", "")}
    return render(request, "people/invitation_new.html", context, status=400 if problems else 200)


def _context(found: Invitation) -> dict[str, object]:
    return {
        "invitation": found,
        "invited_to": found.project,
        "inviter": inviter_of(found),
        "until": in_words(found),
    }
