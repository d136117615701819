"""Signing in at an identity provider, a real one on the loopback interface: who is let in, and who would take over."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from oidc_provider_mock import run_server_in_thread
from oidc_provider_mock._storage import AuthorizationCode
from pytest_django.fixtures import Settings

from labeling.models import AuditKind, Invitation, Project, Role, User
from tests.audit.test_acts import noted
from tests.conftest import make_member
from tests.security.identity import PEOPLE, SSO, told_of

pytestmark = [pytest.mark.django_db, pytest.mark.threat(12)]
LOGIN, AGAIN = f"/accounts/oidc/{SSO}/login/", f"/accounts/oidc/{SSO}/again/"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with run_server_in_thread(user_claims=PEOPLE) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(autouse=True)
def _set_up(provider: str, settings: Settings) -> Iterator[None]:
    for name, value in told_of(provider).items():
        setattr(settings, name, value)
    cache.clear()
    yield
    cache.clear()


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Where to is what is asked."""


def give_consent(address: str, sub: str) -> str:
    """What somebody does at the provider; answers the way back, on this site."""
    try:
        build_opener(_Stay).open(Request(address, data=urlencode({"sub": sub}).encode()))
    except HTTPError as redirect:
        parts = urlsplit(redirect.headers["Location"])
        return f"{parts.path}?{parts.query}"
    raise AssertionError("the provider sent nobody back")


def come(sub: str, *, client: Client | None = None, by: str = LOGIN) -> tuple[Client, Any]:
    """The whole way, and the page at its end."""
    client = client or Client()
    return client, client.get(give_consent(client.get(by).url, sub))


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def invited(project: Project, email: str, **more: Any) -> None:
    digest, until = Invitation.digest_of(email), timezone.now() + timedelta(days=1)
    values = {"role": Role.LABELER, "digest": digest, "expires_at": until} | more
    Invitation.objects.create(project=project, email=email, **values)


def proven(user: User, *, verified: bool = True) -> User:
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=verified)
    return user


def test_who_is_invited_is_let_in_and_is_the_same_person_the_next_time(project: Project) -> None:
    invited(project, "Ada@example.org")
    client, _ = come("1")
    user = User.objects.get()
    assert (user.email, user.first_name, user.has_usable_password()) == ("ada@example.org", "Ada L.", False)
    assert is_in(client)
    assert SocialAccount.objects.get().extra_data == {}
    Invitation.objects.all().delete()
    assert is_in(come("1")[0])
    assert User.objects.count() == 1


def test_who_is_not_invited_is_told_so(project: Project) -> None:
    invited(project, "ada@example.org", expires_at=timezone.now() - timedelta(seconds=1))
    client, page = come("1")
    assert page.status_code == 403
    assert "Nobody invited ada@example.org" in page.content.decode()
    assert not is_in(client)
    assert not User.objects.exists()
    assert noted(AuditKind.SIGN_IN_FAILED)[0]["why"] == "not_invited"


def test_a_domain_is_named_whole(settings: Settings) -> None:
    for named, opens in (("example.org", False), ("ab.example.org", False), ("lab.example.org", True)):
        settings.SINGLE_SIGN_ON_DOMAINS = [named]
        assert is_in(come("4")[0]) is opens
    assert User.objects.get().first_name == "eve"


@pytest.mark.parametrize("sub", ["2", "3", "5"])
def test_an_address_that_the_provider_did_not_verify_opens_nothing(project: Project, sub: str) -> None:
    """Neither an account of its own nor the one that has the address."""
    proven(User.objects.create_user("ada", "ada@example.org"))
    invited(project, "ada@example.org")
    client, page = come(sub)
    assert (page.status_code, is_in(client)) == (403, False)
    assert not SocialAccount.objects.exists()


def test_an_account_that_never_proved_the_address_is_not_joined() -> None:
    """Somebody made it with another's address, and waits for them to come."""
    planted = proven(User.objects.create_user("eve", "ada@example.org"), verified=False)
    client, page = come("1")
    assert (page.status_code, is_in(client)) == (403, False)
    assert not SocialAccount.objects.filter(user=planted).exists()


def test_an_account_that_proved_the_same_address_is_joined_and_asked_for_its_second_factor() -> None:
    user = proven(User.objects.create_user("ada", "ada@example.org", "an old-fashioned engine"))
    assert is_in(come("1")[0])
    assert SocialAccount.objects.get().user == user
    Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
    client, page = come("1")
    assert (page.url, is_in(client)) == ("/accounts/2fa/authenticate/", False)


