"""Every address, by every method, asked by everybody: what is answered is what the matrix says (matrix.py).

The addresses are the URL configuration's own. A new one that the matrix does not have fails, and so does an entry that
has no address any more.
"""

import logging
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import urls
from django.core.cache import cache
from django.db import transaction
from django.test import client
from django.test.utils import override_settings

from tests.screens.clock import standing_still
from tests.security.identity import told_of
from tests.security.matrix import ACCOUNT_PAGES, ADMIN, API, MEMBERS, NOBODY, NOTHING_THERE, OWNER, PAGES, STRANGER, Who
from tests.security.routes import Route, routes
from tests.security.site import FORGED, Site, make_site, plainly

pytestmark = [pytest.mark.django_db, pytest.mark.threat(6)]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
IN, SIGN_IN, ANEW = "is let in", "is asked to sign in", "is asked for the password"
REFUSED, SCOPE, NOTHING, NO_METHOD = "is refused", "lacks the scope", "finds nothing", "has no such method"
PROVIDER = {name: f"https://id.example.org/{name}" for name in ("token_endpoint", "authorization_endpoint", "jwks_uri")}
"""What it would say of itself; here nobody asks it."""
ROUTES = {route.name: route for route in routes()}


def said(answer: Any) -> str:
    """An answer in the words above, or its status where it has none there."""
    to = answer.get("Location", "")
    if answer.status_code == 302 and to.startswith(("/accounts/login/?next=", "/admin/login/?next=")):
        return SIGN_IN
    if answer.status_code == 302 and to.startswith("/accounts/reauthenticate/"):
        return ANEW
    if answer.status_code == 403 and not answer.streaming and b'"scope_missing"' in answer.content:
        return SCOPE
    if answer.status_code == 401 and answer["Content-Type"].startswith("text/html"):
        return IN  # a page that says to everybody that what came from the identity provider was not asked for
    known = {401: SIGN_IN, 403: REFUSED, 404: NOTHING, 405: NO_METHOD}
    if answer.status_code < 500 and answer.status_code not in known:
        return IN
    return known.get(answer.status_code, f"breaks it ({answer.status_code})")


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for the whole module, in a transaction that is taken back at its end."""
    folder: Path = tmp_path_factory.mktemp("site")
    places = {f"{name}_DIR": folder / name.lower() for name in ("RUNS", "SNAPSHOTS", "IMPORTS", "MODELS")}
    with (
        django_db_blocker.unblock(),
        override_settings(METRICS_NETWORKS=[ip_network("127.0.0.1")]),
        override_settings(**told_of("https://id.example.org")),
        patch.object(OpenIDConnectOAuth2Adapter, "openid_config", PROVIDER),
        override_settings(**places, EXPORTS_DIR=folder, API_REQUESTS_PER_MINUTE=10**6, ACCOUNT_RATE_LIMITS=False),
        standing_still(),
        patch.object(urls, "handler403", plainly(403)),
        patch.object(urls, "handler404", plainly(404)),
        transaction.atomic(),
    ):
        cache.clear()
        yield make_site(folder)
        transaction.set_rollback(True)
    cache.clear()


@pytest.fixture(autouse=True)
def _quick_and_quiet(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Django's test client copies the context of every template, and Django logs every refusal; nobody looks at it."""
    caplog.set_level(logging.CRITICAL, logger="django.request")
    monkeypatch.setattr(client, "store_rendered_templates", lambda *_, **__: None)


def test_every_address_is_in_the_matrix_and_nothing_else_is() -> None:
    kept = {*PAGES, *API, *ADMIN, NOTHING_THERE}
    new = [f"{name} ({ROUTES[name].pattern})" for name in sorted(set(ROUTES) - kept)]
    assert new == [], f"Say in tests/security/matrix.py who may do what at: {', '.join(new)}."
    gone = sorted(kept - set(ROUTES))
    assert gone == [], f"tests/security/matrix.py has entries whose address is gone: {', '.join(gone)}."


def expected(who: Who, person: str) -> str:
    if person in who.outside:
        return IN
    if person == NOBODY:
        return SIGN_IN
    if person == STRANGER:
        return NOTHING
    if person not in who.roles:
        return REFUSED
    return NOTHING if who.own and person not in who.own else IN


class Found:
    """What differs from the matrix, in sentences."""

    def __init__(self) -> None:
        self.asked = 0
        self.wrong: list[str] = []

    def compare(self, answer: Any, want: str, *, who: str, method: str, route: Route) -> None:
        self.asked += 1
        if (got := said(answer)) != want:
            self.wrong.append(f"{method} {route.name}: {who} {got} ({answer.status_code}), and not: {want}")


