"""manage.py clean_runs: frees disk of the run folders; what a kept checkpoint or a resume needs stays."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from labeling.models import Project
from training.retention import DAYS, clean, removable


class Command(BaseCommand):
    help = "Remove what no page, no resume and no kept checkpoint needs from the run folders. Lists it with --dry-run."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--older-than", type=int, default=DAYS, metavar="DAYS", help="since the end of a job")
        parser.add_argument("--project", metavar="SLUG", help="of this project only")
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *args: Any, older_than: int, project: str | None, dry_run: bool, **options: Any) -> None:
        if older_than < 0:
            raise CommandError(f"--older-than is {older_than}; expected a number of days, 0 or more")
        found = Project.objects.filter(slug=project).first() if project else None
        if project and found is None:
            raise CommandError(f"There is no project {project!r}.")
        pieces = removable(older_than=timedelta(days=older_than), project=found)
        for piece in pieces:
            self.stdout.write(f"{filesizeformat(piece.bytes):>12}  {piece.path}  {piece.why}")
        if dry_run:
            self.stdout.write(f"{filesizeformat(sum(piece.bytes for piece in pieces))} would be freed.")
            return
        self.stdout.write(f"{filesizeformat(clean(pieces))} freed.")
