"""manage.py rehearse: opens a round of a rehearsal, which then runs itself."""

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Project
from training.errors import RoundRefused
from training.models import Checkpoint
from training.recipes import RECIPES
from training.rehearsing import default_settings, rehearse


class Command(BaseCommand):
    help = "Open a round of a rehearsal with simulated labelers; a worker runs it (manage.py work)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="slug of the rehearsal")
        recipes = [recipe.name for recipe in RECIPES.values() if recipe.rehearsal]
        parser.add_argument("--recipe", choices=recipes, default=recipes[0])
        parser.add_argument("--prompts", type=int, help="whose responses are ranked")
        parser.add_argument("--responses", type=int, help="to each prompt")
        parser.add_argument("--judges", type=int, help="of each cohort, a prompt")
        parser.add_argument("--policy", metavar="NAME", help="a policy of the project to start from, in place of SFT")
        parser.add_argument("--by-hand", type=int, help="tasks with room for somebody who would like to rank too")

        parser.add_argument("--told", action="store_true", help="tell the two cohorts apart: one policy, told for whom")

    def handle(self, *args: Any, project: str, recipe: str, policy: str | None, told: bool, **options: Any) -> None:
        asked = {
            name: options[name] for name in ("prompts", "responses", "judges", "by_hand") if options[name] is not None
        }
        found = Project.objects.filter(slug=project).first()
        if found is None:
            raise CommandError(f"There is no project {project!r}.")
        try:
            start = self.policy(found, policy).pk if policy else None
            round_ = rehearse(found, replace(default_settings(recipe), policy=start, told=told, **asked))
        except RoundRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"Round {round_.number} of {found.name} is open. A worker runs it: python manage.py work")

    @staticmethod
    def policy(project: Project, name: str) -> Checkpoint:
        try:
            return Checkpoint.objects.get(project=project, name=name, kind=Checkpoint.Kind.POLICY)
        except Checkpoint.DoesNotExist:
            raise RoundRefused(f"There is no policy {name!r} to start from in {project.name}.") from None
