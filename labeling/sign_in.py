"""How people get in: by invitation only, or by a link that works once."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.reauthentication import suspend_request
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from labeling.models import SignInLink, User
from labeling.single_sign_on import came_back_lately, signs_in_elsewhere_only


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: an account is made by an owner's invitation or by manage.py."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Raises ImmediateHttpResponse for whom the provider alone can ask: allauth would let them go on unasked."""
        required: bool = super().is_reauthentication_required(app=app, **kwargs)
        request = context.request
        if required and signs_in_elsewhere_only(request.user) and not came_back_lately(request, request.user):
            raise ImmediateHttpResponse(_to_provider(request))
        return required


def _to_provider(request: HttpRequest) -> HttpResponse:
    """Straight there from a page. From a form by a page with a link: browsers let a form's answer lead to no other site
    (form-action). What was sent is not kept meanwhile; they come back to the page that the form stood on."""
    to = reverse("sign_in_again_elsewhere", args=[settings.SINGLE_SIGN_ON])
    if request.method != "POST":
        return suspend_request(request, to)
    before = request.headers.get("Referer", "")
    known = url_has_allowed_host_and_scheme(before, allowed_hosts={request.get_host()})
    address = f"{to}?{urlencode({'next': before if known else reverse('home')})}"
    return render(request, "socialaccount/confirm.html", {"address": address}, status=403)


def doors(request: HttpRequest) -> dict[str, str]:
    """Context of every page: where to sign in elsewhere; empty where there is no such place."""
    if not settings.SINGLE_SIGN_ON:
        return {}
    address = reverse("openid_connect_login", args=[settings.SINGLE_SIGN_ON])
    return {"single_sign_on": address, "single_sign_on_name": settings.SINGLE_SIGN_ON_NAME}


def one_time_link(user: User, *, base: str) -> str:
    """The address of a new sign-in link. base: where the site is reached."""
    return base.rstrip("/") + reverse("sign_in_link", args=[SignInLink.make(user)])
