"""The first page leads to whoever's work it is."""

import pytest
from django.test import Client

from labeling.models import Membership, Project, Role, User
from tests.conftest import make_member, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_labeler_of_one_project_goes_to_their_queue_and_an_owner_to_the_rounds(labeler: User, owner: User) -> None:
    assert signed_in(labeler).get("/").url == "/projects/helpdesk/"
    assert signed_in(owner).get("/").url == "/projects/helpdesk/rounds/"


def test_a_member_of_two_projects_chooses_and_sees_no_third(labeler: User, stranger: User) -> None:
    second = Project.objects.create(name="Second", slug="second")
    Membership.objects.create(user=labeler, project=second, role=Role.REVIEWER)
    html = signed_in(labeler).get("/").content.decode()
    assert 'href="/projects/helpdesk/"' in html
    assert 'href="/projects/second/"' in html
    assert "Elsewhere" not in html


def test_a_customer_is_led_nowhere(project: Project) -> None:
    answer = signed_in(make_member(project, "cleo", Role.CUSTOMER)).get("/")
    assert answer.status_code == 200
    assert "/projects/" not in answer.content.decode()


def test_whoever_belongs_nowhere_is_told_so(db: None) -> None:
    html = signed_in(User.objects.create_user(username="new")).get("/").content.decode()
    assert "You belong to no project yet" in html


def test_whoever_is_signed_out_is_sent_to_sign_in(db: None) -> None:
    assert Client().get("/").url.startswith("/accounts/login/")
