"""What axe finds on a page: its own rules, and the one of WCAG 2.2 AA that it leaves off unless asked."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Axe().axe_script
OPTIONS = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
OPEN_FOLDS = "document.querySelectorAll('main details:not(form details)').forEach(fold => { fold.open = true; })"
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
LOOKS = {
    "wide": ({"width": 1440, "height": 1000}, "light"),
    "narrow": ({"width": 390, "height": 844}, "dark"),
}
"""Viewport and theme."""


def violations(page: Page) -> list[str]:
    """The rule and the first place, for each rule that is broken."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    found = page.evaluate("options => axe.run(document, options)", OPTIONS)["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def faults_in_both_looks(page: Page) -> list[str]:
    """Wide and light, then, in the same window, narrow and dark with a finger."""
    return faults(page, *LOOKS)


def faults(page: Page, *looks: str) -> list[str]:
    """What axe finds, and whether the page scrolls sideways. In the last look all folds are open but those of a form
    (what its dock covers then is scrolled to)."""
    finger = page.context.new_cdp_session(page)
    found = []
    for name in looks:
        size, theme = LOOKS[name]
        finger.send("Emulation.setTouchEmulationEnabled", {"enabled": name == "narrow"})
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        if name == looks[-1]:
            page.evaluate(OPEN_FOLDS)
        page.evaluate(TWO_FRAMES)
        found += [f"{name}: {one}" for one in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth") > size["width"]:
            found.append(f"{name}: it scrolls sideways")
    return found
