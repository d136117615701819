"""The masthead leads to what the visitor's role may open, and says where they are."""

import pytest
from django.test import Client

from labeling.models import Project, Role, User
from labeling.places import PLACES, links_for
from tests.conftest import make_member, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def navigation(client: Client, path: str) -> str:
    html = client.get(path).content.decode()
    return html[html.index("<nav") : html.index("</nav>")]


def test_a_page_is_marked_as_the_place_one_is_at(owner: User) -> None:
    shown = navigation(signed_in(owner), "/projects/helpdesk/rounds/")
    assert 'href="/projects/helpdesk/rounds/" aria-current="page"' in shown
    assert shown.count("aria-current") == 1


def test_a_page_below_a_place_or_beside_it_marks_the_place(owner: User) -> None:
    for path in ("/projects/helpdesk/cohorts/", f"/projects/helpdesk/people/{owner.memberships.get().pk}/"):
        shown = navigation(signed_in(owner), path)
        assert 'href="/projects/helpdesk/people/" aria-current="true"' in shown
        assert shown.count("aria-current") == 1


def test_a_labeler_is_led_to_no_page_of_the_console(labeler: User) -> None:
    shown = navigation(signed_in(labeler), "/projects/helpdesk/")
    assert 'href="/projects/helpdesk/" aria-current="page"' in shown
    assert "rounds" not in shown


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("role", Role.values)
def test_every_place_that_is_offered_opens(project: Project, role: str, simulated: bool) -> None:
    Project.objects.update(simulated=simulated)
    member = make_member(project, "mia", role)
    client = signed_in(member)
    offered = [place.name for place in PLACES if role in place.roles and (simulated or not place.rehearsal)]
    addresses = [link.address for link in links_for(member.memberships.get(), "/")]
    assert len(addresses) == len(offered)
    assert [client.get(address).status_code for address in addresses] == [200] * len(offered)
