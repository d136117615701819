"""axe finds nothing on any page of the labelers, light and dark, wide and narrow."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from labeling.models import Membership, Project, Role, Task, User, WorkKind
from tests.labeling.conftest import Desk, at_desk
from tests.labeling.work import make_campaign

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

MARKDOWN = (
    "### Steps\n\n1. One `x`\n2. **Two**, [a link](https://example.org)\n\n"
    "```python\nx = 'a rather long line of code that scrolls in its own block'  # 1\n```\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted\n"
)


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def desks(project: Project, user: User) -> Iterator[tuple[str, Desk]]:
    for name, kind, shown in (
        ("rank", WorkKind.RANKING, 4),
        ("rank nine", WorkKind.RANKING, 9),
        ("pair", WorkKind.RANKING, 2),
        ("rate", WorkKind.RATING, 1),
        ("demonstrate", WorkKind.DEMONSTRATION, 0),
    ):
        campaign = make_campaign(project, kind=kind, shown=shown, tasks=2)
        for task in Task.objects.filter(campaign=campaign):
            task.responses.update(text=MARKDOWN)
        yield name, at_desk(user, campaign)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing(project: Project, labeler: User, visit: Callable, scheme: str, width: int) -> None:
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    visitor, outsider = visit(labeler, **look), visit(None, **look)
    second = Project.objects.create(name="Second", slug="second")
    Membership.objects.create(user=labeler, project=second, role=Role.REVIEWER)
    found: dict[str, list[str]] = {}

    def check(name: str, page: Page) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} scrolls sideways"
        found[name] = violations(page)

    for name, desk in desks(project, labeler):
        page = visitor.open(desk.page)
        if "rank" in name:
            for key in ("3", "j", "6", "Enter", "]", "1"):
                page.keyboard.press(key)
        check(name, page)
        if name == "rank":
            for opened, key in (("keys", "?"), ("skip dialog", "s")):
                page.keyboard.press(key)
                check(opened, page)
                page.keyboard.press("Escape")
            page.keyboard.press("g")
            check("guideline panel", page)
        if name == "rate":
            page.goto(visitor.base + desk.page + "skip/")
            check("skip page", page)
        page.close()
    for path in ("/", "/projects/helpdesk/", f"/projects/helpdesk/guidelines/{desk.campaign.guideline_id}/"):
        check(path, visitor.open(path))
    check("sign out", visitor.open("/accounts/logout/"))
    outsider.expected.append("410")
    for path in ("/accounts/login/", "/accounts/password/reset/", "/accounts/signup/", "/link/used/"):
        check(path, outsider.open(path))
    assert {name: problems for name, problems in found.items() if problems} == {}
