"""A project whose texts are generated and whose labelers are simulated says so on every page of the console."""

import pytest
from django.urls import reverse

from labeling.models import Project, User
from tests.conftest import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LINE = "texts are generated, most labelers are simulated."


@pytest.mark.parametrize("name", ["prompts", "responses", "rounds"])
def test_a_rehearsal_says_so_on_the_pages_of_its_console(project: Project, owner: User, name: str) -> None:
    client, address = signed_in(owner), reverse(name, args=["helpdesk"])
    assert LINE not in client.get(address).content.decode()
    Project.objects.update(simulated=True)
    assert LINE in client.get(address).content.decode()


def test_a_labelers_queue_says_that_it_is_one_and_no_more(project: Project, labeler: User) -> None:
    client, address = signed_in(labeler), reverse("queue", args=["helpdesk"])
    assert "A rehearsal." not in client.get(address).content.decode()
    Project.objects.update(simulated=True)
    said = client.get(address).content.decode()
    assert "A rehearsal." in said
    assert LINE not in said
