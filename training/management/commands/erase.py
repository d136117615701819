"""manage.py erase SLUG NAME: takes somebody's words out of a project, on their request."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.errors import Refusal
from labeling.models import Project
from training.erasing import erase
from training.views.erasures import labeler_named


class Command(BaseCommand):
    help = "Erase what a labeler wrote, and who they were. It cannot be undone."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("name", help="pseudonym, or user name")
        parser.add_argument("--keep-judgments", action="store_true", help="ranks and ratings stay part of the data")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, slug: str, name: str, keep_judgments: bool, yes: bool, **options: Any) -> None:
        project = Project.objects.filter(slug=slug).first()
        labeler = labeler_named(project, name) if project else None
        if labeler is None:
            raise CommandError(f"There is no labeler {name!r} in a project {slug!r}.")
        if not yes and input(f"Erase what {name} wrote in {slug}? Type the name again: ").strip() != name:
            raise CommandError("Nothing was erased.")
        try:
            made = erase(labeler, by=None, judgments=not keep_judgments)
        except Refusal as refusal:
            raise CommandError(refusal.message) from None
        said = ", ".join(f"{many} {what}" for what, many in made.counts.items() if many)
        self.stdout.write(f"Erased: {said or 'nothing was there'}.")
        for checkpoint in made.checkpoints.all():
            self.stdout.write(f"The model {checkpoint.name} had learned from it.")
