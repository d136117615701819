"""A real Chromium before a live server. A test fails on any console error: a breach of the content security policy is
one."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from labeling.models import Campaign, User
from tests.conftest import signed_in
from tests.labeling.conftest import at_desk
from tests.services import CHROMIUM
from tests.training.workers import wait_until

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def wait_for_its_script(page: Page) -> None:
    """A work screen's script begins once the texts are painted, which may be after the page has loaded."""
    at_work = (
        "!document.documentElement.hasAttribute('data-script')"
        " || !document.querySelector('form[data-screen]') || !document.querySelector('script[src*=\"/scripts/\"]')"
        " || performance.getEntriesByName('usable').length > 0"
    )
    wait_until(lambda: page.evaluate(at_work))


def load_anew(page: Page) -> None:
    page.reload()
    wait_for_its_script(page)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    # Playwright's synchronous door keeps an event loop in this thread; the tests' own queries are not asynchronous.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody at a browser. expected: parts of console errors that a test provokes on purpose."""

    context: BrowserContext
    base: str
    errors: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Page:
        page = self.context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self.base + path)
        wait_for_its_script(page)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} at {message.location.get('url', '')}")

    def leave(self) -> None:
        """Closes the browser once no draft is on its way any more: the server is to be still when the test ends."""
        for page in self.context.pages:
            if page.locator("[data-save]").count():
                expect(page.locator("[data-save]")).not_to_have_attribute("data-state", "saving")
        self.context.close()

    def unexpected_errors(self) -> list[str]:
        return [error for error in self.errors if not any(part in error for part in self.expected)]


@pytest.fixture
def visit(chromium: Browser, live_server) -> Iterator[Callable[..., Visitor]]:  # type: ignore[no-untyped-def]
    """visit(user or None, **context options): a visitor who is signed in as the user."""
    visitors: list[Visitor] = []

    def enter(user: User | None = None, **options: object) -> Visitor:
        context = chromium.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        context.set_default_navigation_timeout(60_000)
        visitors.append(Visitor(context, live_server.url))
        if user is not None:
            context.add_cookies([cookie_of(signed_in(user), live_server.url)])
        return visitors[-1]

    yield enter
    for visitor in visitors:
        visitor.leave()
    assert [error for visitor in visitors for error in visitor.unexpected_errors()] == []


def cookie_of(client: Client, url: str) -> dict[str, str]:
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


@pytest.fixture
def at_work(visit: Callable[..., Visitor], labeler: User) -> Callable[..., tuple[Page, Visitor]]:
    """at_work(campaign): the labeler before their task of that campaign."""

    def sit_down(campaign: Campaign, **options: object) -> tuple[Page, Visitor]:
        desk = at_desk(labeler, campaign)
        visitor = visit(labeler, **options)
        return visitor.open(desk.page), visitor

    return sit_down
