"""One's own account: how one signs in, and where one is signed in. Of other people it shows nothing."""

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from labeling.models import User
from labeling.second_factors import has_second_factor
from labeling.sessions import end_other_sessions, end_session, live_sessions


@never_cache
@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    sessions = live_sessions(request.user)
    current = request.session.session_key
    sessions.sort(key=lambda one: one.session_key != current)
    context = {
        "sessions": sessions,
        "current": current,
        "others": sum(one.session_key != current for one in sessions),
        "second_factor": has_second_factor(request.user),
    }
    return render(request, "account/account.html", context)


@require_POST
@login_required
def end_one_session(request: HttpRequest, handle: str) -> HttpResponse:
    """Of one's own; a handle of anybody else's is none."""
    assert isinstance(request.user, User)
    ended = end_session(request.user, handle)
    if ended is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    if ended.session_key == request.session.session_key:
        logout(request)
        return redirect("account_login")
    messages.success(request, gettext("That session is ended: whoever has it is signed out."))
    return redirect("account")


@require_POST
@login_required
def end_all_others(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    ended = end_other_sessions(request.user, but=request.session.session_key)
    says = ngettext("%(many)d other session is ended.", "%(many)d other sessions are ended.", ended)
    messages.success(request, says % {"many": ended})
    return redirect("account")
