"""Guessing a password, stealing a session; tokens that are found in a copy of the database, or used elsewhere."""

import re
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from labeling.models import Membership, Project, ProjectToken, Role, SignInLink, User
from labeling.scopes import scopes_for
from tests.conftest import make_member
from tests.security.quick_passwords import PASSWORD_HASHERS
from tests.security.served import Attacker, Served

pytestmark = [pytest.mark.postgres, pytest.mark.redis]
LOGIN, HOME, PASSWORD = "/accounts/login/", "/projects/helpdesk/overview/", "harbour-lantern-91"
TOKENS = "/projects/helpdesk/tokens/"


@pytest.fixture(autouse=True)
def _quick(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS


@pytest.fixture
def owner(project: Project) -> User:
    made = make_member(project, "olga", Role.OWNER)
    made.password = make_password(PASSWORD, hasher="md5")  # see quick_passwords.py
    made.save()
    return made


def sign_in(visitor: Attacker, login: str, password: str) -> bool:
    """Whether a session came of it."""
    visitor.post(LOGIN, {"login": login, "password": password})
    return visitor.get(HOME).status == 200


@pytest.mark.threat(12)
def test_one_address_guesses_so_often_and_then_not_even_the_right_password_opens(served: Served, owner: User) -> None:
    eve = served.nobody(comes_from="203.0.113.9")
    assert not any(sign_in(eve, f"name-{number}", "winter-2026") for number in range(10))
    assert not sign_in(eve, "olga", PASSWORD)
    assert sign_in(served.nobody(comes_from="203.0.113.10"), "olga", PASSWORD)


@pytest.mark.threat(12)
def test_an_account_is_locked_whatever_the_addresses_that_guess(served: Served, owner: User) -> None:
    for number in range(5):
        assert not sign_in(served.nobody(comes_from=f"203.0.113.{number}"), "olga", f"winter-{number}")
    assert not sign_in(served.nobody(comes_from="203.0.113.99"), "olga", PASSWORD)


@pytest.mark.threat(12)
@pytest.mark.parametrize("others", [["OLGA", "Olga", "oLGA", "olgA"], [" olga", "olga ", "\tolga", "olga\n"]])
def test_another_spelling_of_the_name_is_no_other_account(served: Served, owner: User, others: list[str]) -> None:
    for number in range(5):
        assert not sign_in(served.nobody(comes_from=f"203.0.113.{number}"), "olga", "no")
    found = [
        sign_in(served.nobody(comes_from=f"203.0.114.{place}"), name, PASSWORD) for place, name in enumerate(others)
    ]
    assert found == [False] * len(others)


@pytest.mark.threat(12)
@pytest.mark.parametrize("door", ["/admin/login/", "/admin/"])
def test_there_is_no_second_door_to_guess_at(served: Served, db: None, door: str) -> None:
    User.objects.create_superuser("root", "root@example.org", PASSWORD)
    eve = served.nobody()
    eve.post(door, {"username": "root", "password": PASSWORD, "next": "/admin/"}, form_at=LOGIN)
    assert eve.get("/admin/").to.startswith(("/accounts/login/", "/admin/login/"))
    assert eve.get("/admin/login/").to == f"{LOGIN}?next=%2Fadmin%2Flogin%2F"


@pytest.mark.threat(12)
def test_a_wrong_name_and_a_wrong_password_are_answered_alike(served: Served, owner: User) -> None:
    told = []
    for login in ("olga", "nobody-here"):
        answer = served.nobody(comes_from="203.0.113.20").post(LOGIN, {"login": login, "password": "no"})
        text = re.sub(r'value="\w{64}"', "", answer.text).replace(login, "")
        told.append((answer.status, text))
    assert told[0] == told[1]
    for address in (owner.email, "nobody@example.org"):
        answer = served.nobody().post("/accounts/password/reset/", {"email": address})
        told.append((answer.status, answer.to))
    assert told[2] == told[3]


@pytest.mark.threat(12)
def test_asking_for_mail_again_and_again_sends_so_many(served: Served, owner: User) -> None:
    before = served.log.read_text().count("/accounts/password/reset/key/")
    for number in range(7):
        served.nobody(comes_from=f"203.0.113.{number}").post("/accounts/password/reset/", {"email": owner.email})
    assert served.log.read_text().count("/accounts/password/reset/key/") - before == 5


@pytest.mark.threat(12)
def test_a_session_that_was_planted_before_is_worth_nothing_after_sign_in(served: Served, owner: User) -> None:
    eve = served.nobody()
    eve.get(LOGIN)
    eve.cookies["sessionid"] = "a" * 32
    victim = served.nobody()
    victim.cookies |= eve.cookies
    assert sign_in(victim, "olga", PASSWORD)
    assert victim.cookies["sessionid"] != "a" * 32
    assert eve.get(HOME).to.startswith(LOGIN)


@pytest.mark.threat(12)
def test_a_link_gives_a_session_of_its_own(served: Served, owner: User) -> None:
    victim = served.nobody()
    victim.cookies["sessionid"] = "b" * 32
    victim.get(f"/link/{SignInLink.make(owner)}/")
    assert victim.get(HOME).status == 200
    assert victim.cookies["sessionid"] != "b" * 32


@pytest.mark.threat(12)
def test_a_stolen_session_ends_when_its_owner_signs_out_or_takes_another_password(served: Served, owner: User) -> None:
    victim, thief = served.nobody(), served.nobody()
    assert sign_in(victim, "olga", PASSWORD)
    thief.cookies |= victim.cookies
    assert thief.get(HOME).status == 200
    victim.post("/accounts/logout/")
    assert thief.get(HOME).to.startswith(LOGIN)
    assert sign_in(victim, "olga", PASSWORD)
    thief.cookies = dict(victim.cookies)
    owner.set_password("another-lantern-17")
    owner.save()
    assert thief.get(HOME).to.startswith(LOGIN)


@pytest.mark.threat(12)
def test_cookies_go_over_https_alone_and_no_script_reads_the_session(served: Served, owner: User) -> None:
    visitor = served.nobody()
    secret = visitor.secret_of(LOGIN)
    body = f"csrfmiddlewaretoken={secret}&login=olga&password={PASSWORD}".encode()
    said = {"Content-Type": "application/x-www-form-urlencoded", "Referer": "https://accord.example.org/"}
    answer = visitor.ask("POST", LOGIN, body, said)
    lines = answer.headers.get_all("Set-Cookie") or []
    cookies = {name: one for line in lines for name, one in SimpleCookie(line).items()}
    assert {"sessionid", "csrftoken"} <= set(cookies)
    assert all(one["secure"] and one["samesite"] == "Lax" for one in cookies.values())
    assert cookies["sessionid"]["httponly"]
    assert int(answer.headers["Strict-Transport-Security"].partition("=")[2]) >= 30 * 86400


@pytest.mark.threat(12)
def test_after_sign_in_nobody_is_led_to_another_site(served: Served, owner: User) -> None:
    for to in ("https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "javascript:alert(1)"):
        answer = served.nobody().post(LOGIN, {"login": "olga", "password": PASSWORD, "next": to})
        assert (answer.status, "evil" in answer.headers["Location"]) == (302, False)
        assert answer.headers["Location"] == "/"


# --- tokens -----------------------------------------------------------------------------------------------------------


def everything_kept() -> str:
    """What a copy of the database would show."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        told = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            told += [str(row) for row in cursor.fetchall()]
    return "\n".join(told)


def make_token(visitor: Attacker, **fields: Any) -> str:
    """As the token page makes and shows it."""
    answer = visitor.post(TOKENS, fields)
    assert answer.status == 302, answer.text
    found = re.search(r"\b[0-9a-f]{64}\b", visitor.get(TOKENS).text)
    assert found is not None
    return found[0]


@pytest.mark.threat(11)
def test_a_token_is_shown_once_and_found_in_no_copy_of_the_database_or_the_log(served: Served, owner: User) -> None:
    visitor = served.signed_in(owner)
    token = make_token(visitor, name="script")
    assert served.with_token(token).get("/api/v1/me").status == 200
    assert token not in visitor.get(TOKENS).text
    kept = everything_kept()
    assert "script" in kept
    assert token not in kept
    assert SignInLink.make(owner) not in everything_kept()
    assert token not in served.log.read_text()


@pytest.mark.threat(11)
def test_a_token_ends_and_its_digest_opens_nothing(served: Served, owner: User, project: Project) -> None:
    token = make_token(served.signed_in(owner))
    row = ProjectToken.objects.get()
    assert row.expiry is not None
    assert row.expiry - timezone.now() <= timedelta(days=90)
    for forged in (row.digest, row.token_key, row.token_key + "0" * 56, token.upper(), token[:-1], ""):
        assert served.with_token(forged or " ").get("/api/v1/me").status == 401
    ProjectToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert served.with_token(token).get("/api/v1/me").status == 401


@pytest.mark.threat(11)
def test_a_token_does_what_it_was_made_for_in_its_project_alone(served: Served, owner: User, project: Project) -> None:
    other = Project.objects.create(name="Archive", slug="archive")
    Membership.objects.create(user=owner, project=other, role=Role.OWNER)
    reads = served.with_token(ProjectToken.make(user=owner, project=project))
    assert reads.get("/api/v1/projects/helpdesk/prompts").status == 200
    assert reads.send("POST", "/api/v1/projects/helpdesk/prompts", {"records": []}).code == "scope_missing"
    assert reads.get("/api/v1/projects/archive/prompts").status == 404
    assert reads.get(HOME).to.startswith(LOGIN)
    every = ProjectToken.make(user=owner, project=project, scopes=scopes_for(Role.OWNER))
    assert served.nobody().get(f"/api/v1/me?token={every}&access_token={every}").status == 401


@pytest.mark.threat(11)
def test_a_token_of_somebody_who_left_or_was_shut_out_opens_nothing(
    served: Served, owner: User, project: Project
) -> None:
    asked = served.with_token(ProjectToken.make(user=owner, project=project))
    assert asked.get("/api/v1/projects/helpdesk/prompts").status == 200
    User.objects.update(is_active=False)
    assert asked.get("/api/v1/projects/helpdesk/prompts").status == 401
    User.objects.update(is_active=True)
    Membership.objects.all().delete()
    assert asked.get("/api/v1/projects/helpdesk/prompts").status == 404


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.threat(10)
def test_an_error_says_its_number_and_the_log_says_what_it_was(served: Served, owner: User, project: Project) -> None:
    api = served.with_token(ProjectToken.make(user=owner, project=project))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE labeling_prompt RENAME TO gone_for_a_moment")
        try:
            told = api.get("/api/v1/projects/helpdesk/prompts")
            page = served.signed_in(owner).get("/projects/helpdesk/prompts/")
        finally:
            cursor.execute("ALTER TABLE gone_for_a_moment RENAME TO labeling_prompt")
    assert (told.status, page.status) == (500, 500)
    number = told.json()["error"]["id"]
    log = served.log.read_text()
    for words in ("labeling_prompt", "psycopg", "Traceback", "relation", "ProgrammingError", "/labeling/"):
        assert words not in told.text + page.text
    assert log.count("ProgrammingError") >= 2
    assert number in log
    shown = re.search(r"\b[0-9a-f]{32}\b", re.sub(r"<[^>]+>", " ", page.text))
    assert shown is not None, "the page says no number by which the error is found in the log"
    assert shown[0] in log
