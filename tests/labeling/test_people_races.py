"""People who act at the same moment, on real connections: a project keeps an owner, a link works once."""

from contextlib import suppress

import pytest

from labeling.errors import InvitationGone, LastOwner, NotInvited
from labeling.inviting import accept, invite, send_again, withdraw
from labeling.leaving import leave
from labeling.members import change_role
from labeling.models import Invitation, Membership, Project, Role, User
from tests.conftest import make_member
from tests.labeling.test_invite import invited
from tests.labeling.test_races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_of_two_owners_who_go_at_once_one_stays(project: Project) -> None:
    for turn in range(4):
        owners = [make_member(project, f"owner-{turn}-{number}", Role.OWNER).memberships.get() for number in range(2)]

        def go(owners: list[Membership] = owners) -> None:
            with suppress(LastOwner):
                leave(owners[0])

        def step_down(owners: list[Membership] = owners) -> None:
            with suppress(LastOwner):
                change_role(owners[1], Role.LABELER)

        at_once([go, step_down])
        assert Membership.objects.filter(project=project, role=Role.OWNER).count() == 1
        Membership.objects.all().delete()


def test_of_two_people_with_one_link_one_joins(project: Project, owner: User) -> None:
    token = invited(project, owner)
    people = [User.objects.create_user(username=f"person-{number}") for number in range(4)]

    def join(user: User) -> int:
        try:
            accept(token, user)
        except InvitationGone:
            return 0
        return 1

    assert sum(at_once([lambda user=user: join(user) for user in people])) == 1
    assert Membership.objects.filter(project=project).count() == 2


def test_of_two_invitations_of_one_address_one_is_made(project: Project, owner: User) -> None:
    def send() -> None:
        with suppress(NotInvited):
            invite(project, email="ada@example.org", role=Role.LABELER, by=owner, address_of=str)

    at_once([send] * 4)
    assert Invitation.objects.count() == 1


@pytest.mark.parametrize("act", ["withdraw", "send again"])
def test_a_link_is_used_or_dead_and_never_both(project: Project, owner: User, act: str) -> None:
    for turn in range(6):
        token = invited(project, owner, email=f"person-{turn}@example.org")
        invitation, user = Invitation.objects.get(digest=Invitation.digest_of(token)), User(username=f"person-{turn}")
        user.save()

        def join(token: str = token, user: User = user) -> None:
            with suppress(InvitationGone):
                accept(token, user)

        def change_it(invitation: Invitation = invitation) -> None:
            with suppress(InvitationGone):
                if act == "withdraw":
                    withdraw(invitation)
                else:
                    send_again(invitation, by=owner, address_of=str)

        at_once([join, change_it])
        invitation.refresh_from_db()
        joined = Membership.objects.filter(user=user).exists()
        assert (invitation.accepted_at is not None) == joined
        assert (invitation.withdrawn_at is None) == joined
        assert not joined or not Invitation.objects.filter(email=invitation.email, accepted_at=None).exists()
