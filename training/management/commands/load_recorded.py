"""manage.py load_recorded: the recorded rounds of a rehearsal, in a project of their own to be looked at."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Role, User
from labeling.newcomers import FIRST_PEOPLE
from training.errors import RecordingRefused
from training.recorded.files import RECORDED
from training.recorded.loading import SLUG, load_recorded_rehearsal


class Command(BaseCommand):
    help = f"Load recorded rounds into the project {SLUG!r}. Where it is there already, nothing changes."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", type=Path, default=RECORDED)
        parser.add_argument("--owner", metavar="USER", help="who looks at it, besides the first people of a new site")

    def handle(self, *args: Any, file: Path, owner: str | None, **options: Any) -> None:
        roles: dict[str, str] = dict(FIRST_PEOPLE)
        if owner is not None:
            if not User.objects.filter(username=owner).exists():
                raise CommandError(f"There is no user {owner!r}.")
            roles[owner] = Role.OWNER
        people = [(user, roles[user.username]) for user in User.objects.filter(username__in=roles).order_by("pk")]
        try:
            project = load_recorded_rehearsal(people, path=file)
        except RecordingRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{project.name}: {project.rounds.count()} rounds, project {project.slug}.")
