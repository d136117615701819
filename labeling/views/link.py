"""Signing in by a link that works once."""

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from labeling.backends import BACKEND
from labeling.models import SignInLink


@never_cache
@require_GET
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Uses the link up and signs its user in; a used, old or invented one gets one and the same page, status 410."""
    user = SignInLink.redeem(token)
    if user is None:
        return render(request, "link_used.html", status=410)
    login(request, user, backend=BACKEND)
    return redirect("home")
