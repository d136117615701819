"""manage.py open_campaign PROJECT --kind ranking --from-imported NAME: people are given work out of imported data."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.errors import Refusal
from labeling.models import Project, WorkKind
from labeling.opening_imported import free_name, open_from_imported
from labeling.record_fields import BadRecord, checked_name

REQUIRABLE = {
    WorkKind.RANKING: ("ratings", "flags", "ranks"),
    WorkKind.RATING: ("ratings", "flags"),
    WorkKind.DEMONSTRATION: (),
}
"""What can be required of each kind of work; also which kinds there are here."""
REQUIRED = {WorkKind.RANKING: ["ranks"]}
"""What is required where nothing is said."""


class Command(BaseCommand):
    help = (
        "Opens a campaign made of imported candidates or judgments: the responses to one prompt to be ranked, single"
        " responses to be rated, or prompts to be answered. What was said of them in the file is shown to nobody."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's slug")
        parser.add_argument("--kind", choices=[str(kind) for kind in REQUIRABLE], default=str(WorkKind.RANKING))
        parser.add_argument(
            "--from-imported",
            metavar="NAME",
            help="the name under which it was imported: the file's, or --name of import_records; for demonstrations it"
            " may be left out, and prompts without one are taken",
        )
        parser.add_argument("--name", help="of the new campaign, shown to labelers; Ranking 1 or the like if left out")
        parser.add_argument("--tasks", type=int, default=10, help="at most (10)")
        parser.add_argument("--overlap", type=int, default=1, help="how many people do each task (1)")
        parser.add_argument(
            "--require",
            nargs="*",
            metavar="PART",
            help="what must be complete before a submission counts: ratings, flags, ranks (of a ranking: ranks);"
            " with nothing after it, nothing",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        kind, source = WorkKind(options["kind"]), options["from_imported"]
        if source is None and kind != WorkKind.DEMONSTRATION:
            raise CommandError(f"--from-imported is missing; a {kind} campaign is made of imported responses.")
        for option, most in (("tasks", 100_000), ("overlap", 100)):
            if not 1 <= options[option] <= most:
                raise CommandError(f"--{option} is {options[option]}; expected 1 to {most:,}.")
        required = REQUIRED.get(kind, []) if options["require"] is None else options["require"]
        for part in required:
            if part not in REQUIRABLE[kind]:
                expected = ", ".join(REQUIRABLE[kind]) or "nothing"
                raise CommandError(f"--require is {part!r}; of a {kind} can be required: {expected}.")
        try:
            name = checked_name(options["name"] or free_name(project, kind), where="--name", most=120)
            campaign = open_from_imported(
                project,
                kind=kind,
                source=source,
                name=name,
                tasks=options["tasks"],
                overlap=options["overlap"],
                required=required,
            )
        except (Refusal, BadRecord) as error:
            raise CommandError(str(error)) from None
        count = campaign.tasks.count()
        self.stdout.write(f"Campaign {campaign.name!r} is open: {count:,} tasks, each for {campaign.overlap} labelers.")
