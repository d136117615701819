"""manage.py backup FOLDER: the database and all files that it names, with a manifest of sha256."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from training.backups import BackupRefused, back_up


class Command(BaseCommand):
    help = "Write the database, run folders, snapshots, exports, imports and base models into an empty folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            report = back_up(folder)
        except BackupRefused as refused:
            raise CommandError(refused.message) from None
        self.stdout.write(f"{folder}: {report.rows:,} rows, {report.files:,} files, {filesizeformat(report.bytes)}.")
