"""manage.py add_member PROJECT USER."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from labeling.models import Membership, Project, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_new_labeler_signs_in_by_the_link_and_sees_the_project(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("add_member", "helpdesk", "ada", "--email", "ada@example.org", base="http://accord.example.org/")
    user = User.objects.get(username="ada")
    assert (user.email, user.memberships.get().role) == ("ada@example.org", "labeler")
    assert not user.has_usable_password()
    client = Client()
    client.get(capsys.readouterr().out.strip().removeprefix("http://accord.example.org"))
    assert client.get("/projects/helpdesk/").status_code == 200


def test_a_user_who_is_there_joins_another_project_in_the_role_given(project: Project, stranger: User) -> None:
    call_command("add_member", "helpdesk", "stefan", "--role", "reviewer")
    assert User.objects.count() == 1
    assert Membership.objects.get(user=stranger, project=project).role == "reviewer"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "ada"], "no project 'nowhere'; projects here: helpdesk"),
        (["helpdesk", "lars"], "lars is labeler of helpdesk already"),
        (["helpdesk", "lars", "--email", "other@example.org"], "leave --email out"),
        (["helpdesk", "ada", "--email", "LARS@example.org"], "Another user has the address"),
        (["helpdesk", "ada", "--email", "nonsense"], "No user 'ada' can be made: Enter a valid email"),
        (["helpdesk", "a b"], "No user 'a b' can be made"),
    ],
)
def test_it_refuses_and_makes_nobody(labeler: User, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("add_member", *arguments)
    assert sentence in str(refused.value)
    assert (User.objects.count(), Membership.objects.count()) == (1, 1)


def test_a_deactivated_user_is_not_added(project: Project, stranger: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="deactivated"):
        call_command("add_member", "helpdesk", "stefan")
