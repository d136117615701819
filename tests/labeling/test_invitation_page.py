"""The page of an invitation: for somebody signed in, for a new person, and for whoever holds a link that is no more."""

import pytest
from django.core import mail
from django.test import Client

from labeling.models import Invitation, Membership, Project, Role, User
from tests.conftest import signed_in
from tests.labeling.test_invite import invited

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.threat(7)]

NEW = {"name": "Ada L.", "password": "analytical engine", "password_again": "analytical engine"}


@pytest.fixture
def page(project: Project, owner: User) -> str:
    return f"/invitation/{invited(project, owner)}/"


def test_looking_at_it_changes_nothing(page: str, stranger: User) -> None:
    for client in (Client(), signed_in(stranger)):
        assert client.get(page).status_code == 200
        assert client.head(page).status_code == 200
    assert Invitation.objects.get().accepted_at is None


def test_somebody_signed_in_joins_and_comes_to_their_work(page: str, project: Project, stranger: User) -> None:
    client = signed_in(stranger)
    assert "signed in as stefan" in client.get(page).content.decode()
    assert client.post(page).url == "/projects/helpdesk/"
    assert Membership.objects.get(user=stranger, project=project).role == Role.LABELER


def test_a_new_person_chooses_name_and_password_and_is_signed_in(page: str, project: Project) -> None:
    client = Client()
    assert "olga invites you as labeler" in client.get(page).content.decode()
    assert client.post(page, NEW).url == "/projects/helpdesk/"
    assert client.get("/projects/helpdesk/").status_code == 200
    later = Client()
    later.post("/accounts/login/", {"login": "ada@example.org", "password": NEW["password"]})
    assert "_auth_user_id" in later.session


def test_passwords_that_differ_are_refused_with_the_name_kept(page: str) -> None:
    answer = Client().post(page, NEW | {"password_again": "another engine"})
    html = answer.content.decode()
    assert answer.status_code == 400
    assert "not the same" in html
    assert 'value="Ada L."' in html
    assert "analytical" not in html


def test_whoever_has_an_account_with_the_address_signs_in_and_comes_back(page: str) -> None:
    User.objects.create_user(username="countess", email="ada@example.org")
    html = Client().get(page).content.decode()
    assert f"/accounts/login/?next={page}" in html
    assert "password" not in html.lower().replace("forgot", "")


def test_signing_up_without_an_invitation_stays_closed(page: str) -> None:
    assert "Accounts come by invitation" in Client().get("/accounts/signup/").content.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accepted_at": "2026-01-01T00:00Z"}, "accepted already"),
        ({"withdrawn_at": "2026-01-01T00:00Z"}, "withdrawn"),
        ({"expires_at": "2026-01-01T00:00Z"}, "ended on 1 January 2026"),
        ({"digest": "0"}, "leads to no invitation"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_link_that_is_no_more_says_so_and_tells_nothing_of_the_project(
    page: str, method: str, change: dict[str, str], words: str
) -> None:
    Invitation.objects.update(**change)
    answer = getattr(Client(), method)(page, NEW)
    html = answer.content.decode()
    assert answer.status_code == 410
    assert words in html
    for told in ("Helpdesk", "helpdesk", "olga", "ada@example.org", "labeler"):
        assert told not in html
    assert not User.objects.filter(email="ada@example.org").exists()


def test_a_member_is_told_that_they_are_one(page: str, labeler: User) -> None:
    assert "member of Helpdesk already" in signed_in(labeler).get(page).content.decode()


def test_the_link_in_the_mail_is_the_page(project: Project, owner: User) -> None:
    signed_in(owner).post("/projects/helpdesk/people/invite/", {"email": "bea@example.org", "role": "labeler"})
    link = next(word for word in mail.outbox[0].body.split() if word.startswith("http"))
    assert Client().get(link.removeprefix("http://testserver")).status_code == 200


def test_it_opens_where_the_account_of_who_invited_is_gone(page: str, owner: User, stranger: User) -> None:
    Invitation.objects.update(invited_by=None)
    for client in (Client(), signed_in(stranger)):
        assert "An owner invites you" in client.get(page).content.decode()
    User.objects.create_user(username="ada", email="ada@example.org")
    assert Client().get(page).status_code == 200
