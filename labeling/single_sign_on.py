"""Signing in at an identity provider of the operator's, by OpenID Connect (ACCORD_OIDC_…, docs/signing_in.md).

Whoever comes is let in by an address that the provider has verified: an account that proved the same address itself,
an open invitation to it, or a domain that the operator named. From then on the provider's own name of the person
counts, and no address.
"""

import time
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext

from labeling.audit.recording import record
from labeling.errors import BadName
from labeling.models import AuditKind, Invitation, User
from labeling.names import checked_line

AGAIN = "again"
"""In the state of who is sent to the provider to show once more that it is they."""
LATELY_SECONDS = 300
CLOCKS_DIFFER_SECONDS = 60

Claims = dict[str, Any]


def signs_in_elsewhere_only(user: User) -> bool:
    """Whether the provider alone can say that it is they: no password here and no second factor."""
    if not settings.SINGLE_SIGN_ON or user.has_usable_password() or get_reauthentication_flows(user):
        return False
    return SocialAccount.objects.filter(user=user, provider=settings.SINGLE_SIGN_ON).exists()


def came_back_lately(request: HttpRequest, user: User) -> bool:
    """Whether the provider said so within five minutes."""
    since = time.time() - LATELY_SECONDS
    records = get_authentication_records(request, user)
    return any(
        one.get("method") == "socialaccount" and one.get("reauthenticated") and one["at"] >= since for one in records
    )


class SingleSignOn(DefaultSocialAccountAdapter):
    """Who may come in by the provider, and as whom."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Raises ImmediateHttpResponse with the page that says why not."""
        said = sociallogin.account.extra_data
        userinfo, token = said.get("userinfo") or {}, said.get("id_token") or {}
        if not token or (userinfo and userinfo.get("sub") != token.get("sub")):
            raise _refused(request, "mixed_up", gettext("What the provider said of you does not fit together."))
        state = sociallogin.state
        if (state.get("data") or {}).get(AGAIN):
            self._came_back(request, sociallogin, token, asked_at=state["data"][AGAIN])
        elif state.get("process") == "login" and not sociallogin.is_existing:
            self._let_in(request, sociallogin, userinfo or token)
        # Who it is, is kept, and nothing else of what was said of them.
        sociallogin.account.extra_data = {}
        if sociallogin.account.pk:
            sociallogin.account.save(update_fields=["extra_data"])

    def _came_back(self, request: HttpRequest, sociallogin: SocialLogin, token: Claims, *, asked_at: float) -> None:
        """Somebody who is signed in was asked at the provider who they are: it has to be they, and just now."""
        user = request.user
        if not (isinstance(user, User) and sociallogin.is_existing and sociallogin.user.pk == user.pk):
            raise _refused(request, "another_person", gettext("Somebody else signed in at the provider."))
        if not isinstance(at := token.get("auth_time"), int) or at < asked_at - CLOCKS_DIFFER_SECONDS:
            raise _refused(
                request,
                "not_anew",
                gettext("The provider did not say that you signed in just now, and it was asked to ask you."),
            )
        provider, uid = sociallogin.account.provider, sociallogin.account.uid
        record_authentication(request, user, "socialaccount", provider=provider, uid=uid, reauthenticated=True)

    def _let_in(self, request: HttpRequest, sociallogin: SocialLogin, claims: Claims) -> None:
        """claims: those that the new account would be made of."""
        verified: str = sociallogin.user.email
        if not verified or claims.get("email_verified") is not True:
            says = gettext(
                "The provider did not say that your e-mail address is verified, and nobody is let in without."
            )
            raise _refused(request, "unverified", says)
        there = User.objects.filter(email__iexact=verified)
        proven = EmailAddress.objects.filter(email__iexact=verified, verified=True).select_related("user").first()
        if proven is not None:
            sociallogin.connect(request, proven.user)
        elif there.exists() or EmailAddress.objects.filter(email__iexact=verified).exists():
            says = gettext(
                "There is an account with the address %(email)s that never proved it. Whoever runs this installation "
                "can look into it."
            )
            raise _refused(request, "unproven_here", says % {"email": verified})
        elif not (is_invited(verified) or in_domain(verified)):
            says = gettext(
                "Nobody invited %(email)s, and accounts come by invitation. Ask whoever wants you here to invite this "
                "very address."
            )
            raise _refused(request, "not_invited", says % {"email": verified})

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return True  # _let_in decided

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Claims) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        try:
            user.first_name = checked_line(str(data.get("name") or ""), what="name", most=150)
        except BadName:
            user.first_name = user.email.partition("@")[0][:150]
        user.last_name = ""
        return user

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: SocialAccount) -> str:
        return "/account/"


def is_invited(email: str) -> bool:
    now = timezone.now()
    open_ones = Invitation.objects.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=now)
    return open_ones.filter(email__iexact=email).exists()


def in_domain(email: str) -> bool:
    """The whole domain, not its end: a name below one that was named is another's."""
    return email.rpartition("@")[2].lower() in settings.SINGLE_SIGN_ON_DOMAINS


def _refused(request: HttpRequest, why: str, says: str) -> ImmediateHttpResponse:
    record(AuditKind.SIGN_IN_FAILED, by=None, facts={"door": "single_sign_on", "why": why})
    return ImmediateHttpResponse(render(request, "socialaccount/refused.html", {"says": says}, status=403))
