"""manage.py import_text: text for pretraining comes in."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Project
from training.errors import SnapshotRefused
from training.text_import import import_text


class Command(BaseCommand):
    help = 'Import text to pretrain a base model on: JSON lines with a "text" each, gzip or not. All or nothing.'
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, project: str, file: Path, **options: Any) -> None:
        found = Project.objects.filter(slug=project).first()
        if found is None:
            slugs = ", ".join(Project.objects.values_list("slug", flat=True)[:10]) or "none yet"
            raise CommandError(f"There is no project {project!r}; there are: {slugs}")
        try:
            snapshots = import_text(found, file)
        except SnapshotRefused as refused:
            raise CommandError(str(refused)) from None
        for snapshot in snapshots:
            split = snapshot.query["split"]
            self.stdout.write(f"{split}: {snapshot.rows:,} documents, {snapshot.bytes:,} bytes, snapshot {snapshot.pk}")
