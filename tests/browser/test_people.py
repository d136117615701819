"""The pages of people and projects in a browser: the keyboard does it."""

from collections.abc import Callable

import pytest
from django.core import mail

from labeling.models import Membership, Project, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_an_owner_invites_and_a_new_person_joins_by_keyboard_alone(
    project: Project, owner: User, visit: Callable
) -> None:
    page = visit(owner).open("/projects/helpdesk/people/")
    page.locator("#email").focus()
    page.keyboard.type("ada@example.org")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=ada@example.org is invited as labeler.")

    link = next(word for word in mail.outbox[0].body.split() if "/invitation/" in word)
    newcomer = visit(None).open(link[link.index("/invitation/") :])
    newcomer.locator("#name").focus()
    for words in ("Ada L.", "analytical engine", "analytical engine"):
        newcomer.keyboard.type(words)
        newcomer.keyboard.press("Tab")
    newcomer.keyboard.press("Enter")
    newcomer.wait_for_url("**/projects/helpdesk/")
    assert Membership.objects.filter(user__email="ada@example.org", project=project).exists()
