"""manage.py sign_in_link USER: a link that signs USER in once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import User
from labeling.sign_in import one_time_link


class Command(BaseCommand):
    help = "Print a link that signs USER in once, within a day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name or e-mail address")
        parser.add_argument("--base", default="http://127.0.0.1:8000", help="where the site is reached")

    def handle(self, *args: Any, user: str, base: str, **options: Any) -> None:
        users = list(User.called(user)[:2])
        if len(users) > 1:
            raise CommandError(f"Several users have the name or address {user!r}; give the user name of one.")
        found = users[0] if users else None
        if found is None:
            names = ", ".join(User.objects.order_by("pk").values_list("username", flat=True)[:10])
            raise CommandError(f"There is no user {user!r}; the first ones are: {names or 'none yet'}.")
        if not found.is_active:
            raise CommandError(f"The user {user!r} is deactivated and cannot sign in.")
        self.stdout.write(one_time_link(found, base=base))
