"""No page is forgotten: every address that answers GET with a page is in the list of screens."""

from collections.abc import Iterator

import pytest
from django.http import HttpResponseNotAllowed
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from tests.screens.listed import SCREENS

NO_PAGES = {
    "health_live": "text for machines",
    "health_ready": "text for machines",
    "metrics": "text for machines",
    "pay": "CSV",
    "audit_csv": "CSV",
    "audit_json": "JSON",
    "download_records": "a file",
    "export_file": "a file",
    "export_datasheet": "Markdown",
    "sheet": "a stylesheet",
    "script": "a script",
    "sentences": "a script",
    "job_metrics": "JSON",
    "job_log": "text",
    "job_samples": "a part of a page",
    "agreement_json": "JSON",
    "quality_json": "JSON",
    "bias_json": "JSON",
    "matrix_json": "JSON",
    "mfa_download_recovery_codes": "text",
    "mfa_login_webauthn": "JSON, or the page of signing in",
    "mfa_authenticate": "a step of signing in: where no password was given yet it leads back to it",
    "openid_connect_login": "the way to the identity provider",
    "openid_connect_callback": "the way back",
    "sign_in_again_elsewhere": "the way to the identity provider",
}
"""Addresses that answer GET with something else."""
OF_OTHERS = ("admin:", "api_")
"""Django's own pages, and the API."""


def addresses(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for found in resolver.url_patterns:
        if isinstance(found, URLResolver):
            yield from addresses(found, f"{space}{found.namespace}:" if found.namespace else space)
        elif found.name:
            yield f"{space}{found.name}", found


def answers_get(pattern: URLPattern) -> bool:
    """A view that takes POST alone says so before it looks at anything else."""
    try:
        return not isinstance(pattern.callback(RequestFactory().get("/")), HttpResponseNotAllowed)
    except Exception:  # noqa: BLE001  # it went on, without what its address would have told it
        return True


def pages() -> set[str]:
    return {
        name
        for name, pattern in addresses(get_resolver("config.urls"))
        if not name.startswith(OF_OTHERS) and name not in NO_PAGES and answers_get(pattern)
    }


@pytest.mark.sqlite
@pytest.mark.django_db
def test_every_address_with_a_page_is_a_screen() -> None:
    shown = {name for screen in SCREENS for name in screen.shows}
    assert sorted(pages() - shown) == [], "put these into tests/screens/listed.py"


def test_no_screen_is_of_an_address_that_is_gone() -> None:
    there = {name for name, _ in addresses(get_resolver("tests.screens.addresses"))}
    assert sorted({name for screen in SCREENS for name in screen.shows} - there) == []
    assert sorted(set(NO_PAGES) - there) == []


def test_screens_have_names_of_their_own_and_those_with_pictures_say_what_is_seen() -> None:
    names = [screen.name for screen in SCREENS]
    assert len(names) == len(set(names))
    assert [screen.name for screen in SCREENS if screen.pictured and not screen.says.endswith(".")] == []
    assert sum(screen.pictured for screen in SCREENS) <= 56
