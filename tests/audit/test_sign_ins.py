"""Signing in and out, passwords and sessions in the audit log, by whichever door."""

import pytest
from django.core import mail
from django.test import Client

from labeling.models import AuditKind, Membership, Project, SignInLink, User
from labeling.sessions import end_session, live_sessions, sign_out_member
from tests.audit.test_acts import noted

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.usefixtures("quick_to_sign_in")]
PASSWORD = "an old-fashioned engine"


@pytest.fixture
def ada(db: None, quick_to_sign_in: None) -> User:
    return User.objects.create_user(username="ada", email="ada@example.org", password=PASSWORD)


def test_who_signs_in_and_out_is_noted(ada: User) -> None:
    client = Client()
    client.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    client.post("/accounts/logout/")
    client.get(f"/link/{SignInLink.make(ada)}/")
    assert noted(AuditKind.SIGN_IN) == [{"user": ada.pk, "project": None}] * 2
    assert noted(AuditKind.SIGN_OUT) == [{"user": ada.pk, "project": None}]


@pytest.mark.parametrize("login", ["ada", "ada@example.org", "ADA@example.org"])
def test_a_wrong_password_is_noted_at_the_account_that_was_tried(ada: User, login: str) -> None:
    Client().post("/accounts/login/", {"login": login, "password": "a guess"})
    assert noted(AuditKind.SIGN_IN_FAILED) == [{"member": ada.pk, "user": None, "project": None}]
    assert noted(AuditKind.SIGN_IN) == []


def test_a_name_that_nobody_bears_fills_no_log(ada: User) -> None:
    Client().post("/accounts/login/", {"login": "bob", "password": "a guess"})
    assert noted(AuditKind.SIGN_IN_FAILED) == []


def test_a_password_that_is_changed_or_reset_is_noted(ada: User) -> None:
    client = Client()
    client.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    new = "a newer and quieter engine"
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    Client().post("/accounts/password/reset/", {"email": "ada@example.org"})
    link = next(word for word in mail.outbox[-1].body.split() if "/password/reset/key/" in word)
    visitor = Client()
    form = visitor.get(link[link.index("/accounts/") :], follow=True).request["PATH_INFO"]
    visitor.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    assert [one["act"] for one in noted(AuditKind.PASSWORD)] == ["changed", "reset"]
    assert [one["act"] for one in noted(AuditKind.SESSION)] == ["ended_others"] * 2
    assert {one["user"] for one in noted(AuditKind.PASSWORD)} == {ada.pk}


def test_sessions_that_are_ended_are_noted(project: Project, owner: User, labeler: User) -> None:
    client = Client()
    client.force_login(labeler)
    end_session(labeler, live_sessions(labeler)[0].handle)
    client.force_login(labeler)
    sign_out_member(Membership.objects.get(user=labeler))
    assert noted(AuditKind.SESSION) == [
        {"act": "ended", "sessions": 1, "user": labeler.pk, "project": None},
        {
            "act": "ended_for", "member": labeler.pk, "sessions": 1, "tokens": 0, "user": None, "project": project.pk
        },
    ]  # fmt: skip
