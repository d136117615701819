"""Signing in by a link that works once."""

from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from labeling.backends import BACKEND
from labeling.models import SignInLink
from labeling.second_factors import has_second_factor


@never_cache
@require_GET
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Uses the link up and signs its user in, once they gave their second factor where they have one.

    A used, old or invented link gets one and the same page, status 410.
    """
    user = SignInLink.redeem(token)
    if user is None:
        return render(request, "link_used.html", status=410)
    if has_second_factor(user):
        return perform_login(request, Login(user=user, redirect_url=reverse("home")))
    login(request, user, backend=BACKEND)
    return redirect("home")
