"""Ten tasks of real texts of each kind, done in a browser as a labeler would: read, rated, ranked, submitted.

make trial PART=real_texts (some minutes; TASKS=2 for fewer). The longest and the oddest texts of two data sets: nine
answers to the tasks of Self-Instruct, four to questions with their passages. A picture of each task stays in pytest's
folder, to be looked at; what a page must never do to a text is asserted.
"""

import gzip
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Project, Submission, User
from labeling.opening import make_tasks, open_campaign
from tests.browser.conftest import Visitor, at_work, chromium, visit  # noqa: F401
from tests.conftest import labeler, project  # noqa: F401
from tests.labeling.work import make_campaign, make_prompt, make_responses
from tests.services import DATA

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.data]

TASKS = int(os.environ.get("TASKS", "10"))
FAMILIES = {"candidates_self_instruct": (8, 9), "rankings_fgrlhf": (4, 4)}
HIDDEN = """() => [...document.querySelectorAll(".response__body, [data-prompt] .prose")].flatMap((text) => {
  const cut = [text, ...text.querySelectorAll("*")].filter((one) => {
    const style = getComputedStyle(one);
    const clipped = ["hidden", "clip"].includes(style.overflowX) || ["hidden", "clip"].includes(style.overflowY);
    return (clipped && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1))
      || style.webkitLineClamp !== "none" || style.textOverflow === "ellipsis";
  });
  const wide = text.scrollWidth > text.clientWidth + 1;
  return [...cut.map((one) => `cut: ${one.tagName} ${one.textContent.slice(0, 60)}`),
    ...(wide ? [`wider than its column: ${text.textContent.slice(0, 60)}`] : [])];
})"""
"""Texts of which a labeler does not see every word by scrolling."""
SHOWN = 'letter => document.querySelector(`[data-response="${letter}"] .response__body`).innerText.trim().length'


def rows(family: str) -> list[dict[str, Any]]:
    """Half of them the longest, half those with the most that is not a plain letter for their length."""
    with gzip.open(DATA / f"{family}.jsonl.gz", "rt", encoding="utf-8") as source:
        found = [json.loads(line) for line in source]
    low, high = FAMILIES[family]
    found = [row for row in found if low <= len(row["responses"]) <= high]
    found.sort(key=lambda row: -max(len(one["text"]) for one in row["responses"]))
    half = TASKS // 2
    rest = found[half:]
    rest.sort(key=lambda row: -max(oddness(one["text"]) for one in row["responses"]))
    return found[:half] + rest[: TASKS - half]


def oddness(text: str) -> float:
    return len(re.sub(r"[\w\s.,'\"-]", "", text, flags=re.ASCII)) / (len(text) + 20)


def asked(row: dict[str, Any]) -> str:
    return f"{row['context']}\n\n{row['prompt']}" if row.get("context") else str(row["prompt"])


@pytest.fixture(params=FAMILIES)
def tasks(request: pytest.FixtureRequest, project: Project) -> Any:  # noqa: F811
    campaign = make_campaign(project, tasks=0)
    items = []
    for row in rows(request.param):
        prompt = make_prompt(project, asked(row))
        items.append((prompt, make_responses(prompt, [one["text"] for one in row["responses"]])))
    make_tasks(campaign, items)
    if campaign.state != "open":
        open_campaign(campaign)
    return campaign, request.param


def read_all(page: Page, letters: list[str]) -> None:
    """As somebody who reads: every response scrolled to its end, the prompt still in view."""
    for letter in letters:
        page.locator(f'[data-response="{letter}"] .response__foot').scroll_into_view_if_needed()
        assert page.locator(".prompt__text .prose").first.is_visible()
        empty = page.evaluate(SHOWN, letter) == 0
        assert not empty, f"Response {letter} shows nothing"


@pytest.mark.parametrize("width", [1440, 390])
def test_ten_tasks_of_real_texts_are_done(
    tasks: Any,
    labeler: User,  # noqa: F811
    at_work: Callable[..., tuple[Page, Visitor]],  # noqa: F811
    width: int,
    tmp_path: Path,
) -> None:
    campaign, family = tasks
    page, _ = at_work(campaign, viewport={"width": width, "height": 900 if width > 700 else 844})
    for number in range(TASKS):
        letters = [one.get_attribute("data-response") or "" for one in page.locator("[data-response]").all()]
        assert page.evaluate(HIDDEN) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=tmp_path / f"{family}-{width}-{number}.png")
        if width > 700:
            read_all(page, letters)
        by_length = sorted(letters, key=lambda letter: -int(page.evaluate(SHOWN, letter)))
        for letter in letters:
            page.keyboard.press(str(7 - by_length.index(letter) * 6 // len(letters)))
            page.keyboard.press("j")
        page.screenshot(path=tmp_path / f"{family}-{width}-{number}-rated.png")
        before = page.url
        page.keyboard.press("Enter")
        page.keyboard.press("Control+Enter")
        page.wait_for_url(lambda url, before=before: url != before)
    expect(page.locator("#now")).to_contain_text("There is nothing for you just now", timeout=60_000)
    assert Submission.objects.filter(counted=True).count() == TASKS
    print(f"\n{family}, {width} px: {TASKS} tasks, pictures in {tmp_path}")
