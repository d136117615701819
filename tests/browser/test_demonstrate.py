"""Writing a demonstration in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from labeling.models import Assignment, Project, Response, User, WorkKind
from tests.browser.conftest import load_anew
from tests.labeling.conftest import at_desk
from tests.labeling.work import make_campaign

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

TEXT = "Dear Ms Oyelaran,\n\n1. **The hob** is too wide.\n2. The joint is open.\n\n```\nx = '<b>'\n```\n"


def test_it_is_written_previewed_kept_and_submitted_from_the_keyboard(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.DEMONSTRATION))
    page.locator("#text").fill(TEXT)
    paper = page.locator("[data-preview]")
    expect(paper.locator("li strong")).to_have_text("The hob")
    expect(paper.locator("pre")).to_have_text("x = '<b>'")
    expect(page.locator("[data-save-words]")).to_have_text(re.compile("^Saved "), timeout=2500)
    assert Assignment.objects.get().draft["text"] == TEXT
    load_anew(page)
    expect(page.locator("#text")).to_have_value(TEXT)
    page.locator("#text").focus()
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    assert Response.objects.get(labeler__isnull=False).text == TEXT


def test_an_empty_text_is_refused_in_words(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.DEMONSTRATION))
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-outcome]")).to_have_text("The response is empty. Write it, or skip.")


def test_a_text_over_the_limit_is_said_while_writing_and_kept_when_refused(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, kind=WorkKind.DEMONSTRATION))
    visitor.expected.append("422")
    page.locator("#text").fill("word " * 4_001)
    expect(page.locator("[data-count]")).to_have_text("20,005 characters, at most 20,000")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text(
        "The response has 20,005 characters; at most 20,000 are taken."
    )
    expect(page.locator("#text")).to_have_value("word " * 4_001)


def test_what_is_written_before_the_script_is_there_is_kept_too(
    project: Project, visit: Callable, labeler: User
) -> None:
    desk = at_desk(labeler, make_campaign(project, kind=WorkKind.DEMONSTRATION))
    visitor = visit(labeler)
    page = visitor.open()
    held: list[Route] = []
    page.route("**/write-demonstration*.js", lambda route: held.append(route))
    page.goto(visitor.base + desk.page, wait_until="commit")
    page.locator("#text").fill("Early words.")
    expect(page.locator("[data-save-words]")).to_have_text("Nothing to save yet")
    held[0].continue_()
    expect(page.locator("[data-save-words]")).to_have_text(re.compile("^Saved "), timeout=10_000)
    assert Assignment.objects.get().draft["text"] == "Early words."


def test_it_works_without_script(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.DEMONSTRATION), java_script_enabled=False)
    page.locator("#text").fill("Plain.")
    page.get_by_role("button", name="Submit and next").click()
    assert Response.objects.get(labeler__isnull=False).text == "Plain."
