"""The pages of people and projects in a browser: axe finds nothing, nothing scrolls sideways, the keyboard does it."""

from collections.abc import Callable

import pytest
from django.core import mail
from django.utils import timezone

from labeling.assigning import labeler_of
from labeling.models import Cohort, CohortMember, Labeler, Membership, Project, ProjectToken, User
from tests.browser.axe import violations
from tests.labeling.test_invite import invited
from tests.labeling.work import make_campaign, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

LONG = "linus.with.a.rather.long.address@subdomain.of.example.org"


@pytest.fixture
def token(project: Project, owner: User, labeler: User) -> str:
    """A project with something on every page; the token of its open invitation."""
    worker = labeler_of(Membership.objects.get(user=labeler, project=project))
    submit_now(must_claim(make_campaign(project, tasks=2), worker), ranked(1, 2, 3, 4))
    cohort = Cohort.objects.create(project=project, name="readers of poetry", about="Who read it daily.")
    CohortMember.objects.create(cohort=cohort, labeler=worker, since=timezone.now())
    Labeler.objects.create(project=project, pseudonym="rater-7", source=Labeler.Source.IMPORTED)
    ProjectToken.make(user=owner, project=project)
    Project.objects.update(about="### Why\n\nTo *learn*.")
    return invited(project, owner, LONG)


@pytest.mark.parametrize(("scheme", "width"), [("dark", 390)])
def test_axe_finds_nothing(
    project: Project, owner: User, labeler: User, token: str, visit: Callable, scheme: str, width: int
) -> None:
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    base = "/projects/helpdesk/"
    member, cohort = labeler.memberships.get().pk, project.cohorts.get().pk
    people, anyone = f"{base}people/", visit(None, **look)
    anyone.expected.append("410")
    owners = [
        *("/?all", "/new-project/", f"{base}overview/", f"{base}settings/", f"{base}delete/", f"{base}tokens/"),
        *(people, f"{people}{member}/", f"{people}{member}/remove/", f"{people}pay.csv?from=x&to=y"),
        *(f"{base}cohorts/", f"{base}cohorts/{cohort}/", f"{base}cohorts/{cohort}/delete/"),
    ]
    pages = [
        (visit(owner, **look), owners),
        (visit(labeler, **look), [f"{base}my-work/", f"{base}leave/", f"/invitation/{token}/"]),
        (anyone, [f"/invitation/{token}/", "/invitation/none/"]),
    ]
    found: dict[str, list[str]] = {}
    for visitor, paths in pages:
        visitor.expected.append("400")
        for path in paths:
            page = visitor.open(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} scrolls sideways"
            found[path] = violations(page)
            page.close()
    assert {path: problems for path, problems in found.items() if problems} == {}


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
