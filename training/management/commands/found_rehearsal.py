"""manage.py found_rehearsal: a project with an invented village and simulated labelers, to rehearse rounds in."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Project, Role, User
from training.founding import NAME, SLUG, found_rehearsal


class Command(BaseCommand):
    help = "Found a rehearsal; a worker trains its base model, and rounds are begun on its page."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("owner", help="user name or e-mail address of whoever is to own it")
        parser.add_argument("--name", default=NAME)
        parser.add_argument("--slug", default=SLUG, help="part of its addresses")

    def handle(self, *args: Any, owner: str, name: str, slug: str, **options: Any) -> None:
        users = list(User.called(owner)[:2])
        if len(users) != 1:
            raise CommandError(
                f"{'Several people are' if users else 'Nobody is'} called {owner!r}; give the user name."
            )
        if Project.objects.filter(slug=slug).exists():
            raise CommandError(f"There is a project {slug!r} already; give another one with --slug.")
        project = found_rehearsal([(users[0], Role.OWNER)], name=name, slug=slug)
        self.stdout.write(f"{project.name} is founded. A worker trains its base model: python manage.py work")
