"""Signing in as people do it: a code of an app, a passkey of the device, an identity provider; the keyboard does it."""

import re
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from oidc_provider_mock import run_server_in_thread
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings

from labeling.models import Project, Role, User
from tests.browser.axe import faults_in_both_looks
from tests.conftest import make_member
from tests.security.identity import PEOPLE, told_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.usefixtures("quick_to_sign_in")]
PASSWORD = "an old-fashioned engine"
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def ada(project: Project, quick_to_sign_in: None) -> User:
    user = make_member(project, "ada", Role.LABELER)
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def type_in(page: Page, field: str, *words: str) -> None:
    """Into a field and those after it, then Enter."""
    page.locator(field).focus()
    for number, word in enumerate(words):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(word)
    page.keyboard.press("Enter")


def press(page: Page, name: str, role: str = "button") -> None:
    page.get_by_role(role, name=name, exact=True).focus()  # type: ignore[arg-type]
    page.keyboard.press("Enter")


def sign_out(page: Page) -> None:
    press(page, "Sign out", "link")
    press(page, "Sign out")
    page.wait_for_url("**/accounts/login/")


def looked_at(page: Page) -> list[str]:
    found = faults_in_both_looks(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    return found


def code_of(secret: str) -> str:
    return totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))


def test_a_code_of_an_app_is_added_and_asked_for(ada: User, visit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    later = SimpleNamespace(seconds=0)
    monkeypatch.setattr(totp, "time", SimpleNamespace(time=lambda: time.time() + later.seconds))
    page = visit(None).open("/accounts/login/?next=/account/")
    type_in(page, "[name=login]", "ada", PASSWORD)
    page.wait_for_url("**/account/")
    press(page, "Add one", "link")
    press(page, "Add an app", "link")
    type_in(page, "#password", PASSWORD)
    page.wait_for_url("**/totp/activate/")
    secret = page.locator(".login__secret").inner_text()
    type_in(page, "#code", code_of(secret))
    page.wait_for_url("**/recovery-codes/")
    expect(page.locator(".login__codes li")).to_have_count(10)
    press(page, "Go on", "link")
    page.wait_for_url("**/account/")
    sign_out(page)

    later.seconds = 30
    type_in(page, "[name=login]", "ada", PASSWORD)
    page.wait_for_url("**/2fa/authenticate/")
    assert looked_at(page) == []
    type_in(page, "#code", "000000")
    expect(page.get_by_role("alert").first).to_be_visible()
    type_in(page, "#code", code_of(secret))
    page.wait_for_url("**/projects/helpdesk/")


def test_a_passkey_is_added_and_signs_in_by_itself(ada: User, visit: Callable) -> None:
    page = visit(None).open("/accounts/login/?next=/accounts/2fa/webauthn/add/")
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    type_in(page, "[name=login]", "ada", PASSWORD)
    type_in(page, "#password", PASSWORD)
    page.wait_for_url("**/webauthn/add/")
    page.locator("[name=name]").fill("This laptop")
    press(page, "Add the passkey")
    page.wait_for_url("**/recovery-codes/")
    assert str(Authenticator.objects.get(type="webauthn")) == "This laptop"
    page.goto(re.sub(r"/accounts/.*", "/account/", page.url))
    sign_out(page)
    press(page, "Sign in with a passkey")
    page.wait_for_url("**/projects/helpdesk/")


def test_who_has_no_passkey_is_told_so(visit: Callable) -> None:
    page = visit(None).open("/accounts/login/")
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    press(page, "Sign in with a passkey")
    expect(page.locator("[data-passkey-problem]")).to_be_visible()
    assert looked_at(page) == []


def test_the_identity_provider_of_the_house_signs_in(ada: User, visit: Callable, settings: Settings) -> None:
    with run_server_in_thread(user_claims=PEOPLE) as server:
        for name, value in told_of(f"http://localhost:{server.server_port}").items():
            setattr(settings, name, value)
        visitor = visit(None)
        visitor.expected += ["cdn.jsdelivr.net", "favicon.ico"]  # what the provider's own page asks for
        page = visitor.open("/accounts/login/")
        assert looked_at(page) == []
        press(page, "Sign in with The Lab", "link")
        type_in(page, "input[name=sub]", "1")
        page.wait_for_url("**/projects/helpdesk/")

        visitor.expected.append("403")
        stranger = visitor.context.browser.new_context().new_page()
        stranger.goto(f"{visitor.base}/accounts/login/")
        press(stranger, "Sign in with The Lab", "link")
        type_in(stranger, "input[name=sub]", "4")
        expect(stranger.get_by_role("alert")).to_contain_text("Nobody invited eve@lab.example.org")
        assert looked_at(stranger) == []
        stranger.context.close()
