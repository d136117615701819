"""Tokens of the REST API for this project: made, shown once, revoked. Owners see everybody's.

A token that was made goes to the page that shows it in a cookie of that browser: a reload of the answer would make
another, and nothing of ours keeps a token in clear.
"""

from datetime import timedelta

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from knox.settings import CONSTANTS

from labeling.access import ProjectRequest, project_page
from labeling.audit.recording import record
from labeling.errors import Refusal
from labeling.models import AuditKind, ProjectToken, Role
from labeling.names import checked_line
from labeling.scopes import WORDS, checked_scopes, scopes_for

A_PAGE = 50
COOKIE = "made_token"
SHOWN_WITHIN = timedelta(minutes=1)
NAME_CHARACTERS = 60
MOST_OWN = 20
"""Live tokens of one person in a project: more are forgotten rather than used."""


def _shown_to(request: ProjectRequest) -> QuerySet[ProjectToken]:
    found = ProjectToken.objects.filter(project=request.project)
    return found if request.membership.role == Role.OWNER else found.filter(user=request.user)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Role.values)
@reauthentication_required(allow_get=True)
def tokens(request: ProjectRequest) -> HttpResponse:
    """The list; a POST makes a token, and the page it leads to is the only one that ever shows it."""
    problem = ""
    if request.method == "POST":
        own = ProjectToken.objects.filter(project=request.project, user=request.user, expiry__gt=timezone.now())
        if own.count() >= MOST_OWN:
            problem = f"You have {MOST_OWN} tokens here, and no more are made. Revoke one that is not used."
        else:
            try:
                return _made(request)
            except Refusal as refusal:
                problem = refusal.message
    made = "" if problem else _just_made(request)
    shown = _shown_to(request).select_related("user").order_by("-created", "pk")
    live = shown.filter(expiry__gt=timezone.now()).count()
    context = {
        "page": Paginator(shown, A_PAGE).get_page(request.GET.get("page")),
        "live": live,
        "ended": shown.count() - live,
        "made": made,
        "problem": problem,
        "everybodys": request.membership.role == Role.OWNER,
        "valid_days": ProjectToken.VALID_FOR.days,
        "scopes": [(scope.value, WORDS[scope]) for scope in scopes_for(request.membership.role)],
        "typed": request.POST,
        "now": timezone.now(),
        "base": request.build_absolute_uri("/").rstrip("/"),
    }
    answer = render(request, "people/tokens.html", context, status=409 if problem else 200)
    if made:
        answer.delete_cookie(COOKIE, path=request.path, samesite="Strict")
    return answer


def _made(request: ProjectRequest) -> HttpResponse:
    """Raises Refusal for a scope or a name that no token can have."""
    role = request.membership.role
    scopes = checked_scopes(request.POST.getlist("scope") or scopes_for(role)[:1], role)
    text = request.POST.get("name", "").strip()
    name = checked_line(text, what="name of the token", most=NAME_CHARACTERS) if text else ""
    with transaction.atomic():
        token = ProjectToken.make(user=request.user, project=request.project, scopes=scopes, name=name)
        facts = {"act": "made", "token": token[: CONSTANTS.TOKEN_KEY_LENGTH], "scopes": [str(one) for one in scopes]}
        record(AuditKind.TOKEN, project=request.project.pk, facts=facts)
    answer = redirect("tokens", request.project.slug)
    answer.set_signed_cookie(
        COOKIE,
        token,
        salt=_salt(request),
        max_age=SHOWN_WITHIN,
        path=request.path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return answer


def _just_made(request: ProjectRequest) -> str:
    """The token that this browser's last request made; empty where there is none, or it was shown."""
    made = request.get_signed_cookie(COOKIE, default="", salt=_salt(request), max_age=SHOWN_WITHIN)
    return str(made or "")


def _salt(request: ProjectRequest) -> str:
    """Whoever signs in next at this browser is not shown what another made."""
    return f"token of {request.user.pk} for {request.project.pk}"


@require_POST
@project_page(Role.values)
def revoke_token(request: ProjectRequest, key: str) -> HttpResponse:
    token = _shown_to(request).filter(token_key=key).first()
    if token is None:
        raise Http404("There is no such page, or it is not yours.")
    with transaction.atomic():
        facts = {"act": "revoked", "token": token.token_key, "member": token.user_id}
        record(AuditKind.TOKEN, project=request.project.pk, facts=facts)
        token.delete()
    messages.success(request, f"The token {token.token_key}… is revoked; it opens nothing any more.")
    return redirect("tokens", request.project.slug)
