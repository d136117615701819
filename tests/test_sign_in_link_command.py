"""manage.py sign_in_link USER."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from labeling.models import User
from training.management.commands.start import Command as Start

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_prints_a_link_that_works(labeler: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sign_in_link", "lars", base="http://accord.example.org/")
    link = capsys.readouterr().out.strip()
    assert link.startswith("http://accord.example.org/link/")
    client = Client()
    client.get(link.removeprefix("http://accord.example.org"))
    assert client.session["_auth_user_id"] == str(labeler.pk)


def test_an_address_will_do_where_it_is_one_users(labeler: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sign_in_link", "Lars@example.org")
    assert labeler.sign_in_links.count() == 1
    User.objects.create_user(username="twin", email="lars@example.org")
    with pytest.raises(CommandError, match="Several users"):
        call_command("sign_in_link", "lars@example.org")


def test_an_unknown_user_is_named_with_those_there_are(labeler: User) -> None:
    with pytest.raises(CommandError, match="no user 'nobody'.*lars"):
        call_command("sign_in_link", "nobody")


def test_a_deactivated_user_gets_no_link(labeler: User) -> None:
    labeler.is_active = False
    labeler.save()
    with pytest.raises(CommandError, match="deactivated"):
        call_command("sign_in_link", "lars")


def test_the_links_of_a_start_are_printed_at_once(db: None) -> None:
    """The worker prints, too, and would stand between two lines."""
    printed: list[str] = []

    class Paper(StringIO):
        def write(self, text: str) -> int:
            printed.append(text)
            return len(text)

    Start(stdout=Paper()).print_links("http://127.0.0.1:8000")
    assert len(printed) == 1
    assert printed[0].splitlines()[1] == "Accord is up at http://127.0.0.1:8000"
