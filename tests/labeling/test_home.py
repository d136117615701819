"""The first page leads to whoever's work it is."""

import pytest
from django.test import Client

from labeling.assigning import labeler_of
from labeling.models import Membership, Project, Role, User
from tests.conftest import make_member, signed_in
from tests.labeling.work import make_campaign, must_claim

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_labeler_of_one_project_goes_to_their_queue_and_an_owner_to_the_overview(labeler: User, owner: User) -> None:
    assert signed_in(labeler).get("/").url == "/projects/helpdesk/"
    assert signed_in(owner).get("/").url == "/projects/helpdesk/overview/"


def test_a_member_of_two_projects_chooses_and_sees_no_third(labeler: User, stranger: User) -> None:
    second = Project.objects.create(name="Second", slug="second")
    Membership.objects.create(user=labeler, project=second, role=Role.REVIEWER)
    html = signed_in(labeler).get("/").content.decode()
    assert 'href="/projects/helpdesk/"' in html
    assert 'href="/projects/second/"' in html
    assert "Elsewhere" not in html


def test_the_list_says_what_waits_in_each_project(project: Project, labeler: User, owner: User) -> None:
    campaign = make_campaign(project, tasks=2)
    assert "1 campaign with work" in signed_in(labeler).get("/?all").content.decode()
    must_claim(campaign, labeler_of(labeler.memberships.get()))
    html = signed_in(labeler).get("/?all").content.decode()
    assert "1 task in hand, 1 campaign with work" in html
    assert "/new-project/" not in html
    assert "/new-project/" in signed_in(owner).get("/?all").content.decode()


def test_a_customer_is_led_to_their_tokens(project: Project) -> None:
    client = signed_in(make_member(project, "cleo", Role.CUSTOMER))
    assert client.get("/").url == "/projects/helpdesk/tokens/"
    assert client.get("/projects/helpdesk/tokens/").status_code == 200


def test_a_rehearsal_leads_researchers_to_its_rounds_and_labelers_not(
    project: Project, labeler: User, owner: User
) -> None:
    rounds = 'href="/projects/helpdesk/rounds/"'
    assert rounds not in signed_in(owner).get("/?all").content.decode()
    Project.objects.filter(pk=project.pk).update(simulated=True)
    assert rounds in signed_in(owner).get("/?all").content.decode()
    assert rounds not in signed_in(labeler).get("/?all").content.decode()


def test_whoever_belongs_nowhere_is_told_so(db: None) -> None:
    html = signed_in(User.objects.create_user(username="new")).get("/").content.decode()
    assert "You belong to no project yet" in html


def test_whoever_is_signed_out_is_sent_to_sign_in(db: None) -> None:
    assert Client().get("/").url.startswith("/accounts/login/")
