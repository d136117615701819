"""axe finds nothing in the states of the labelers' pages that are no screens of their own, light and dark, wide and
narrow; tests/browser/test_screens.py sees the screens."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from labeling.assigning import labeler_of
from labeling.checking import Work
from labeling.models import Membership, Project, Role, Task, User, WorkKind
from labeling.reviewing import review
from tests.browser.axe import faults_in_both_looks
from tests.conftest import make_member
from tests.labeling.conftest import Desk, at_desk
from tests.labeling.work import make_campaign, must_claim, submit_now, written

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

MARKDOWN = (
    "### Steps\n\n1. One `x`\n2. **Two**, [a link](https://example.org)\n\n"
    "```python\nx = 'a rather long line of code that scrolls in its own block'  # 1\n```\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted\n"
)


def desks(project: Project, user: User) -> Iterator[tuple[str, Desk]]:
    for name, kind, shown in (("rank", WorkKind.RANKING, 4), ("write a prompt", WorkKind.PROMPT, 0)):
        campaign = make_campaign(project, kind=kind, shown=shown, tasks=2)
        for task in Task.objects.filter(campaign=campaign):
            task.responses.update(text=MARKDOWN)
        yield name, at_desk(user, campaign)


def test_axe_finds_nothing_in_what_opens_on_a_page(project: Project, labeler: User, visit: Callable) -> None:
    visitor = visit(labeler)
    found: dict[str, list[str]] = {}

    def check(name: str, page: Page) -> None:
        found[name] = faults_in_both_looks(page)

    for name, desk in desks(project, labeler):
        page = visitor.open(desk.page)
        if name == "rank":
            for key in ("3", "j", "6", "Enter", "]", "1"):
                page.keyboard.press(key)
            check(name, page)
            for opened, key in (("keys", "?"), ("skip dialog", "s")):
                page.keyboard.press(key)
                check(opened, page)
                page.keyboard.press("Escape")
            page.keyboard.press("g")
            check("guideline panel", page)
        else:
            visitor.expected.append("422")
            page.locator("#text").fill("Write to mia@example.org.")
            page.keyboard.press("Control+Enter")
            page.locator("[data-problem]").wait_for()
            check("a prompt that lacks its use case", page)
            page.get_by_label("Few-shot", exact=True).check()
            page.get_by_text("More examples").click()
            check("a few-shot prompt", page)
        page.close()
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_axe_finds_nothing_where_texts_are_reviewed_and_taken_up_again(
    project: Project, labeler: User, visit: Callable
) -> None:
    author = labeler_of(Membership.objects.get(user=labeler))
    campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=2)
    returned, waits = (submit_now(must_claim(campaign, author), Work(text=MARKDOWN)).submission for _ in range(2))
    prompts = make_campaign(project, kind=WorkKind.PROMPT, quota=9)
    prompt = submit_now(must_claim(prompts, author), written(MARKDOWN)).submission
    reviewer = make_member(project, "rita", Role.REVIEWER)
    review(returned, reviewer, state="returned", remarks="Say which apple.\n\nAnd why.", seen=0)
    reviewing, writing = visit(reviewer), visit(labeler)
    pages = [
        (reviewing, "/projects/helpdesk/review/"),
        *((reviewing, f"/projects/helpdesk/review/{one.pk}/") for one in (returned, waits, prompt)),
        (writing, "/projects/helpdesk/"),
        (writing, f"/projects/helpdesk/tasks/{returned.assignment.uuid}/"),
    ]
    found = {}
    for visitor, path in pages:
        page = visitor.open(path)
        found[path] = faults_in_both_looks(page)
        page.close()
    assert {path: problems for path, problems in found.items() if problems} == {}
