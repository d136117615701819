"""Second factors: added after the password is typed again, asked for at every door, used once, asked for by project."""

import json
import re
import time
from types import SimpleNamespace

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from labeling.models import AuditKind, Membership, Project, Session, SignInLink, User
from tests.audit.test_acts import noted
from tests.conftest import signed_in
from tests.security.authenticator import Passkey, options_on

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.usefixtures("quick_to_sign_in")]
PASSWORD = "an old-fashioned engine"
PEOPLE = "/projects/helpdesk/people/"


@pytest.fixture
def owner(owner: User, quick_to_sign_in: None) -> User:
    owner.set_password(PASSWORD)
    owner.save()
    return owner


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time of codes; later: seconds that it is ahead."""
    ahead = SimpleNamespace(later=0)
    monkeypatch.setattr(totp, "time", SimpleNamespace(time=lambda: time.time() + ahead.later))
    return ahead


def by_password(user: User, client: Client | None = None) -> Client:
    client = client or Client()
    client.post("/accounts/login/", {"login": user.username, "password": PASSWORD})
    return client


def just_signed_in(user: User) -> Client:
    client = by_password(user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def code_of(secret: str) -> str:
    return totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))


def add_app(client: Client) -> str:
    """As the page does; answers its secret."""
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    found = re.search(r">([A-Z2-7]{32})</code>", page)
    assert found is not None
    answer = client.post("/accounts/2fa/totp/activate/", {"code": code_of(found[1])})
    assert answer.status_code == 302, answer.content.decode()
    return found[1]


def shown_codes(client: Client) -> list[str]:
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    return re.findall(r"<li><code>(\d{8})</code></li>", page)


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_adding_one_asks_for_the_password_again(owner: User) -> None:
    for page in ("totp/activate/", "webauthn/add/"):
        answer = by_password(owner).get(f"/accounts/2fa/{page}")
        assert answer.url.startswith("/accounts/reauthenticate/")


def test_after_the_password_the_code_is_asked_for(owner: User, clock: SimpleNamespace) -> None:
    secret = add_app(just_signed_in(owner))
    clock.later = 30
    visitor = by_password(owner)
    assert not is_in(visitor)
    visitor.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert not is_in(visitor)
    visitor.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert is_in(visitor)


def test_a_code_is_good_once_the_one_that_added_the_app_included(owner: User, clock: SimpleNamespace) -> None:
    secret = add_app(just_signed_in(owner))
    visitor = by_password(owner)
    visitor.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert not is_in(visitor)
    clock.later = 30
    code = code_of(secret)
    for client, opens in ((visitor, True), (by_password(owner), False)):
        client.post("/accounts/2fa/authenticate/", {"code": code})
        assert is_in(client) is opens


def test_a_code_does_not_outlive_its_half_minute(owner: User, clock: SimpleNamespace) -> None:
    secret = add_app(just_signed_in(owner))
    clock.later = 60
    code, visitor = code_of(secret), by_password(owner)
    clock.later = 90
    visitor.post("/accounts/2fa/authenticate/", {"code": code})
    assert not is_in(visitor)


def test_recovery_codes_are_shown_once_and_each_opens_once(owner: User) -> None:
    client = just_signed_in(owner)
    add_app(client)
    codes = shown_codes(client)
    assert len(codes) == 10
    assert shown_codes(client) == []
    for opens in (True, False):
        visitor = by_password(owner)
        visitor.post("/accounts/2fa/authenticate/", {"code": codes[3]})
        assert is_in(visitor) is opens


def test_new_recovery_codes_end_the_old_ones(owner: User) -> None:
    client = just_signed_in(owner)
    add_app(client)
    old = shown_codes(client)
    client.post("/accounts/2fa/recovery-codes/generate/")
    assert not set(old) & set(shown_codes(client))
    visitor = by_password(owner)
    visitor.post("/accounts/2fa/authenticate/", {"code": old[0]})
    assert not is_in(visitor)


def test_a_link_does_not_go_round_it(owner: User, clock: SimpleNamespace) -> None:
    secret = add_app(just_signed_in(owner))
    clock.later = 30
    visitor = Client()
    assert visitor.get(f"/link/{SignInLink.make(owner)}/").url == "/accounts/2fa/authenticate/"
    assert not is_in(visitor)
    visitor.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert is_in(visitor)


def test_who_signed_in_without_it_signs_in_again(
    owner: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    elsewhere, here = by_password(owner), just_signed_in(owner)
    with django_capture_on_commit_callbacks(execute=True):
        add_app(here)
    assert (is_in(here), is_in(elsewhere)) == (True, False)


def test_secrets_are_not_in_the_database_in_clear(owner: User, settings: Settings) -> None:
    secret = add_app(just_signed_in(owner))
    kept = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in kept
    app = Authenticator.objects.get(type="totp")
    assert app.wrap().validate_code(code_of(secret)) is False  # used up
    cache.clear()
    assert app.wrap().validate_code(code_of(secret)) is True
    cache.clear()
    settings.SECRET_KEY = "another key, which the factors were not kept under"
    assert app.wrap().validate_code(code_of(secret)) is False


# --- passkeys ---------------------------------------------------------------------------------------------------------


def add_passkey(client: Client, passkey: Passkey) -> None:
    page = client.get("/accounts/2fa/webauthn/add/").content.decode()
    made = passkey.register(options_on(page, "creation_options"))
    client.post("/accounts/2fa/webauthn/add/", {"name": "Phone", "passwordless": "on", "credential": json.dumps(made)})


def test_a_passkey_signs_in_by_itself_and_its_answer_is_good_once(owner: User) -> None:
    passkey = Passkey("testserver")
    add_passkey(just_signed_in(owner), passkey)
    visitor = Client()
    asked = visitor.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"}).json()
    answer = {"credential": json.dumps(passkey.sign(asked["request_options"]))}
    for client, opens in ((visitor, True), (visitor, False), (Client(), False)):
        client.post("/accounts/2fa/webauthn/login/", answer)
        assert is_in(client) is opens
        client.post("/accounts/logout/")


def test_after_the_password_a_passkey_will_do(owner: User) -> None:
    passkey = Passkey("testserver")
    add_passkey(just_signed_in(owner), passkey)
    visitor = by_password(owner)
    page = visitor.get("/accounts/2fa/authenticate/").content.decode()
    said = passkey.sign(options_on(page, "request_options"))
    visitor.post("/accounts/2fa/authenticate/", {"credential": json.dumps(said)})
    assert is_in(visitor)


# --- asked for --------------------------------------------------------------------------------------------------------


def test_a_project_that_asks_for_one_opens_to_owners_with_one(project: Project, owner: User, labeler: User) -> None:
    client = just_signed_in(owner)
    client.post("/projects/helpdesk/settings/second-factor/", {"asked": "on"})
    answer = client.get(PEOPLE, follow=True)
    assert answer.redirect_chain == [("/accounts/2fa/", 302)]
    assert "Helpdesk asks for a second factor in your role" in answer.content.decode()
    assert signed_in(labeler).get("/projects/helpdesk/").status_code == 200
    add_app(client)
    assert client.get(PEOPLE).status_code == 200
    assert [one["act"] for one in noted(AuditKind.SECOND_FACTOR) if one["project"]] == ["asked_for"]


def test_recovery_codes_alone_are_no_second_factor(project: Project, owner: User) -> None:
    Project.objects.update(second_factor=True)
    Authenticator.objects.create(user=owner, type="recovery_codes", data={})
    assert signed_in(owner).get(PEOPLE).status_code == 302


def test_the_installation_can_ask_every_role(project: Project, labeler: User, settings: Settings) -> None:
    settings.SECOND_FACTOR_ROLES = ["labeler"]
    assert signed_in(labeler).get("/projects/helpdesk/").url == "/accounts/2fa/"


def test_the_list_of_people_shows_owners_who_has_one_and_not_which(
    project: Project, owner: User, researcher: User, labeler: User
) -> None:
    Authenticator.objects.create(user=labeler, type="totp", data={})
    html = signed_in(owner).get(PEOPLE).content.decode()
    assert html.count("second factor") == 1
    assert "totp" not in html
    assert "second factor" not in signed_in(researcher).get(PEOPLE).content.decode()


# --- written down and taken away --------------------------------------------------------------------------------------


def test_what_becomes_of_factors_is_noted(
    owner: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    client = just_signed_in(owner)
    with django_capture_on_commit_callbacks(execute=True):
        add_app(client)
    client.post("/accounts/2fa/totp/deactivate/")
    told = [(one["act"], one["factor"], one["user"]) for one in noted(AuditKind.SECOND_FACTOR)]
    assert sorted(told) == [
        ("added", "recovery_codes", owner.pk), ("added", "totp", owner.pk), ("removed", "recovery_codes", owner.pk),
        ("removed", "totp", owner.pk),
    ]  # fmt: skip


def test_a_wrong_code_is_noted(owner: User) -> None:
    add_app(just_signed_in(owner))
    by_password(owner).post("/accounts/2fa/authenticate/", {"code": "not one"})
    assert noted(AuditKind.SIGN_IN_FAILED) == [{"member": owner.pk, "factor": "totp", "user": None, "project": None}]


def test_a_command_removes_them_and_ends_the_sessions(project: Project, owner: User) -> None:
    client = just_signed_in(owner)
    add_app(client)
    call_command("remove_second_factors", "olga")
    assert not is_in(client)
    assert not Authenticator.objects.exists()
    assert not Session.objects.filter(user=owner).exists()
    assert is_in(by_password(owner))
    assert Membership.objects.filter(user=owner).exists()