def test_every_page_lets_in_whom_it_should_and_nobody_else(site: Site) -> None:
    found = Found()
    for name, entry in PAGES.items():
        route = ROUTES[name]
        address = site.address(route)
        for method, who in entry.items():
            sessions = site.lately if who.anew else site.sessions
            for person in (NOBODY, STRANGER, *MEMBERS):
                answer = site.ask(method, address, session=sessions[person])
                found.compare(answer, expected(who, person), who=person, method=method, route=route)
            if who.anew:
                answer = site.ask(method, address, session=site.sessions[OWNER])
                found.compare(answer, ANEW, who="who signed in long ago", method=method, route=route)
            if method == "POST":
                answer = site.ask(method, address, session=site.lately[OWNER], client=FORGED)
                found.compare(answer, REFUSED, who="another site's page", method=method, route=route)
        for method in set(METHODS).difference(entry if name not in ACCOUNT_PAGES else METHODS):
            answer = site.ask(method, address, session=site.lately[OWNER])
            found.compare(answer, NO_METHOD, who=OWNER, method=method, route=route)
    assert not found.wrong, "\n".join(found.wrong)
    assert found.asked > 1_500


def test_every_address_of_the_api_lets_in_whom_it_should_and_nobody_else(site: Site) -> None:
    found = Found()
    for name, entry in API.items():
        route = ROUTES[name]
        address = site.address(route)
        for method, who in entry.items():
            for person in (NOBODY, STRANGER, *MEMBERS):
                answer = site.ask(method, address, token=site.tokens.get(person, ""))
                found.compare(answer, expected(who, person), who=person, method=method, route=route)
            if NOBODY in who.outside:
                continue
            answer = site.ask(method, address, session=site.lately[OWNER])
            found.compare(answer, SIGN_IN, who="a session without a token", method=method, route=route)
            if who.scope:
                answer = site.ask(method, address, token=site.without[who.scope])
                found.compare(answer, SCOPE, who=f"the owner's token without {who.scope}", method=method, route=route)
            if "slug" in route.wants:
                answer = site.ask(method, address, token=site.without[""])
                found.compare(answer, NOTHING, who="the owner's token of another project", method=method, route=route)
        for method in set(METHODS) - set(entry):
            answer = site.ask(method, address, token=site.tokens[OWNER])
            found.compare(answer, NO_METHOD, who=OWNER, method=method, route=route)
    assert not found.wrong, "\n".join(found.wrong)
    assert found.asked > 1_000


@pytest.mark.threat(10)
def test_what_belongs_to_another_project_is_not_found_under_one_s_own(site: Site) -> None:
    """The owner of another project asks in it for rows of this one."""
    found = Found()
    for name, entry in (PAGES | API).items():
        route = ROUTES[name]
        if "slug" not in route.wants or len(route.wants) == 1:
            continue
        address = site.address(route, slug=site.stranger_s.slug)
        for method in entry:
            session, token = ("", site.tokens[STRANGER]) if name in API else (site.lately[STRANGER], "")
            answer = site.ask(method, address, session=session, token=token)
            found.compare(answer, NOTHING, who="its owner", method=method, route=route)
    assert not found.wrong, "\n".join(found.wrong)
    assert found.asked > 100


@pytest.mark.threat(4)
def test_no_page_s_content_security_policy_lets_anything_unsafe(site: Site) -> None:
    """Of whatever answers: pages, files, errors, the server's own pages."""
    asked = [(ROUTES[name], OWNER) for name in (*PAGES, *API)] + [(ROUTES[name], "staff") for name in sorted(ADMIN)]
    wrong = []
    for route, person in asked:
        answer = site.ask("GET", site.address(route), session=site.lately[person], token=site.tokens.get(person, ""))
        policy = dict(
            (words[0], set(words[1:]))
            for part in answer.get("Content-Security-Policy", "").split(";")
            if (words := part.split())
        )
        sources = policy.get("default-src", set()) | policy.get("script-src", set()) | policy.get("style-src", set())
        if sources != {"'none'", "'self'"} or "unsafe" in str(policy) or "*" in str(policy):
            wrong.append(f"{route.name} ({answer.status_code}): {answer.get('Content-Security-Policy')}")
        if policy.get("base-uri") != {"'none'"} or policy.get("form-action") != {"'self'"}:
            wrong.append(f"{route.name}: base-uri or form-action")
    assert wrong == []
    assert len(asked) > 250


def test_the_server_s_own_pages_open_to_no_role_of_a_project(site: Site) -> None:
    found = Found()
    open_to_all = ("admin:login", "admin:logout")
    for name in sorted(ADMIN.difference(open_to_all)):
        route = ROUTES[name]
        address = site.address(route)
        for person in (NOBODY, OWNER):
            for method in ("GET", "POST"):
                answer = site.ask(method, address, session=site.lately[person])
                found.compare(answer, SIGN_IN, who=person, method=method, route=route)
    answer = site.ask("GET", "/admin/", session=site.lately["staff"])
    found.compare(answer, IN, who="staff", method="GET", route=ROUTES["admin:index"])
    assert not found.wrong, "\n".join(found.wrong)


def test_below_api_nothing_else_answers(site: Site) -> None:
    for method in METHODS:
        answer = site.ask(method, site.address(ROUTES[NOTHING_THERE]), token=site.tokens[OWNER])
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
