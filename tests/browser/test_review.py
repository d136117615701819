"""Reviewing in a real browser, by keyboard, and taking a returned text up again."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from labeling.assigning import labeler_of
from labeling.checking import Work
from labeling.models import Assignment, Membership, Project, Response, Review, Role, Submission, User, WorkKind
from tests.conftest import make_member
from tests.labeling.work import make_campaign, must_claim, submit_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def texts(project: Project, labeler: User) -> list[Submission]:
    """Three demonstrations by the labeler, the oldest first."""
    campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=3)
    lars = labeler_of(Membership.objects.get(user=labeler))
    return [submit_now(must_claim(campaign, lars), Work(text=f"Text {number}.")).submission for number in range(3)]


@pytest.fixture
def rita(project: Project) -> User:
    return make_member(project, "rita", Role.REVIEWER)


def shows(page: Page, text: str) -> None:
    """Waits for the page of that text, its scripts included."""
    expect(page.locator(".rate__sheet")).to_contain_text(text)
    page.wait_for_load_state("load")


def test_texts_are_accepted_left_and_returned_from_the_keyboard(
    texts: list[Submission], rita: User, visit: Callable
) -> None:
    page = visit(rita).open("/projects/helpdesk/review/")
    page.get_by_role("link", name="Review the oldest").press("Enter")
    shows(page, "Text 0.")
    page.keyboard.press("a")
    shows(page, "Text 1.")
    page.keyboard.press("l")
    shows(page, "Text 2.")
    page.keyboard.press("r")
    expect(page.locator("[name=remarks]")).to_be_focused()
    page.keyboard.type("Which text?")
    expect(page.locator("[data-save-words]")).to_have_text("Saved on this device, until you submit")
    page.reload()
    expect(page.locator("[name=remarks]")).to_have_value("Which text?")
    page.locator("[name=remarks]").focus()
    page.keyboard.press("Control+Enter")
    shows(page, "Text 1.")
    page.keyboard.press("g")
    expect(page.locator("#guideline")).to_be_visible()
    page.keyboard.press("a")
    page.wait_for_url(re.compile("/review/$"))
    expect(page.locator("h1")).to_have_text("Nothing waits for a review.")
    assert list(Review.objects.order_by("pk").values_list("submission_id", "state")) == [
        (texts[0].pk, "accepted"),
        (texts[2].pk, "returned"),
        (texts[1].pk, "accepted"),
    ]


def test_whoever_comes_second_is_told_and_keeps_their_remarks(
    texts: list[Submission], rita: User, owner: User, visit: Callable
) -> None:
    first, second = visit(rita), visit(owner)
    second.expected.append("409")
    pages = [one.open(f"/projects/helpdesk/review/{texts[0].pk}/") for one in (first, second)]
    pages[1].locator("[name=remarks]").fill("Too short.")
    pages[0].keyboard.press("a")
    shows(pages[0], "Text 1.")
    pages[1].get_by_role("button", name="Return").click()
    expect(pages[1].locator("[data-outcome]")).to_contain_text("Another reviewer accepted this meanwhile.")
    expect(pages[1].locator("[name=remarks]")).to_have_value("Too short.")
    assert Review.objects.get().state == "accepted"


def test_a_returned_text_is_taken_up_again_with_the_remarks_beside_it(
    texts: list[Submission], rita: User, labeler: User, visit: Callable
) -> None:
    Review.objects.create(submission=texts[0], reviewer=rita, state="returned", remarks="Which text?")
    page = visit(labeler).open("/projects/helpdesk/")
    page.get_by_role("link", name="Take up again").press("Enter")
    expect(page.locator(".remark__says")).to_have_text("Which text?")
    text = page.locator("#text")
    expect(text).to_have_value("Text 0.")
    text.fill("The first text.")
    expect(page.locator("[data-save-words]")).to_have_text(re.compile("^Saved "), timeout=2500)
    assert Assignment.objects.get(pk=texts[0].assignment_id).draft["text"] == "The first text."
    page.reload()
    expect(text).to_have_value("The first text.")
    text.focus()
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    assert list(
        Response.objects.filter(submission__assignment=texts[0].assignment_id).values_list("text", flat=True)
    ) == [
        "Text 0.",
        "The first text.",
    ]


def test_it_works_without_script(texts: list[Submission], rita: User, visit: Callable) -> None:
    page = visit(rita, java_script_enabled=False).open(f"/projects/helpdesk/review/{texts[0].pk}/")
    page.locator("[name=remarks]").fill("Which text?")
    page.get_by_role("button", name="Return").click()
    shows(page, "Text 1.")
    assert Review.objects.get().remarks == "Which text?"
