"""manage.py record_rehearsal: writes the finished rounds of a rehearsal to one file that comes with Accord."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Project
from training.errors import RecordingRefused
from training.recorded.recording import record_rehearsal


class Command(BaseCommand):
    help = "Write the finished rounds of a rehearsal to a file: texts, judgments, curves, figures; no weights."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="slug of the rehearsal")
        parser.add_argument("--write", type=Path, required=True, metavar="FILE")
        parser.add_argument("--note", default=f"{os.cpu_count()} cores", help="the machine in words")

    def handle(self, *args: Any, project: str, write: Path, note: str, **options: Any) -> None:
        found = Project.objects.filter(slug=project).first()
        if found is None:
            raise CommandError(f"There is no project {project!r}.")
        try:
            recorded = record_rehearsal(found, write, note=note)
        except RecordingRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{write}: {recorded.bytes:,} bytes")
        for table, rows in recorded.rows.items():
            self.stdout.write(f"{rows:10,} {table}")
