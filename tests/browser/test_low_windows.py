"""A phone on its side, a page at twice its size: the page scrolls, and what stands still leaves room to read."""

from collections.abc import Callable

import pytest

from labeling.models import Project, Prompt, Response, WorkKind
from tests.labeling.work import make_campaign

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

STANDS_STILL = "[data-prompt], [data-dock], .decide, .rate__end, .write__end"
LOW = {"a phone on its side": (844, 390), "twice the size": (720, 450)}


@pytest.mark.parametrize("size", LOW.values(), ids=LOW)
@pytest.mark.parametrize(
    ("kind", "shown"), [(WorkKind.RANKING, 4), (WorkKind.RANKING, 2), (WorkKind.RATING, 1), (WorkKind.DEMONSTRATION, 0)]
)
def test_most_of_a_low_window_is_for_the_texts(
    project: Project, at_work: Callable, kind: str, shown: int, size: tuple[int, int]
) -> None:
    campaign = make_campaign(project, kind=kind, shown=shown)
    long = "\n\n".join(f"Paragraph {number} of what is to be read." for number in range(30))
    Response.objects.update(text=long)
    Prompt.objects.update(messages=[{"role": "user", "content": long}])
    page, _ = at_work(campaign, viewport={"width": size[0], "height": size[1]})
    page.evaluate("scrollTo(0, 100)")
    assert page.evaluate("scrollY") == 100
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    taken = page.locator(STANDS_STILL).evaluate_all("all => all.reduce((sum, one) => sum + one.offsetHeight, 0)")
    assert taken < size[1] / 2
