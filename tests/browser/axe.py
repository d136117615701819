"""What axe finds on a page: its own rules, and the one of WCAG 2.2 AA that it leaves off unless asked."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

OPTIONS = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


def violations(page: Page) -> list[str]:
    """The rule and the first place, for each rule that is broken."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]
