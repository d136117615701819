"""manage.py restore FOLDER: a backup into an empty database and empty folders."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from training.backups import BackupRefused, restore


class Command(BaseCommand):
    help = "Restore what manage.py backup wrote. The database and the folders must be empty."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            report = restore(folder)
        except BackupRefused as refused:
            raise CommandError(refused.message) from None
        self.stdout.write(f"{report.rows:,} rows and {report.files:,} files ({filesizeformat(report.bytes)}) are back.")
        self.stdout.write("Next: manage.py migrate, where the backup is of an earlier version.")
