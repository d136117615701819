"""Sign-in, sign-out and password reset in our looks."""

import pytest
from django.core import mail
from django.test import Client

from labeling.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user(username="ada", email="ada@example.org", password="an old-fashioned engine")


@pytest.mark.parametrize("login", ["ada", "ada@example.org"])
def test_signing_in_works_by_name_and_by_email(ada: User, login: str) -> None:
    client = Client()
    answer = client.post("/accounts/login/", {"login": login, "password": "an old-fashioned engine"})
    assert (answer.status_code, answer.url) == (302, "/")
    assert client.session["_auth_user_id"] == str(ada.pk)


def test_a_wrong_password_is_said_without_saying_which_half_was_wrong(ada: User) -> None:
    wrong, unknown = (
        Client().post("/accounts/login/", {"login": login, "password": "guess"}).content.decode()
        for login in ("ada", "bob")
    )
    for html in (wrong, unknown):
        assert 'role="alert"' in html
    assert wrong.count("not correct") == unknown.count("not correct") == 1


def test_nobody_signs_up_by_themselves(db: None) -> None:
    answer = Client().post(
        "/accounts/signup/", {"email": "x@example.org", "username": "x", "password1": "p", "password2": "p"}
    )
    assert "Accounts come by invitation" in answer.content.decode()
    assert not User.objects.exists()


def test_a_password_is_reset_by_the_link_in_the_mail(ada: User) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": "ada@example.org"})
    link = next(word for word in mail.outbox[0].body.split() if "/accounts/password/reset/key/" in word)
    page = client.get(link, follow=True)
    assert "login__sheet" in page.content.decode()
    client.post(page.request["PATH_INFO"], {"password1": "a brand-new engine", "password2": "a brand-new engine"})
    ada.refresh_from_db()
    assert ada.check_password("a brand-new engine")


def test_signing_out_takes_a_post(ada: User) -> None:
    client = Client()
    client.force_login(ada)
    assert "login__sheet" in client.get("/accounts/logout/").content.decode()
    assert "_auth_user_id" in client.session
    client.post("/accounts/logout/")
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("page", ["/accounts/password/change/", "/accounts/email/", "/accounts/reauthenticate/"])
def test_the_other_account_pages_wear_the_same_looks(ada: User, page: str) -> None:
    client = Client()
    client.force_login(ada)
    answer = client.get(page, follow=True)
    assert "login__sheet" in answer.content.decode()
