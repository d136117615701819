"""manage.py make_token USER PROJECT: a token for the REST API, shown once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from labeling.access import READS_DATA
from labeling.models import Membership, ProjectToken, User


class Command(BaseCommand):
    help = "Prints a new token that opens one project to programs, with the rights of USER there; it is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name or e-mail address")
        parser.add_argument("project", help="the project's slug")

    def handle(self, *args: Any, **options: Any) -> None:
        name, slug = options["user"], options["project"]
        users = list(User.objects.filter(Q(username=name) | Q(email__iexact=name), is_active=True)[:2])
        if len(users) != 1:
            found = "several active users" if users else "no active user"
            raise CommandError(f"There is {found} with the name or address {name!r}; give the user name of one.")
        membership = Membership.objects.select_related("project").filter(user=users[0], project__slug=slug).first()
        if membership is None:
            raise CommandError(f"{users[0]} is not a member of a project {slug!r}; an owner adds members.")
        if membership.role not in READS_DATA:
            roles = ", ".join(sorted(READS_DATA))
            raise CommandError(f"{users[0]} is {membership.role} there; reading data takes one of {roles}.")
        token = ProjectToken.make(user=users[0], project=membership.project)
        self.stderr.write(f"A token of {users[0]} for {slug}; keep it, it is not shown again. Used like this:")
        self.stderr.write(f"  curl -H 'Authorization: Token …' http://127.0.0.1:8000/api/v1/projects/{slug}/rankings")
        self.stdout.write(token)
