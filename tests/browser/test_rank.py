"""Ranking in a real browser: by keyboard, by pointer, by touch, without script, offline and back."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Assignment, Guideline, Project, Prompt, Submission, Task
from tests.browser.conftest import load_anew
from tests.labeling.work import make_campaign

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def ranks_in_order_shown(submission: Submission) -> list[int | None]:
    found = dict(submission.judgments.values_list("response_id", "rank"))
    return [found[pk] for pk in submission.assignment.order]


def ratings_in_order_shown(submission: Submission) -> list[int | None]:
    found = {judgment.response_id: judgment.ratings.get("overall") for judgment in submission.judgments.all()}
    return [found[pk] for pk in submission.assignment.order]


def slots(page: Page) -> list[str]:
    """The letters in each slot, as they stand in the dock."""
    return ["".join(slot.locator(".chip__letter").all_inner_texts()) for slot in page.locator("[data-slot]").all()[1:]]


def send(page: Page, count: int = 1) -> Submission:
    before = page.url
    press(page, "Control+Enter")
    page.wait_for_url(lambda url: url != before)
    assert Submission.objects.count() == count
    return Submission.objects.latest("pk")


def test_a_task_is_rated_and_ranked_by_keyboard_only(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, tasks=2, shown=4))
    press(page, "6", "j", "4", "j", "2", "j", "4", "Enter")
    submission = send(page)
    assert ratings_in_order_shown(submission) == [6, 4, 2, 4]
    assert ranks_in_order_shown(submission) == [1, 2, 3, 2]
    assert "/tasks/" in page.url


def test_nine_responses_need_at_most_twenty_one_keys_when_the_proposal_is_right(
    project: Project, at_work: Callable
) -> None:
    page, _ = at_work(make_campaign(project, tasks=2, shown=9))
    keys = [key for rating in "765432111" for key in (rating, "j")][:-1] + ["Enter", "Control+Enter"]
    assert len(keys) <= 21
    before = page.url
    press(page, *keys)
    page.wait_for_url(lambda url: url != before)
    assert ranks_in_order_shown(Submission.objects.get()) == [1, 2, 3, 4, 5, 6, 7, 7, 7]


def test_flags_ties_moves_and_undo_by_keyboard(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=4))
    press(page, "f", "h", "j", "f", "h", "f", "h", "]", "2", "j", "Shift+Digit2", "j", "1", "k", "Alt+ArrowUp", "u")
    # B took rank 2, C tied with it, D rank 1; C moved out of the tie, and that was undone.
    assert slots(page)[:2] == ["D", "BC"]
    press(page, "k", "0", "1")
    submission = send(page)
    flags = {judgment.response_id: judgment.flags for judgment in submission.judgments.all()}
    assert [flags[pk] for pk in submission.assignment.order[:2]] == [{"hallucination": True}, {"hallucination": False}]


def test_a_bare_proposal_is_refused_in_words_and_counts_once_confirmed(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "3", "j", "5", "j", "1")
    expect(page.locator("[data-status]")).to_have_text("Proposed from your ratings, not yet yours.")
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("still a proposal")
    press(page, "Enter")
    assert ranks_in_order_shown(send(page)) == [2, 1, 3]


def test_a_proposal_beside_the_verdict_is_neither_sent_nor_written(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "3", "j", "5", "j", "1")
    page.get_by_label("None acceptable").check()
    with page.expect_request(lambda request: request.method == "POST" and "/draft/" not in request.url) as sent:
        submission = send(page)
    assert 'name="verdict"' in (sent.value.post_data or "")
    assert 'name="rank-' not in (sent.value.post_data or "")
    assert ranks_in_order_shown(submission) == [None, None, None]
    assert ratings_in_order_shown(submission) == [3, 5, 1]


def test_a_contradiction_is_named_and_asked_about_and_never_forbidden(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "6", "j", "3", "j", "1", "Enter", "k", "]", "1")
    expect(page.locator("[data-questions]")).to_contain_text("A, rated 6, stands below B, rated 3.")
    expect(page.locator('[data-response="A"] [data-contradiction]')).to_have_text(
        "Stands below B, which you rated lower."
    )
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("One question above is still open")
    page.get_by_role("button", name="It is meant").click()
    assert ranks_in_order_shown(send(page)) == [2, 1, 3]


def test_a_contradiction_is_said_with_the_move_and_answered_by_a_key(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "6", "j", "3", "j", "1", "Enter", "k", "]", "1")
    expect(page.locator("[data-announcer]")).to_have_text(
        "Response B, rank 1. Against the ratings: A, rated 6, stands below B, rated 3. Is that meant?"
    )
    press(page, "m")
    expect(page.locator("[data-announcer]")).to_have_text("Kept as it is")
    expect(page.locator("[data-questions]")).to_be_empty()
    assert ranks_in_order_shown(send(page)) == [2, 1, 3]


def test_whoever_answers_a_question_is_at_the_next_one_and_then_back_in_the_ranking(
    project: Project, at_work: Callable
) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "2", "j", "4", "j", "6")
    page.get_by_role("button", name="Confirm order").click()
    expect(page.locator('[data-pick="C"]')).to_be_focused()
    press(page, "3", "k", "3", "k", "1")
    assert slots(page) == ["A", "C", "B"] or slots(page) == ["A", "B", "C"]
    while page.locator("[data-questions] .notice").count():
        page.locator("[data-questions] [data-meant]").first.click()
        first = page.locator("[data-questions] button").first
        expect(first if first.count() else page.locator('[data-pick="A"]')).to_be_focused()


def test_the_proposal_is_confirmed_by_enter_in_the_ranking_too(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "6", "j", "3", "j", "1", "]")
    expect(page.locator('[data-pick="C"]')).to_be_focused()
    press(page, "Enter")
    assert ranks_in_order_shown(send(page)) == [1, 2, 3]


def test_a_move_that_moves_nothing_leaves_the_proposal_one_and_is_no_step(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "6", "j", "3", "j", "1", "]", "3", "Alt+ArrowDown")
    expect(page.locator("[data-announcer]")).to_have_text("Response C, rank 3")
    expect(page.locator("[data-status]")).to_have_text("Proposed from your ratings, not yet yours.")
    press(page, "u")
    expect(page.locator("[data-announcer]")).to_have_text("Undone: Response C rated 1")


def test_an_order_that_was_emptied_is_proposed_anew(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "]", "]", "1", "0", "[", "6", "j", "3")
    expect(page.locator("[data-status]")).to_have_text("Proposed from your ratings, not yet yours.")
    assert slots(page) == ["A", "B", ""]


def test_the_guideline_stays_open_where_it_was_read_from_task_to_task(project: Project, at_work: Callable) -> None:
    campaign = make_campaign(project, tasks=3, shown=2)
    body = "\n\n".join(f"Point {number}: be fair." for number in range(90))
    Guideline.objects.update(body=body)
    page, _ = at_work(campaign)
    panel = page.locator("#guideline")
    page.locator("[name=better]").first.focus()
    press(page, "g")
    expect(panel).to_be_focused()
    panel.evaluate("panel => { panel.scrollTop = 700; }")
    press(page, "ArrowLeft")
    before = page.url
    press(page, "Control+Enter")
    page.wait_for_url(lambda url: url != before)
    expect(panel).to_be_visible()
    assert panel.evaluate("panel => panel.scrollTop") == 700
    expect(panel).not_to_be_focused()
    expect(page.locator(".masthead [data-open-guideline]")).to_have_attribute("aria-expanded", "true")
    page.locator("[name=better]").first.focus()
    press(page, "g", "g")
    expect(panel).to_be_focused()
    press(page, "Escape")
    expect(panel).to_be_hidden()
    expect(page.locator("[name=better]").first).to_be_focused()


def test_each_move_is_announced(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "]", "]", "2", "j", "Shift+Digit2")
    expect(page.locator("[data-announcer]")).to_have_text("Response B, rank 2, tied with A")


def test_what_is_said_of_a_number_and_of_a_list_is_said_as_the_language_does(
    project: Project, at_work: Callable
) -> None:
    page, visitor = at_work(make_campaign(project, shown=4))
    press(page, "]", "1", "j", "Shift+Digit1", "j", "Shift+Digit1", "j", "Shift+Digit1")
    expect(page.locator("[data-announcer]")).to_have_text("Response D, rank 1, tied with A, B and C")
    visitor.context.add_init_script(
        "globalThis.django = { gettext: (text) => text, ngettext: (one, several, many) => `${many} forms` };"
    )
    load_anew(page)
    press(page, "2", "j", "7", "]", "4", "Control+Enter")
    expect(page.locator("[data-outcome]")).to_have_text("1 forms")


def test_an_order_is_made_by_pointer_and_only_from_the_handle(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    drag(page, '[data-name="C"] .chip__handle', '[data-slot="0"]')
    drag(page, '[data-name="A"] .chip__handle', '[data-slot="1"]')
    drag(page, '[data-name="B"] .chip__handle', '[data-slot="1"]')
    assert slots(page) == ["C", "AB", ""]
    drag(page, '[data-name="C"] .chip__name', '[data-slot="2"]')
    assert slots(page) == ["C", "AB", ""]
    before = page.url
    page.get_by_role("button", name="Submit and next").click()
    page.wait_for_url(lambda url: url != before)
    assert ranks_in_order_shown(Submission.objects.get()) == [2, 2, 1]


def drag(page: Page, source: str, target: str) -> None:
    start, end = page.locator(source).bounding_box(), page.locator(target).bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] - 8, steps=4)
    page.mouse.up()


def test_an_order_is_made_by_touch_on_a_phone(project: Project, at_work: Callable) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page, _ = at_work(make_campaign(project, shown=3), **phone)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("[data-dock-toggle]").tap()
    for letter, rank in (("B", "1"), ("A", "2"), ("C", "3")):
        page.locator(f'[data-pick="{letter}"]').tap()
        page.locator(f'[data-put="{rank}"]').tap()
    before = page.url
    page.get_by_role("button", name="Submit and next").tap()
    page.wait_for_url(lambda url: url != before)
    assert ranks_in_order_shown(Submission.objects.get()) == [2, 1, 3]


def test_nine_are_ranked_by_pointer_with_chips_rank_numbers_and_selects(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=9))
    for letter, rank in zip("ABCDE", "13249", strict=True):
        page.locator(f'[data-pick="{letter}"]').click()
        page.locator(f'[data-put="{rank}"]').click()
    for letter, rank in zip("FGHI", "5199", strict=True):
        page.locator(f'select[name="rank-{letter}"]').select_option(rank)
    page.get_by_text("Note on the task").click()
    page.get_by_label("Note on the task").fill("Two are copies.")
    before = page.url
    page.get_by_role("button", name="Submit and next").click()
    page.wait_for_url(lambda url: url != before)
    assert ranks_in_order_shown(Submission.objects.get()) == [1, 3, 2, 4, 6, 5, 1, 6, 6]
    assert Submission.objects.get().note == "Two are copies."


def test_nine_are_ranked_by_touch_on_a_phone(project: Project, at_work: Callable) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page, _ = at_work(make_campaign(project, shown=9), **phone)
    page.locator('label:has(> input[name="rating-A-overall"][value="6"])').tap()
    page.locator("[data-dock-toggle]").tap()
    for rank, letter in enumerate("IHGFEDCBA", start=1):
        page.locator(f'[data-pick="{letter}"]').tap()
        page.locator(f'[data-put="{rank}"]').tap()
    before = page.url
    page.get_by_role("button", name="Submit and next").tap()
    page.wait_for_url(lambda url: url != before)
    assert ranks_in_order_shown(Submission.objects.get()) == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_many_ranks_against_their_ratings_are_meant_in_one_press_and_undo_says_so(
    project: Project, at_work: Callable
) -> None:
    page, _ = at_work(make_campaign(project, shown=4))
    press(page, "1", "j", "3", "j", "5", "j", "7", "]", "4", "k", "3", "k", "2", "k", "1")
    expect(page.locator("[data-questions]")).to_contain_text("And 4 more.")
    page.get_by_role("button", name="All of these are meant").click()
    expect(page.locator("[data-questions]")).to_be_empty()
    press(page, "u")
    expect(page.locator("[data-announcer]")).to_have_text("Undone: Kept as it is")
    page.get_by_role("button", name="All of these are meant").click()
    assert ranks_in_order_shown(send(page)) == [1, 2, 3, 4]


def test_it_works_without_script(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, tasks=2, shown=3), java_script_enabled=False)
    for letter, rating, rank in (("A", "5", "2"), ("B", "7", "1"), ("C", "5", "2")):
        page.locator(f'input[name="rating-{letter}-overall"][value="{rating}"]').check(force=True)
        page.locator(f'select[name="rank-{letter}"]').select_option(rank)
    before = page.url
    page.get_by_role("button", name="Submit and next").click()
    assert page.url != before
    submission = Submission.objects.get()
    assert ratings_in_order_shown(submission) == [5, 7, 5]
    assert ranks_in_order_shown(submission) == [2, 1, 2]


def test_without_script_a_refused_form_comes_back_filled_in(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, shown=3), java_script_enabled=False)
    visitor.expected.append("422")
    page.locator('input[name="rating-B-overall"][value="7"]').check(force=True)
    page.get_by_role("button", name="Submit and next").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is ranked yet")
    expect(page.locator('input[name="rating-B-overall"][value="7"]')).to_be_checked()


def test_without_script_skip_and_guideline_are_pages(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, tasks=2, shown=3), java_script_enabled=False)
    page.get_by_role("link", name="Guideline").click()
    expect(page.get_by_text("Ties are welcome.")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Skip", exact=True).click()
    page.get_by_label("I cannot tell what the prompt asks").check()
    page.get_by_role("button", name="Skip and take the next").click()
    assert Assignment.objects.filter(state="skipped").count() == 1
    assert "/tasks/" in page.url


def test_a_draft_survives_a_reload_from_the_server_alone(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=4))
    press(page, "6", "j", "4", "j", "f", "m", "]", "1")
    expect(page.locator("[data-save-words]")).to_have_text(re.compile("^Saved "), timeout=2500)
    page.evaluate("localStorage.clear()")
    load_anew(page)
    assert slots(page)[0] == "C"
    expect(page.locator('input[name="rating-A-overall"][value="6"]')).to_be_checked()
    expect(page.locator('input[name="flag-C-misses_task"][value="yes"]')).to_be_checked()


@pytest.mark.parametrize("forget", ["localStorage.clear()", "null"], ids=["the server alone", "both"])
def test_the_time_at_work_goes_on_after_a_reload(project: Project, at_work: Callable, forget: str) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    page.wait_for_timeout(600)
    press(page, "6", "j", "4", "]", "1")
    expect(page.locator("[data-save-words]")).to_have_text(re.compile("^Saved "), timeout=10_000)
    kept = int(Assignment.objects.get().draft["active_ms"])
    assert kept >= 600
    page.evaluate(forget)
    load_anew(page)
    assert int(page.locator("[data-active-ms]").input_value()) >= kept
    press(page, "2")
    active_ms = send(page).active_ms
    assert active_ms is not None
    assert active_ms >= kept


def test_what_never_reached_the_server_survives_a_reload_too(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, shown=4))
    visitor.expected.append("ERR_CONNECTION_REFUSED")
    visitor.context.route("**/draft/", lambda route: route.abort("connectionrefused"))
    load_anew(page)  # one that is open already learns of a new route a moment later
    press(page, "7", "j", "2")
    expect(page.locator("[data-save-words]")).to_have_text("Saved on this device, no connection", timeout=4000)
    assert Assignment.objects.get().draft == {}
    visitor.context.unroute_all()
    load_anew(page)
    expect(page.locator('input[name="rating-A-overall"][value="7"]')).to_be_checked()
    expect(page.locator("[data-save-words]")).to_have_text(re.compile("^Saved \\d"), timeout=4000)
    assert Assignment.objects.get().draft["rating-B-overall"] == "2"


def test_being_offline_at_submit_loses_nothing_and_going_back_online_sends(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, shown=2, required=["ratings"]))
    visitor.expected.append("ERR_INTERNET_DISCONNECTED")
    press(page, "7", "j", "2", "Enter")
    visitor.context.set_offline(True)
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("Not sent: no connection. Your work is kept")
    visitor.context.set_offline(False)
    assert ranks_in_order_shown(send(page)) == [1, 2]


def test_an_expired_sign_in_keeps_the_words_and_the_same_page_sends_after_signing_in_again(
    project: Project, at_work: Callable, labeler: object
) -> None:
    page, visitor = at_work(make_campaign(project, shown=2, required=["ratings"]))
    cookies = visitor.context.cookies()
    press(page, "7", "j", "2", "Enter")
    visitor.context.clear_cookies(name="sessionid")
    press(page, "Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("You are signed out. Your work is kept")
    visitor.context.add_cookies([cookie for cookie in cookies if cookie["name"] == "sessionid"])
    assert ranks_in_order_shown(send(page)) == [1, 2]


def test_a_second_tab_shows_what_the_first_one_says(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, shown=3))
    second = visitor.open(page.url.removeprefix(visitor.base))
    press(page, "6")
    expect(second.locator('input[name="rating-A-overall"][value="6"]')).to_be_checked()


def test_what_the_server_refuses_is_shown_at_its_place(project: Project, at_work: Callable) -> None:
    page, visitor = at_work(make_campaign(project, shown=2, required=["ratings"]))
    visitor.expected.append("422")
    press(page, "]", "1", "j", "2", "Control+Enter")
    expect(page.locator('[data-response="A"] [data-problems]')).to_have_text(
        "Response A has no rating: Overall quality."
    )
    assert not Submission.objects.exists()


def test_skip_takes_a_reason_by_keyboard_and_goes_on(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, tasks=2, shown=3))
    before = page.url
    press(page, "s", "ArrowDown", "Enter")
    page.wait_for_url(lambda url: url != before)
    skipped = Assignment.objects.get(state="skipped")
    assert skipped.skip_reason == "subject"
    assert Task.objects.get(pk=skipped.task_id).open_slots == 1


def test_a_key_is_rebound_and_a_collision_refused(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    press(page, "?")
    page.get_by_role("button", name="change the key for next response").click()
    press(page, "u")
    expect(page.locator("[data-keys-answer]")).to_have_text("Not changed: that key already does “undo”.")
    page.get_by_role("button", name="change the key for next response").click()
    press(page, "x")
    press(page, "Escape", "x", "5")
    expect(page.locator('input[name="rating-B-overall"][value="5"]')).to_be_checked()


def test_no_key_acts_while_a_note_is_written(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=3))
    page.locator('[data-response="A"]').get_by_text("Add a note").click()
    page.get_by_label("Note on response A").fill("")
    page.keyboard.type("5 just so, 7")
    assert page.locator("input[type=radio][name^=rating]:checked").count() == 0
    press(page, "Escape", "4")
    expect(page.locator('input[name="rating-A-overall"][value="4"]')).to_be_checked()
    expect(page.get_by_label("Note on response A")).to_have_value("5 just so, 7")


def test_the_question_at_the_end_of_a_long_prompt_stays_in_view(project: Project, at_work: Callable) -> None:
    campaign = make_campaign(project, shown=4)
    passage = "\n\n".join(f"Paragraph {number} of a passage that is long to read." * 6 for number in range(30))
    messages = [{"role": "user", "content": f"{passage}\n\nWhen was the **bridge** opened?"}]
    Prompt.objects.filter(tasks__campaign=campaign).update(messages=messages)
    page, _ = at_work(campaign, viewport={"width": 1440, "height": 900})
    question = page.locator("[data-prompt] .prose > p:last-child")
    expect(question).to_have_text("When was the bridge opened?")
    expect(question).to_be_in_viewport(ratio=1)
    assert page.locator("[data-prompt]").evaluate("prompt => prompt.scrollTop") == 0
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".prompt__summary")).to_have_text("When was the bridge opened?")
    expect(page.locator(".prompt__summary")).to_be_in_viewport()
