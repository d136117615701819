"""Inviting: one open invitation an address, its link sent by mail and kept as a digest only."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from labeling import inviting
from labeling.errors import InvalidWork, InvitationGone, NotInvited
from labeling.inviting import (
    AlreadyInvited,
    MailNotSent,
    accept,
    accept_as_new,
    invite,
    open_invitation,
    send_again,
    withdraw,
)
from labeling.models import Invitation, Membership, Project, Role, User
from tests.conftest import make_member

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def invited(project: Project, owner: User, email: str = "ada@example.org", role: str = Role.LABELER) -> str:
    """The token that was sent."""
    invite(project, email=email, role=role, by=owner, address_of=lambda token: f"http://here/{token}/")
    return token_sent()


def token_sent() -> str:
    return re.findall(r"http://here/(\S+)/", mail.outbox[-1].body)[0]


def test_the_mail_says_who_invites_to_what_as_what_and_until_when(project: Project, owner: User) -> None:
    token = invited(project, owner)
    [sent] = mail.outbox
    assert sent.to == ["ada@example.org"]
    assert sent.subject == "Invitation to Helpdesk"
    for words in ("olga invites you", "Helpdesk", "as labeler", f"{inviting.in_words(Invitation.objects.get())}"):
        assert words in sent.body
    assert "secret" not in sent.body
    assert token not in str(Invitation.objects.values_list().get())


def test_the_link_is_valid_for_14_days(project: Project, owner: User) -> None:
    token = invited(project, owner)
    left = open_invitation(token).expires_at - timezone.now()
    assert timedelta(days=13, hours=23) < left <= timedelta(days=14)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(InvitationGone, match="ended on"):
        open_invitation(token)


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.org\nBcc: all@example.org",
        "ada@example.org\r\nSubject: x",
        "ada@example.org, bea@example.org",
        '"a\x01b"@example.org',
        "Ada <ada@example.org>",
        "ada",
        "",
        f"{'a' * 250}@example.org",
        "ada@exa mple.org",
    ],
)
def test_what_is_not_one_plain_address_is_refused(project: Project, owner: User, address: str) -> None:
    with pytest.raises(NotInvited, match="is not an e-mail address"):
        invited(project, owner, address)
    assert not mail.outbox
    assert not Invitation.objects.exists()


def test_names_with_line_breaks_stay_on_one_line_of_the_header(project: Project, owner: User) -> None:
    Project.objects.filter(pk=project.pk).update(name="Help\r\nBcc: all@example.org")
    project.refresh_from_db()
    invited(project, owner)
    assert mail.outbox[0].subject == "Invitation to Help Bcc: all@example.org"
    assert set(mail.outbox[0].message().keys()) & {"Bcc", "Cc"} == set()


def test_a_member_is_not_invited_again_whatever_the_case_of_the_address(project: Project, owner: User) -> None:
    make_member(project, "lars", Role.LABELER)
    with pytest.raises(NotInvited, match="lars, who is Labeler here"):
        invited(project, owner, "LARS@example.org")


def test_an_address_with_an_open_invitation_is_told_of_and_nothing_is_sent(project: Project, owner: User) -> None:
    invited(project, owner)
    with pytest.raises(AlreadyInvited) as refused:
        invited(project, owner, "Ada@Example.org")
    assert refused.value.invitation.email == "ada@example.org"
    assert len(mail.outbox) == 1


def test_sent_again_the_new_link_opens_and_the_old_one_is_dead(project: Project, owner: User) -> None:
    old = invited(project, owner)
    send_again(open_invitation(old), by=owner, address_of=lambda token: f"http://here/{token}/")
    assert open_invitation(token_sent()).email == "ada@example.org"
    with pytest.raises(InvitationGone, match="replaced by a newer one"):
        open_invitation(old)


def test_past_its_end_an_invitation_gives_way_to_another(project: Project, owner: User) -> None:
    invited(project, owner)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert open_invitation(invited(project, owner, role=Role.REVIEWER)).role == Role.REVIEWER


def test_withdrawn_it_leads_nowhere_and_is_not_sent_again(project: Project, owner: User) -> None:
    token = invited(project, owner)
    found = open_invitation(token)
    withdraw(found)
    with pytest.raises(InvitationGone, match="withdrawn"):
        accept(token, owner)
    with pytest.raises(InvitationGone):
        send_again(found, by=owner, address_of=str)


def test_a_project_sends_so_many_a_day_and_no_more(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inviting, "MOST_A_DAY", 2)
    invited(project, owner, "a@example.org")
    invited(project, owner, "b@example.org")
    with pytest.raises(NotInvited, match="2 invitations went out within a day"):
        invited(project, owner, "c@example.org")
    Invitation.objects.update(created_at=timezone.now() - timedelta(days=2))
    invited(project, owner, "c@example.org")


def test_an_address_is_not_sent_to_over_and_over(project: Project, owner: User) -> None:
    invited(project, owner)
    found = Invitation.objects.get()
    for _ in range(inviting.MOST_AN_ADDRESS_A_DAY - 1):
        found = send_again(found, by=owner, address_of=str)
    with pytest.raises(NotInvited, match="got 5 invitations within a day"):
        send_again(found, by=owner, address_of=str)


def test_a_mail_server_that_does_not_answer_leaves_the_invitation_to_be_sent_again(
    project: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(inviting, "send_mail", refuse)
    with pytest.raises(MailNotSent, match="did not go out"):
        invited(project, owner)
    assert Invitation.objects.filter(accepted_at=None, withdrawn_at=None).exists()


def test_accepted_it_makes_a_member_once(project: Project, owner: User, stranger: User) -> None:
    token = invited(project, owner, role=Role.REVIEWER)
    assert accept(token, stranger).role == Role.REVIEWER
    with pytest.raises(InvitationGone, match="accepted already"):
        accept(token, owner)
    assert Invitation.objects.get().accepted_by == stranger


def test_who_is_a_member_already_keeps_their_role_and_uses_the_link_up(
    project: Project, owner: User, labeler: User
) -> None:
    token = invited(project, owner, "elsewhere@example.org", Role.OWNER)
    assert accept(token, labeler).role == Role.LABELER
    assert Membership.objects.filter(user=labeler, project=project).count() == 1
    with pytest.raises(InvitationGone):
        open_invitation(token)


def test_a_new_person_gets_an_account_with_the_invited_address(project: Project, owner: User) -> None:
    User.objects.create_user(username="ada")
    membership = accept_as_new(invited(project, owner), name="Ada L.", password="analytical engine")
    assert (membership.user.email, membership.user.get_full_name()) == ("ada@example.org", "Ada L.")
    assert membership.user.username == "ada-2"
    assert membership.user.check_password("analytical engine")


@pytest.mark.parametrize(
    ("name", "password", "place"),
    [
        ("Ada", "12345678", "password"),
        ("Ada", "short", "password"),
        ("", "analytical engine", "name"),
        ("A\nB", "analytical engine", "name"),
        ("A\u202eB", "analytical engine", "name"),
    ],
)
def test_a_weak_password_or_no_name_makes_no_account(
    project: Project, owner: User, name: str, password: str, place: str
) -> None:
    token = invited(project, owner)
    people = User.objects.count()
    with pytest.raises(InvalidWork) as refused:
        accept_as_new(token, name=name, password=password)
    assert refused.value.problems[0].place == place
    assert User.objects.count() == people
    assert open_invitation(token)


def test_where_an_account_has_the_address_no_second_one_is_made(project: Project, owner: User) -> None:
    User.objects.create_user(username="countess", email="Ada@example.org")
    with pytest.raises(InvitationGone, match="Sign in"):
        accept_as_new(invited(project, owner), name="Ada", password="analytical engine")
