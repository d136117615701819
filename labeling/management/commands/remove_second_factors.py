"""manage.py remove_second_factors USER: for somebody who lost their device and their recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import User
from labeling.second_factors import remove_second_factors


class Command(BaseCommand):
    help = "Remove the second factors of USER and end their sessions. Make sure first that it is they who ask."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name or e-mail address")

    def handle(self, *args: Any, user: str, **options: Any) -> None:
        users = list(User.called(user)[:2])
        if len(users) != 1:
            many = "Several users have" if users else "No user has"
            raise CommandError(f"{many} the name or address {user!r}; give the user name of one.")
        removed = remove_second_factors(users[0])
        self.stdout.write(f"{users[0].username}: {removed} removed, every session ended. They sign in by password now.")
