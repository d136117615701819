"""The front door: what a server refuses to start with, whom it believes, who gets in without being invited."""

import re
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from labeling.inviting import invite
from labeling.models import Membership, Project, Role, SignInLink, User
from tests.security.served import AWAY, HOST, Attacker, Served, granian
from tests.training.workers import ROOT, free_port

pytestmark = [pytest.mark.postgres, pytest.mark.redis]
LOGIN = "/accounts/login/"


@pytest.mark.threat(1)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCORD_SECRET_KEY", ""),
        ("ACCORD_SECRET_KEY", "django-insecure-3n^v0z(1a!kd9#5s7pq8mw2x$e4r6t"),
        ("ACCORD_SECRET_KEY", "changeme" * 8),
        ("ACCORD_DEBUG", "true"),
        ("ACCORD_ALLOWED_HOSTS", "accord.example.org,*"),
    ],
)
def test_with_a_known_secret_or_debug_or_any_host_no_server_answers(served: Served, name: str, value: str) -> None:
    port = free_port()
    ended = subprocess.run(
        granian(port), cwd=ROOT, env=served.environment | {name: value}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert name in ended.stdout + ended.stderr
    with pytest.raises(ConnectionRefusedError):
        Attacker(port).get("/health/live")


@pytest.mark.threat(1)
@pytest.mark.parametrize(
    "host", ["evil.example.com", "accord.example.org.evil.example.com", f"{HOST}@evil.example.com"]
)
def test_another_host_is_answered_with_nothing(served: Served, host: str) -> None:
    answer = served.nobody().get(LOGIN, Host=host)
    assert answer.status == 400
    assert "evil" not in answer.text


@pytest.mark.threat(1)
@pytest.mark.parametrize(
    "path", ["/nowhere/", "/projects/%ff/", "/link/%00/", "/api/v1/nowhere", "/static/nowhere.css"]
)
def test_what_is_not_there_tells_nothing_of_the_inside(served: Served, path: str) -> None:
    answer = served.nobody().get(path)
    assert answer.status in (400, 404, 410)
    assert not re.search(r"Traceback|DEBUG|urlconf|settings|/site-packages/", answer.text)


@pytest.mark.threat(7)
@pytest.mark.parametrize("login", ["admin", "root", "accord", "owner", "demo", "test", "maren"])
def test_a_new_installation_has_no_account_to_guess(served: Served, login: str) -> None:
    assert not User.objects.exists()
    visitor = served.nobody()
    answer = visitor.post(LOGIN, {"login": login, "password": login})
    assert answer.status == 200
    assert "sessionid" not in visitor.cookies


@pytest.mark.threat(7)
def test_whoever_signs_up_without_an_invitation_gets_no_account(served: Served) -> None:
    visitor = served.nobody()
    fields = {"email": "eve@example.com", "username": "eve", "password1": "harbour-lantern-91"}
    fields["password2"] = fields["password1"]
    visitor.get(LOGIN)
    answer = visitor.post("/accounts/signup/", fields, form_at=LOGIN)
    assert answer.status == 200
    assert not User.objects.exists()
    for path in ("/invitation/", "/link/"):
        assert visitor.get(f"{path}{quote('A' * 32)}/").status == 410
    assert "sessionid" not in visitor.cookies


@pytest.mark.threat(7)
def test_an_invitation_makes_one_account_with_the_invited_address_and_role(
    served: Served, project: Project, owner: User
) -> None:
    links: list[str] = []
    invite(
        project, email="ines@example.org", role=Role.LABELER, by=owner, address_of=lambda key: links.append(key) or key
    )
    [token] = links
    page = f"/invitation/{token}/"
    chosen = {"name": "Ines", "password": "harbour-lantern-91", "password_again": "harbour-lantern-91"}
    forged = {"email": "eve@example.com", "role": "owner", "username": "eve", "is_staff": "on", "is_superuser": "on"}
    served.nobody().post(page, chosen | forged)
    [made] = Membership.objects.exclude(user=owner)
    assert (made.role, made.user.email) == (Role.LABELER, "ines@example.org")
    assert not made.user.is_staff
    assert not made.user.is_superuser
    again = served.nobody()
    assert again.get(page).status == 410
    assert again.post(page, chosen, form_at=LOGIN).status == 410
    assert User.objects.count() == 2


@pytest.mark.threat(7)
def test_the_first_owner_s_link_works_once(served: Served, owner: User) -> None:
    path = f"/link/{SignInLink.make(owner)}/"
    first, second = served.nobody(), served.nobody()
    assert (first.get(path).status, first.get("/projects/helpdesk/overview/").status) == (302, 200)
    assert second.get(path).status == 410
    assert second.get("/projects/helpdesk/overview/").to.startswith(LOGIN)


@pytest.mark.threat(8)
def test_who_says_https_from_another_address_than_the_proxy_s_is_not_believed(served: Served) -> None:
    visitor = served.nobody()
    for more in ({}, {"Forwarded": "proto=https"}, {"X-Forwarded-Ssl": "on"}, {"X-Forwarded-Scheme": "https"}):
        answer = visitor.ask("GET", LOGIN, headers=more, by=AWAY)
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}{LOGIN}")
    assert visitor.cookies == {}


@pytest.mark.threat(8)
def test_whoever_writes_another_address_into_the_header_is_counted_as_one(served: Served) -> None:
    """The proxy writes the address that it saw behind what the visitor sent."""
    answers = [
        served.nobody(comes_from=f"203.0.113.{number}, 198.51.100.7", token="f" * 64).get("/api/v1/me").status
        for number in range(32)
    ]
    assert answers == [401] * 30 + [429] * 2
    assert served.nobody(comes_from="198.51.100.8", token="f" * 64).get("/api/v1/me").status == 401


@pytest.mark.threat(8)
@pytest.mark.parametrize(
    "header",
    [
        *("Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Auth-Request-User", "X-Authenticated-User"),
        *("X-Webauth-User", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Script-Name"),
    ],
)
def test_a_header_that_names_a_user_or_another_address_opens_nothing(
    served: Served, project: Project, owner: User, header: str
) -> None:
    value = owner.username if header.endswith("User") else "/projects/helpdesk/overview/"
    answer = served.nobody().get("/projects/helpdesk/overview/", **{header: value})
    assert (answer.status, answer.to) == (302, f"{LOGIN}?next=/projects/helpdesk/overview/")


@pytest.mark.threat(8)
def test_links_in_mail_are_not_to_a_host_that_the_visitor_named(served: Served, owner: User) -> None:
    owner.set_password("harbour-lantern-91")
    owner.save()
    before = served.log.read_text()
    page = "/accounts/password/reset/"
    said = {"X-Forwarded-Host": "evil.example.com", "Forwarded": "host=evil.example.com"}
    assert served.nobody().post(page, {"email": owner.email}, **said).status == 302
    mail = served.log.read_text().removeprefix(before)
    assert f"https://{HOST}/accounts/password/reset/key/" in mail
    assert "evil" not in mail


def test_the_server_is_the_one_that_production_starts(served: Served) -> None:
    """Or the attacks would be on something else."""
    assert "config.wsgi:application" in (ROOT / "Dockerfile").read_text()
    assert served.environment["ACCORD_MODE"] == "production"
    assert Path(granian(1)[0]).name == "granian"
