"""Rating one response in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Guideline, Judgment, Project, Response, Submission, WorkKind
from tests.labeling.work import FLAGS, make_campaign
from tests.training.workers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_a_response_is_rated_and_flagged_by_keyboard_only(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING, tasks=2))
    for key in ("5", "f", "h", "f", "m", "f", "m"):
        page.keyboard.press(key)
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    judgment = Judgment.objects.get()
    assert judgment.ratings == {"overall": 5}
    assert judgment.flags == {"hallucination": True, "misses_task": False}
    assert "/tasks/" in page.url


def test_digits_go_from_scale_to_scale(project: Project, at_work: Callable) -> None:
    scales = [{"name": name, "label": name.title(), "low": "no", "high": "yes"} for name in ("overall", "helpful")]
    Guideline.objects.create(project=project, kind=WorkKind.RATING, version=1, body="x", flags=FLAGS, scales=scales)
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    for key in ("6", "3", "ArrowUp", "7"):
        page.keyboard.press(key)
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    assert Judgment.objects.get().ratings == {"overall": 7, "helpful": 3}


def test_undo_goes_back_to_the_scale_and_each_scale_that_is_reached_is_said(
    project: Project, at_work: Callable
) -> None:
    scales = [{"name": name, "label": name.title(), "low": "no", "high": "yes"} for name in ("overall", "helpful")]
    Guideline.objects.create(project=project, kind=WorkKind.RATING, version=1, body="x", flags=FLAGS, scales=scales)
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    page.keyboard.press("5")
    expect(page.locator("[data-announcer]")).to_have_text("Overall: 5. Next: Helpful")
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-announcer]")).to_have_text("Overall")
    page.keyboard.press("6")
    for key in ("u", "3"):
        page.keyboard.press(key)
    # The 6 was taken back, and with it the step to the next scale.
    expect(page.locator('[name="rating-A-overall"]:checked')).to_have_value("3")
    expect(page.locator('[name="rating-A-helpful"]:checked')).to_have_count(0)


def test_arrows_scroll_the_response_that_has_the_focus_and_go_through_the_radios(
    project: Project, at_work: Callable
) -> None:
    scales = [{"name": name, "label": name.title(), "low": "no", "high": "yes"} for name in ("overall", "helpful")]
    Guideline.objects.create(project=project, kind=WorkKind.RATING, version=1, body="x", flags=FLAGS, scales=scales)
    campaign = make_campaign(project, kind=WorkKind.RATING)
    Response.objects.update(text="\n\n".join(f"Paragraph {number}." for number in range(90)))
    page, _ = at_work(campaign)
    response = page.locator(".rate__response")
    response.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator('[data-scale="rating-A-overall"]')).to_have_attribute("data-current", "")
    wait_until(lambda: page.evaluate("document.querySelector('.rate__response').scrollTop > 0"))
    page.locator('[name="rating-A-overall"][value="4"]').check(force=True)
    page.keyboard.press("ArrowRight")
    expect(page.locator('[name="rating-A-overall"]:checked')).to_have_value("5")


def test_enter_at_a_radio_or_a_line_sends_nothing(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    page.locator('[name="rating-A-overall"][value="4"]').check(force=True)
    page.keyboard.press("Enter")
    page.keyboard.press("u")
    expect(page.locator('[name="rating-A-overall"]:checked')).to_have_count(0)
    expect(page.locator("[data-outcome]")).to_be_empty()
    assert not Submission.objects.exists()


def test_the_letter_of_a_flag_is_found_by_its_place_where_another_script_is_written(
    project: Project, at_work: Callable
) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    page.keyboard.press("f")
    press_as(page, key="р", code="KeyH")
    expect(page.locator('[name="flag-A-hallucination"]:checked')).to_have_value("yes")


def test_whoever_turns_to_something_else_after_f_flags_nothing(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    form = page.locator("[data-screen]")
    for turn in (
        lambda: page.get_by_label("Note").click(),
        lambda: page.locator(".rate__label").click(),
        lambda: page.keyboard.press("Control+h"),
    ):
        page.keyboard.press("f")
        expect(form).to_have_attribute("data-flagging", "")
        turn()
        expect(form).not_to_have_attribute("data-flagging", "")
        page.evaluate("document.activeElement.blur()")
    page.keyboard.press("h")
    expect(page.locator('[name="flag-A-hallucination"]:checked')).to_have_value("")


def press_as(page: Page, **event: object) -> None:
    """A key as another keyboard or browser reports it."""
    page.evaluate(
        "({ altGraph, ...said }) => document.body.dispatchEvent(new KeyboardEvent('keydown', "
        "{ bubbles: true, cancelable: true, modifierAltGraph: altGraph, ...said }))",
        event,
    )


def test_digits_of_the_block_at_the_side_count_only_where_it_writes_digits(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    press_as(page, key="PageDown", code="Numpad3")
    expect(page.locator('[name="rating-A-overall"]:checked')).to_have_count(0)
    press_as(page, key="3", code="Numpad3")
    expect(page.locator('[name="rating-A-overall"]:checked')).to_have_value("3")


@pytest.mark.parametrize(
    "event", [{"key": "?", "code": "Digit7", "shiftKey": True}, {"key": "؟", "code": "Slash", "shiftKey": True}]
)
def test_a_question_mark_opens_the_table_of_keys_wherever_it_stands(
    project: Project, at_work: Callable, event: dict[str, object]
) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    press_as(page, **event)
    expect(page.locator("#keys")).to_be_visible()


def test_the_guidelines_words_stand_at_the_steps(project: Project, at_work: Callable) -> None:
    steps = {"7": "send it as it is", "4": "half of it helps"}
    scale = {"name": "overall", "label": "Overall", "low": "worst", "high": "best", "steps": steps}
    Guideline.objects.create(project=project, kind=WorkKind.RATING, version=1, body="x", flags=FLAGS, scales=[scale])
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    anchors = page.locator(".scale__anchors > div")
    assert anchors.all_inner_texts() == ["7\nsend it as it is", "4\nhalf of it helps"]
    page.get_by_label("4, half of it helps").check(force=True)
    expect(page.get_by_label("1, worst")).not_to_be_checked()
    expect(page.locator('[name="rating-A-overall"]:checked')).to_have_value("4")


def test_nothing_rated_is_refused_in_words(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-outcome]")).to_have_text("Rate it first, or skip.")


def test_no_to_the_rest_answers_what_is_open_and_undo_takes_it_back(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    for key in ("f", "h"):
        page.keyboard.press(key)
    page.get_by_role("button", name="No to the rest").click()
    expect(page.locator("[data-count]")).to_have_text("2 of 2 answered. ")
    page.keyboard.press("u")
    expect(page.locator("[data-count]")).to_have_text("1 of 2 answered. ")


def test_it_works_without_script(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING), java_script_enabled=False)
    page.locator('input[name="rating-A-overall"][value="2"]').check(force=True)
    page.get_by_label("Note").fill("thin")
    page.get_by_role("button", name="Submit and next").click()
    assert Judgment.objects.get().ratings == {"overall": 2}
    assert Submission.objects.get().note == "thin"


def test_a_pair_is_decided_by_one_key(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=2))
    for key in ("ArrowLeft", "e", "ArrowRight", "u", "u", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("[data-verdict]")).to_have_text("B is better")
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    submission = Submission.objects.get()
    ranks = dict(submission.judgments.values_list("response_id", "rank"))
    assert [ranks[pk] for pk in submission.assignment.order] == [2, 1]
