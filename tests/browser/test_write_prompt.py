"""Writing a prompt in a real browser, by keyboard."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from labeling.assigning import labeler_of
from labeling.models import Assignment, Campaign, Membership, Project, Prompt, User, WorkKind
from tests.browser.axe import violations
from tests.browser.conftest import load_anew
from tests.labeling.work import make_campaign, must_claim, submit_now, written

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def campaign(project: Project) -> Campaign:
    return make_campaign(project, kind=WorkKind.PROMPT, quota=9)


def send(page: Page) -> None:
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)


def test_a_plain_prompt_is_written_previewed_kept_and_sent_from_the_keyboard(
    campaign: Campaign, at_work: Callable
) -> None:
    page, _ = at_work(campaign)
    page.locator("[name=style]:checked").focus()
    for key in ("Tab", "o", "p", "e", "n", "Tab", "Tab"):  # the use case, past the line that opens a conversation
        page.keyboard.press(key)
    page.keyboard.type("What is a **fjord**?")
    expect(page.locator("[data-preview] strong")).to_have_text("fjord")
    expect(page.locator("[data-save-words]")).to_have_text(re.compile("^Saved "), timeout=2500)
    assert Assignment.objects.get().draft["text"] == "What is a **fjord**?"
    load_anew(page)
    expect(page.locator("#text")).to_have_value("What is a **fjord**?")
    expect(page.locator("[name=use_case]")).to_have_value("open_qa")
    page.locator("#text").focus()
    send(page)
    assert Prompt.objects.get().last_turn == "What is a **fjord**?"


def test_a_few_shot_prompt_says_what_is_missing_and_reads_as_it_is_stored(
    campaign: Campaign, at_work: Callable
) -> None:
    page, visitor = at_work(campaign)
    visitor.expected.append("422")
    page.locator("[name=style]:checked").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_label("Instruction").fill("Say the opposite.")
    page.locator("[name=input-1]").fill("hot")
    page.locator("[name=output-1]").fill("cold")
    page.locator("[name=query]").fill("old")
    page.locator("[name=use_case]").select_option("rewrite")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-outcome]")).to_have_text("1 example so far; a few-shot prompt has at least 2.")
    expect(page.locator("[name=input-2]")).to_be_focused()
    page.keyboard.type("big")
    page.keyboard.press("Tab")
    page.keyboard.type("small")
    shown = page.locator("[data-preview] p").all_inner_texts()
    send(page)
    assert Prompt.objects.get().last_turn == "\n\n".join(shown)


def test_a_warning_is_answered_by_a_box(campaign: Campaign, at_work: Callable) -> None:
    page, visitor = at_work(campaign)
    visitor.expected.append("422")
    page.locator("[name=use_case]").select_option("chat")
    page.locator("#text").fill("Write to mia@example.org.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-outcome]")).to_contain_text("It seems to hold an e-mail address.")
    expect(page.locator("[name=sure-personal]")).to_be_focused()
    page.keyboard.press("Space")
    send(page)
    assert Prompt.objects.get().personal_data == ["email"]


def test_it_works_without_script(campaign: Campaign, at_work: Callable) -> None:
    page, _ = at_work(campaign, java_script_enabled=False)
    page.get_by_label("User-based", exact=True).check()
    page.locator("[name=use_line]").fill("naming a product")
    page.locator("[name=use_case]").select_option("brainstorming")
    page.locator("#text").fill("Five names for a kettle.")
    page.get_by_role("button", name="Submit and next").click()
    assert Prompt.objects.get().style == "user_based"


def test_a_prompt_that_is_close_is_shown_while_one_writes_and_goes_as_the_text_moves_away(
    project: Project, campaign: Campaign, labeler: User, at_work: Callable
) -> None:
    author = labeler_of(Membership.objects.get(user=labeler, project=project))
    submit_now(must_claim(campaign, author), written("Name five birds that winter in the north of Norway."))
    page, _ = at_work(campaign)
    aside, heard = page.get_by_role("complementary", name="A prompt that is close"), page.locator("[data-announcer]")
    page.locator("#text").fill("name five birds that winter in the north of Norway,")
    expect(aside).to_contain_text("Close to a prompt that you wrote already:", timeout=5000)
    expect(aside).to_contain_text("Name five birds that winter in the north of Norway.")
    expect(heard).to_contain_text("Close to a prompt that you wrote already: Name five birds")
    assert violations(page) == []
    page.evaluate("document.querySelector('[data-announcer]').textContent = ''")
    page.locator("#text").press_sequentially(" please")
    expect(page.locator("[data-save]")).to_have_attribute("data-state", "saved", timeout=5000)
    expect(aside).to_be_visible()
    expect(heard).to_have_text("")  # said once, not at every pause
    load_anew(page)
    expect(aside).to_contain_text("Name five birds")
    page.locator("#text").fill("How does a bird that stays keep its feet from freezing to the ice?")
    expect(aside).to_be_hidden(timeout=5000)
