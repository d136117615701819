"""Two responses in a real browser: by keyboard, by pointer, by touch, without script."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Project, Response, Submission
from tests.labeling.work import make_campaign
from tests.training.workers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def said(submission: Submission) -> tuple[list[int | None], int | None]:
    ranks = dict(submission.judgments.values_list("response_id", "rank"))
    return [ranks[pk] for pk in submission.assignment.order], submission.strength


def after(page: Page, act: Callable[[], object]) -> Submission:
    before = page.url
    act()
    page.wait_for_url(lambda url: url != before)
    return Submission.objects.latest("pk")


def test_a_pair_is_decided_by_keyboard_with_its_strength_and_goes_on(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, tasks=3, shown=2))
    for key in ("2", "ArrowRight", "3", "e", "u"):
        page.keyboard.press(key)
    expect(page.locator("[data-verdict]")).to_have_text("B is better, much")
    assert said(after(page, lambda: page.keyboard.press("Control+Enter"))) == ([2, 1], 2)
    # The next one has taken its place, on the same page, with its own address, and works the same.
    expect(page.locator("[data-verdict]")).to_have_text("Not decided")
    for key in ("ArrowLeft", "1", "e"):
        page.keyboard.press(key)
    assert said(after(page, lambda: page.keyboard.press("Control+Enter"))) == ([1, 1], None)
    page.keyboard.press("n")
    third = after(page, lambda: page.keyboard.press("Control+Enter"))
    assert (third.verdict, said(third)[0]) == ("none_acceptable", [None, None])


def test_a_pair_is_decided_by_pointer_with_notes_and_going_back_shows_what_was_said(
    project: Project, at_work: Callable
) -> None:
    page, _ = at_work(make_campaign(project, tasks=2, shown=2, correction_minutes=60))
    first = page.url
    page.get_by_text("A is better").click()
    page.get_by_text("clearly").click()
    page.locator(".pair__side--b").get_by_text("Add a note").click()
    page.get_by_label("Note on response B").fill("Too long.")
    submission = after(page, lambda: page.get_by_role("button", name="Submit").click())
    assert said(submission) == ([1, 2], 1)
    assert [one.note for one in submission.judgments.order_by("rank")] == ["", "Too long."]
    page.go_back()
    page.wait_for_url(first)
    expect(page.locator("[data-verdict]")).to_have_text("A is better, clearly")
    expect(page.get_by_text("You are correcting it")).to_be_visible()


def test_a_pair_is_decided_by_touch_on_a_phone(project: Project, at_work: Callable) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page, _ = at_work(make_campaign(project, shown=2), **phone)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_text("B is better").tap()
    page.get_by_text("slightly").tap()
    assert said(after(page, lambda: page.get_by_role("button", name="Submit").tap())) == ([2, 1], 0)


def test_arrows_decide_nothing_where_they_scroll_or_go_through_radios(project: Project, at_work: Callable) -> None:
    campaign = make_campaign(project, shown=2)
    Response.objects.update(text=f"```python\n{'x = 1; ' * 90}\n```")
    page, _ = at_work(campaign)
    page.locator("pre").first.focus()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: page.evaluate("document.activeElement.scrollLeft > 0"))
    expect(page.locator("[data-verdict]")).to_have_text("Not decided")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    page.locator('[name="strength"][value="0"]').focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-verdict]")).to_have_text("A is better, clearly")
    page.locator('[name="better"][value="A"]').focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-verdict]")).to_have_text("B is better, clearly")


def test_code_within_a_text_from_right_to_left_runs_from_left_to_right(project: Project, at_work: Callable) -> None:
    campaign = make_campaign(project, shown=2)
    Response.objects.update(text="שלום עולם\n\nIn English: `x + 1`\n\n```python\nx = 1\n```")
    page, _ = at_work(campaign)
    prose = page.locator(".pair__side--a .prose")
    assert prose.evaluate("prose => getComputedStyle(prose).direction") == "rtl"
    for code in ("pre", "code"):
        assert prose.locator(code).first.evaluate("code => getComputedStyle(code).direction") == "ltr"
    # The code begins at the left of its block, the first paragraph at the right, the second at the left.
    begins = "one => { const range = document.createRange(); range.selectNodeContents(one); "
    begins += (
        "const [box] = range.getClientRects(), of = one.getBoundingClientRect(); return box.left - of.left < 30; }"
    )
    assert prose.locator("pre code").evaluate(begins)
    assert [prose.locator("p").nth(place).evaluate(begins) for place in (0, 1)] == [False, True]


def test_on_a_page_from_right_to_left_the_arrows_mean_the_sides_that_are_seen(
    project: Project, at_work: Callable
) -> None:
    page, _ = at_work(make_campaign(project, shown=2))
    page.evaluate("document.dir = 'rtl'")
    sides = [page.locator(f".pair__side--{side}").bounding_box() for side in "ab"]
    assert sides[0]["x"] > sides[1]["x"]
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-verdict]")).to_have_text("B is better")


def test_a_pair_works_without_script_and_a_tie_has_no_strength(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=2), java_script_enabled=False)
    page.locator('input[name="better"][value="equal"]').check(force=True)
    page.locator('input[name="strength"][value="1"]').check(force=True)
    page.get_by_role("button", name="Submit").click()
    assert said(Submission.objects.get()) == ([1, 1], None)
