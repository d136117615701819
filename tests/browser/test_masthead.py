"""The places of a project in a real browser: on a phone one row, whatever their number."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from labeling.models import Project, User
from tests.training.workers import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

HEIGHTS = "links => new Set(links.map(link => link.getBoundingClientRect().top)).size"
IN_VIEW = """link => {
  const [one, row] = [link.getBoundingClientRect(), link.parentElement.getBoundingClientRect()];
  return one.left >= row.left && one.right <= row.right;
}"""


def test_on_a_phone_the_places_are_one_row_that_keeps_where_one_is_in_view(
    project: Project, owner: User, visit: Callable
) -> None:
    page = visit(owner, viewport={"width": 390, "height": 844}).open("/projects/helpdesk/people/")
    places = page.get_by_role("navigation", name="Project")
    links = places.get_by_role("link")
    assert links.count() > 8
    assert links.evaluate_all(HEIGHTS) == 1
    current = places.locator("[aria-current=page]")
    expect(current).to_have_text("People")
    assert current.evaluate(IN_VIEW)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    links.first.focus()  # By keyboard every place comes into view as it is reached.
    for one in links.all():
        wait_until(lambda link=one: link.evaluate(IN_VIEW))
        page.keyboard.press("Tab")
