"""What a labeler said outlives the network, the server and the keyboard's own ways."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from labeling.models import Assignment, Project, Response, Submission, User, WorkKind
from tests.browser.conftest import load_anew
from tests.labeling.work import make_campaign

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

SAVED = re.compile("^Saved \\d")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def intercept(page: Page, answer: Callable[[Route], None]) -> None:
    """Every request to a task's address goes by answer. The page is loaded anew: one that is open already learns of a
    new route a moment later, and what it sends at once passes by it."""
    page.route(re.compile(r"/tasks/[^/]+/$"), answer)
    load_anew(page)


def lose_an_answer(page: Page) -> None:
    """The next submission reaches the server, and its answer does not come back."""
    lost = [True]

    def lose(route: Route) -> None:
        if route.request.method == "POST" and lost and lost.pop():
            route.fetch()
            route.abort("connectionreset")
        else:
            route.fallback()

    intercept(page, lose)


def test_offline_in_the_middle_work_goes_on_and_reaches_the_server_once_it_is_back(
    project: Project, at_work: Callable
) -> None:
    page, visitor = at_work(make_campaign(project, shown=4))
    visitor.expected.append("ERR_INTERNET_DISCONNECTED")
    press(page, "6")
    expect(page.locator("[data-save-words]")).to_have_text(SAVED, timeout=4000)
    visitor.context.set_offline(True)
    press(page, "j", "4", "j", "2", "j", "5")
    expect(page.locator("[data-save-words]")).to_have_text("Saved on this device, no connection", timeout=4000)
    assert "rating-B-overall" not in Assignment.objects.get().draft
    visitor.context.set_offline(False)
    expect(page.locator("[data-save-words]")).to_have_text(SAVED, timeout=8000)
    draft = Assignment.objects.get().draft
    assert [draft[f"rating-{letter}-overall"] for letter in "ABCD"] == ["6", "4", "2", "5"]


def test_a_server_that_is_down_at_submit_gets_it_once_when_it_is_up_again(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, tasks=2, kind=WorkKind.DEMONSTRATION))
    visitor.expected += ["502", "ERR_CONNECTION_REFUSED"]
    down: list[str] = []

    def answer(route: Route) -> None:
        if route.request.method != "POST" or not down:
            route.fallback()
        elif down.pop(0) == "502":
            route.fulfill(status=502, body="<h1>Bad gateway</h1>")
        else:
            route.abort("connectionrefused")

    intercept(page, answer)
    page.locator("#text").fill("Bread needs time.")
    expect(page.locator("[data-save-words]")).to_have_text(SAVED, timeout=4000)
    down += ["502", "refused"]
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("The server answered 502. Your work is kept")
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("Not sent: no connection")
    expect(page.locator("#text")).to_have_value("Bread needs time.")
    before = page.url
    press(page, "Control+Enter")
    page.wait_for_url(lambda url: url != before)
    assert Response.objects.get(submission__isnull=False).text == "Bread needs time."
    expect(page.locator("#text")).to_have_value("")


def test_an_answer_that_was_lost_on_the_way_is_one_submission(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, tasks=2, shown=2))
    visitor.expected.append("ERR_CONNECTION_RESET")
    lose_an_answer(page)
    press(page, "ArrowLeft", "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("Not sent: no connection")
    before = page.url
    press(page, "Control+Enter")
    page.wait_for_url(lambda url: url != before)
    assert Submission.objects.count() == 1


def test_words_changed_after_a_lost_answer_are_not_taken_for_those_that_were_sent(
    project: Project, at_work: Callable
) -> None:
    page, visitor = at_work(make_campaign(project, tasks=2, kind=WorkKind.DEMONSTRATION))
    visitor.expected += ["ERR_CONNECTION_RESET", "409"]
    lose_an_answer(page)
    page.locator("#text").fill("Bread needs time.")
    expect(page.locator("[data-save-words]")).to_have_text(SAVED, timeout=4000)
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("Not sent: no connection")
    page.locator("#text").fill("Bread needs time, and salt.")
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("This task is submitted already")
    expect(page.locator("#text")).to_have_value("Bread needs time, and salt.")
    assert Response.objects.get(submission__isnull=False).text == "Bread needs time."
    assert page.evaluate("Object.entries(localStorage).some(([, kept]) => kept.includes('and salt.'))")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="See what is submitted").click()
    expect(opened.value.locator("#text")).to_have_value("Bread needs time.")


@pytest.fixture
def two_devices(
    project: Project, labeler: User, at_work: Callable, visit: Callable
) -> tuple[Page, Page, Callable[[str], None]]:
    """A demonstration open on two of them: "At home." is the PC's, and the phone has gone on with "… On the way."; and
    is_kept(text), whether the server comes to have it."""
    pc, visitor = at_work(make_campaign(project, kind=WorkKind.DEMONSTRATION))
    visitor.expected.append("409")
    pc.locator("#text").fill("At home.")
    expect(pc.locator("[data-save-words]")).to_have_text(SAVED, timeout=8000)
    phone = visit(labeler).open(pc.url.removeprefix(visitor.base))
    phone.locator("#text").fill("At home. On the way.")
    expect(phone.locator("[data-save-words]")).to_have_text(SAVED, timeout=8000)
    pc.locator("#text").fill("At home!")
    expect(pc.get_by_text("Newer words are saved.")).to_be_visible()

    def is_kept(text: str) -> None:
        for page in (pc, phone):
            expect(page.locator("[data-save-words]")).not_to_have_text("Saving…", timeout=8000)
        assert Assignment.objects.get().draft["text"] == text

    return pc, phone, is_kept


def test_an_old_page_asks_before_it_goes_over_newer_words_of_another_device(two_devices: tuple) -> None:
    pc, _, is_kept = two_devices
    is_kept("At home. On the way.")
    expect(pc.locator("[data-save-words]")).to_have_text("Not on the server: say above which words to go on with")
    press(pc, "Control+Enter")
    expect(pc.locator("[data-outcome]")).to_have_text("Say first which words to go on with.")
    load_anew(pc)
    # The words here are still here, and so is the question.
    expect(pc.locator("#text")).to_have_value("At home!")
    pc.get_by_role("button", name="Go on with those").click()
    expect(pc.locator("#text")).to_have_value("At home. On the way.")
    pc.locator("#text").press_sequentially(" And back.")
    expect(pc.locator("[data-save-words]")).to_have_text(SAVED, timeout=8000)
    is_kept("At home. On the way. And back.")
    expect(pc.get_by_text("Newer words are saved.")).to_have_count(0)


def test_words_of_this_device_are_kept_over_newer_ones_once_that_is_said(two_devices: tuple) -> None:
    pc, _, is_kept = two_devices
    pc.get_by_role("button", name="Keep what is here").click()
    expect(pc.locator("[data-save-words]")).to_have_text(SAVED, timeout=8000)
    is_kept("At home!")


def test_a_second_tab_of_one_browser_is_never_asked(project: Project, at_work: Callable) -> None:
    first, visitor = at_work(make_campaign(project, kind=WorkKind.DEMONSTRATION))
    second = visitor.open(first.url.removeprefix(visitor.base))
    for page, text in ((first, "One."), (second, "One. Two."), (first, "One. Two. Three.")):
        page.locator("#text").fill(text)
        expect(page.locator("[data-save-words]")).to_have_text(SAVED, timeout=8000)
    assert Assignment.objects.get().draft["text"] == "One. Two. Three."
    expect(second.locator("#text")).to_have_value("One. Two. Three.")


def test_words_changed_after_a_lost_answer_are_offered_where_the_submission_is_corrected(
    project: Project, at_work: Callable
) -> None:
    page, visitor = at_work(make_campaign(project, tasks=2, shown=3, correction_minutes=60))
    visitor.expected += ["ERR_CONNECTION_RESET", "409"]

    def lose(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        route.fetch()
        route.abort("connectionreset")

    intercept(page, lose)
    press(page, "3", "j", "5", "j", "1", "Enter", "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("Not sent: no connection")
    press(page, "7")
    expect(page.locator("[data-save-words]")).to_contain_text("This task is submitted already")
    load_anew(page)
    expect(page.locator('input[name="rating-C-overall"][value="1"]')).to_be_checked()
    page.get_by_role("button", name="Go on with those").click()
    expect(page.locator('input[name="rating-C-overall"][value="7"]')).to_be_checked()


def test_a_connection_that_hangs_is_called_none(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, shown=2))
    visitor.context.add_init_script(
        "{ const real = AbortSignal.timeout; AbortSignal.timeout = (ms) => real.call(AbortSignal, ms / 10); }"
    )
    hanging: list[Route] = []
    page.route(
        re.compile(r"/tasks/[^/]+/(draft/)?$"),
        lambda r: hanging.append(r) if r.request.method == "POST" else r.fallback(),
    )
    load_anew(page)
    press(page, "ArrowLeft")
    expect(page.locator("[data-save-words]")).to_have_text("Saved on this device, no connection", timeout=4000)
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("Not sent: no connection", timeout=5000)
    page.unroute_all()
    before = page.url
    press(page, "Control+Enter")
    page.wait_for_url(lambda url: url != before)
    assert Submission.objects.count() == 1


def test_no_key_acts_while_text_is_composed(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    for said in ({"isComposing": True}, {"keyCode": 229}):
        page.evaluate(
            "(said) => document.body.dispatchEvent(new KeyboardEvent('keydown', "
            "{ key: '5', code: 'Digit5', bubbles: true, ...said }))",
            said,
        )
    assert page.locator("input[type=radio][name^=rating]:checked").count() == 0
    # A French keyboard writes an ampersand with the key that stands where others have 1.
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '&', code: 'Digit1', bubbles: true }))"
    )
    expect(page.locator('input[name="rating-A-overall"][value="1"]')).to_be_checked()
