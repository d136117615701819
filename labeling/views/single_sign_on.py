"""The way to the identity provider. The way back is allauth's, and who is let in says labeling/single_sign_on.py."""

import time
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from requests import RequestException

from labeling.single_sign_on import AGAIN


@never_cache
@require_safe
def begin(request: HttpRequest, provider_id: str) -> HttpResponse:
    """?next=: where to afterwards, on this site. A link and no form, for the policy lets forms lead nowhere else; so
    another site must not be able to begin it for somebody."""
    return _send(request, provider_id, process="login")


@never_cache
@require_safe
@login_required
def again(request: HttpRequest, provider_id: str) -> HttpResponse:
    """For who has no password here: the provider asks anew, whatever it remembers."""
    asked = {"prompt": "login", "max_age": "0"}
    return _send(request, provider_id, process="redirect", data={AGAIN: time.time()}, auth_params=asked)


def _send(request: HttpRequest, provider_id: str, *, process: str, **more: Any) -> HttpResponse:
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise PermissionDenied(gettext("Begin to sign in on this site, not on another one."))
    try:
        provider = get_adapter().get_provider(request, provider_id)
    except SocialApp.DoesNotExist:
        raise Http404(gettext("There is no such page, or it is not yours.")) from None
    try:
        answer: HttpResponse = provider.redirect(
            request, process=process, next_url=get_next_redirect_url(request), **more
        )
    except RequestException:
        raise PermissionDenied(
            gettext("The identity provider does not answer. Try again in a while, or sign in with a password.")
        ) from None
    return answer
