"""manage.py import_records PROJECT FILE…: prompts, demonstrations, rankings, comparisons and ratings come in."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from labeling.audit.recording import record
from labeling.imported_rows import NameTaken
from labeling.importing import EmptyFile, ImportReport, import_file
from labeling.models import AuditKind, Project
from labeling.record_fields import BadRecord, checked_name
from labeling.record_lines import UnreadableFile
from labeling.records import Kind

MOST_NAME = 90


class Command(BaseCommand):
    help = (
        "Imports files of records (docs/records.md; JSON lines, gzip or not). A record that was imported before is left"
        " alone. A file is imported whole or not at all, unless --skip-bad is given."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's slug, the last part of its address")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--kind", type=Kind, choices=list(Kind), help="of records that do not say their type")
        parser.add_argument("--skip-bad", action="store_true", help="import the good lines of a file with bad ones")
        parser.add_argument("--name", help="what the imported work is called after; the file's name if left out")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)[:20]) or "none yet"
            raise CommandError(f"There is no project {options['project']!r}; projects here: {known}.")
        refused = [path for path in options["files"] if not self._import(project, path, options)]
        if refused:
            raise CommandError(f"Not everything was taken of: {', '.join(map(str, refused))}.")

    def _import(self, project: Project, path: Path, options: dict[str, Any]) -> bool:
        """Whether every line was taken; says what became of the file."""
        try:
            name = checked_name(options["name"] or name_of(path), where="--name", most=MOST_NAME)
            with transaction.atomic():
                report = import_file(project, path, name=name, kind=options["kind"], skip_bad=options["skip_bad"])
                if report.written:
                    record(AuditKind.IMPORT, project=project.pk, by=None, facts={"records": report.read.total()})
        except (UnreadableFile, EmptyFile, NameTaken, BadRecord) as error:
            self.stderr.write(f"{error}. Nothing of {path.name} was imported.")
            return False
        for line in described(report):
            (self.stderr if report.refused else self.stdout).write(line)
        return not report.refused


def name_of(path: Path) -> str:
    """The file's name without .jsonl, .json and .gz."""
    name = path.name
    for ending in (".gz", ".jsonl", ".ndjson", ".json"):
        name = name.removesuffix(ending)
    return name


def described(report: ImportReport) -> list[str]:
    """The report as lines to print."""
    lines = []
    if report.refused:
        lines += [f"{report.path}: {report.refused:,} lines refused:"]
        lines += [f"  line {number}: {reason}" for number, reason in report.reasons]
        if report.refused > len(report.reasons):
            lines.append(f"  … and {report.refused - len(report.reasons):,} more")
    if not report.written:
        return [*lines, "Nothing of the file was imported. Mend these lines, or take the rest with --skip-bad."]
    total = report.read.total()
    read = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.read.items()))
    lines.append(f"{report.path}: {total:,} records ({read})")
    if report.unchanged == total:
        return [*lines, "  all of them were imported before; nothing was written"]
    new = ", ".join(f"{count:,} {what}" for what, count in sorted(report.new.items()) if count)
    lines.append(f"  new: {new or 'nothing'}")
    if report.unchanged:
        lines.append(f"  imported before and left alone: {report.unchanged:,}")
    if report.merged:
        lines.append(f"  prompts whose text was there already, merged into the first: {report.merged:,}")
    if report.gaps:
        lines.append(f"  orders with gaps in their ranks, made dense: {report.gaps:,}")
    if report.personal_data:
        kinds = ", ".join(f"{name} {count:,}" for name, count in report.personal_data.most_common())
        lines.append(f"  prompts that seem to hold personal data, flagged: {kinds}")
    return lines
