"""A researcher writes a guideline and runs a campaign in a real browser: by keyboard, without script, on a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from labeling.guidelines import guideline_for
from labeling.models import Assignment, Campaign, Guideline, Project, User, WorkKind
from labeling.publishing import begin_version
from tests.labeling.work import (
    make_prompt,
    make_responses,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

BASE = "/projects/helpdesk/"


def go_to(page: Page, target: Locator) -> None:
    """Presses Tab until the control has the focus: what cannot be reached so fails."""
    expect(target).to_be_visible()
    for _ in range(120):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by Tab")


def press(page: Page, role: str, name: str, key: str = "Enter") -> None:
    go_to(page, page.get_by_role(role, name=name))  # type: ignore[arg-type]
    page.keyboard.press(key)


def fill(page: Page, label: str, text: str) -> None:
    go_to(page, page.get_by_label(label, exact=True))
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def test_by_keyboard_a_guideline_is_published_and_a_ranking_campaign_is_piloted_previewed_paused_and_closed(
    project: Project, researcher: User, visit: Callable
) -> None:
    for _ in range(4):
        make_responses(make_prompt(project), ["One.", "Two.", "Three."])
    page = visit(researcher).open(f"{BASE}guidelines/")
    press(page, "button", "Write the first version of the ranking guideline")
    fill(page, "The guideline", "Rank what is **true** first.")
    expect(page.locator("[data-preview] strong")).to_have_text("true")
    press(page, "button", "Save and publish …")
    press(page, "button", "Publish version 1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Version 1 of the ranking guideline is in force.")
    assert Guideline.objects.get().body == "Rank what is **true** first."

    press(page, "link", "New campaign by it")
    press(page, "checkbox", "secret-model-13b (12)", key="Space")
    press(page, "button", "Count the tasks")
    expect(page.get_by_role("heading", level=1)).to_have_text("4 prompts fit; 4 tasks will be made.")
    fill(page, "Name", "Autumn")
    press(page, "button", "Make the draft")
    expect(page.get_by_role("heading", level=1)).to_contain_text("is a draft with 4 tasks")

    press(page, "link", "Preview as a labeler")
    expect(page.get_by_text("Task 1 of 4 as labelers see it")).to_be_visible()
    for key in ("5", "j", "3", "j", "4", "Enter", "Control+Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Submit and next")).to_be_disabled()
    press(page, "link", "Next task")
    expect(page.get_by_text("Task 2 of 4 as labelers see it")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter(name => name.startsWith('accord.work'))") == []
    assert not Assignment.objects.exists()
    press(page, "link", "Back to the campaign")

    press(page, "link", "Open …")
    go_to(page, page.get_by_label("All its tasks"))
    page.keyboard.press("ArrowDown")
    fill(page, "Tasks of the pilot", "2")
    press(page, "button", "Open it")
    expect(page.get_by_text("Only the first 2 of 4 tasks are handed out.")).to_be_visible()
    press(page, "button", "Open to all tasks")
    expect(page.get_by_text("The pilot is over")).to_be_visible()
    press(page, "link", "Pause …")
    press(page, "button", "Pause it")
    press(page, "link", "Close …")
    press(page, "button", "Close it for good")
    expect(page.get_by_role("heading", level=1)).to_contain_text("it is closed")
    campaign = Campaign.objects.get()
    assert (campaign.state, campaign.pilot_tasks, campaign.tasks.count()) == ("closed", None, 4)


def test_without_script_a_flag_is_mended_and_what_is_wrong_stands_at_its_row(
    project: Project, researcher: User, visit: Callable
) -> None:
    guideline_for(project, WorkKind.RANKING)
    draft, _ = begin_version(project, WorkKind.RANKING)
    page = visit(researcher, java_script_enabled=False).open(f"{BASE}guidelines/{draft.pk}/edit/")
    page.get_by_label("letter of flag 2").fill("m")
    page.get_by_role("button", name="Save the draft").last.click()
    expect(page.locator("#flag-1-problem")).to_contain_text("2 flags have the letter 'm'")
    page.get_by_label("letter of flag 2").fill("i")
    page.get_by_role("button", name="Save and publish …").click()
    page.get_by_role("button", name="Publish version 2").click()
    assert Guideline.objects.get(version=2).published_at