def test_after_sign_in_nobody_is_led_to_another_site(project: Project) -> None:
    invited(project, "ada@example.org")
    for to in ("https://evil.example.com/", "//evil.example.com", "/\\evil.example.com"):
        _, page = come("1", by=f"{LOGIN}?{urlencode({'next': to})}")
        assert page.url == "/"
    assert come("1", by=f"{LOGIN}?next=/reference/")[1].url == "/reference/"


def test_what_comes_back_is_good_once_and_for_the_browser_that_went(project: Project) -> None:
    invited(project, "ada@example.org")
    client = Client()
    back = give_consent(client.get(LOGIN).url, "1")
    thief = Client()
    thief.get(back)
    assert not is_in(thief)
    client.get(back)
    assert is_in(client)
    client.post("/accounts/logout/")
    client.get(back)
    assert not is_in(client)


def test_another_site_does_not_begin_it_for_somebody() -> None:
    assert Client().get(LOGIN, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    asked = parse_qs(urlsplit(Client().get(LOGIN, headers={"Sec-Fetch-Site": "same-origin"}).url).query)
    assert {"state", "code_challenge"} <= set(asked)


# --- before an export -------------------------------------------------------------------------------------------------


@pytest.fixture
def said_at(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """seconds_ago: when the provider says that somebody last signed in there; None where it says nothing."""
    when = SimpleNamespace(seconds_ago=0)
    decode = OpenIDConnectOAuth2Adapter._decode_id_token

    def told(self: Any, *given: Any) -> dict[str, Any]:
        said: dict[str, Any] = decode(self, *given)
        return {key: value for key, value in said.items() if key != "auth_time" or when.seconds_ago is not None}

    monkeypatch.setattr(AuthorizationCode, "get_auth_time", lambda _: int(time.time()) - (when.seconds_ago or 0))
    monkeypatch.setattr(OpenIDConnectOAuth2Adapter, "_decode_id_token", told)
    return when


@pytest.fixture
def ada(project: Project) -> Client:
    """An owner without a password, who signed in by the provider."""
    user = proven(make_member(project, "ada", Role.OWNER))
    user.set_unusable_password()
    user.save()
    client, _ = come("1")
    assert is_in(client)
    return client


def test_who_has_no_password_is_asked_by_the_provider_before_an_export(ada: Client, said_at: SimpleNamespace) -> None:
    tokens = "/projects/helpdesk/tokens/"
    page = ada.post(tokens, {"name": "script"}, headers={"Referer": f"http://testserver{tokens}"}).content.decode()
    found = re.search(rf'href="({AGAIN}[^"]+)"', page)
    assert found is not None
    to_provider = ada.get(unescape(found[1])).url
    asked = parse_qs(urlsplit(to_provider).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    back = ada.get(give_consent(to_provider, "1"))
    assert back.url.endswith(tokens)
    assert ada.post(tokens, {"name": "script"}).url == tokens


def test_a_download_goes_to_the_provider_and_comes_back(ada: Client, said_at: SimpleNamespace) -> None:
    table = "/projects/helpdesk/people/pay.csv?from=2026-03-01&to=2026-03-02"
    to = ada.get(table).url
    assert urlsplit(to).path == AGAIN
    assert ada.get(give_consent(ada.get(to).url, "1")).url == table
    assert ada.get(table)["Content-Type"].startswith("text/csv")


@pytest.mark.parametrize("seconds_ago", [3600, None])
def test_a_provider_that_asked_nobody_is_not_believed(
    ada: Client, said_at: SimpleNamespace, seconds_ago: int | None
) -> None:
    said_at.seconds_ago = seconds_ago
    _, page = come("1", client=ada, by=AGAIN)
    assert page.status_code == 403
    assert ada.post("/projects/helpdesk/tokens/", {"name": "script"}).status_code == 403


def test_somebody_else_at_the_provider_does_not_confirm_it(
    ada: Client, project: Project, said_at: SimpleNamespace
) -> None:
    invited(project, "eve@lab.example.org")
    come("4")
    _, page = come("4", client=ada, by=AGAIN)
    assert page.status_code == 403
    assert ada.post("/projects/helpdesk/tokens/", {"name": "script"}).status_code == 403
