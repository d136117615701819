"""Records from a file become rows: all of a file or nothing, and the same record only once.

The file is read once, in batches of bounded size, within one transaction; where a line was refused (and refused lines
are not to be skipped) the transaction is rolled back after the last line, so that the report names them all.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet

from labeling.datasets import own_id
from labeling.imported_rows import Batch, Known, Place
from labeling.models import ImportedRecord, Project, Response, Task
from labeling.models.imported import UNCOMPARED
from labeling.record_lines import Line, digest_of, read_file
from labeling.records import Kind, Record

BATCH_RECORDS = 500
BATCH_BYTES = 8 * 1024 * 1024
REASONS_KEPT = 20


class EmptyFile(ValueError):
    """A file in which there is no record."""


@dataclass
class ImportReport:
    """What became of a file. written is False where it was rolled back; the counts then say what would have been."""

    path: Path
    written: bool = True
    read: Counter[str] = field(default_factory=Counter)
    """Records by kind, refused ones not among them."""
    new: Counter[str] = field(default_factory=Counter)
    """New rows by what they are: prompts, responses, tasks, judgments of labelers, labelers, generators."""
    unchanged: int = 0
    merged: int = 0
    """Prompt records whose text was there already, under another id."""
    gaps: int = 0
    """Orders whose ranks had gaps and were made dense."""
    personal_data: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    reasons: list[tuple[int, str]] = field(default_factory=list)
    """(line number, reason) of the first refused lines."""
    keeps: int = REASONS_KEPT
    """How many reasons."""

    def refuse(self, number: int, reason: str) -> None:
        self.refused += 1
        if len(self.reasons) < self.keeps:
            self.reasons.append((number, reason))


def import_file(
    project: Project, path: Path, *, name: str, kind: Kind | None = None, skip_bad: bool = False
) -> ImportReport:
    """Imports one file of records; see import_lines."""
    return import_lines(project, read_file(path, kind=kind), ImportReport(path), name=name, skip_bad=skip_bad)


def import_lines(
    project: Project,
    lines_read: Iterator[Line],
    report: ImportReport,
    *,
    name: str,
    skip_bad: bool = False,
    so_far: Callable[[int], None] = lambda number: None,
) -> ImportReport:
    """Imports what a file holds. name: what the imported campaigns are called after, see Place. so_far: is told the
    number of the line after each batch.

    Raises UnreadableFile, EmptyFile or NameTaken, with nothing written. A refused line is no exception: it is in the
    report, and unless skip_bad is given nothing of the file is written.
    """
    with transaction.atomic():
        _lock(project)
        known = Known(project, place=Place(project, name))
        for lines in _batches(lines_read):
            _import_batch(known, lines, report)
            so_far(lines[-1].number)
        if not report.read and not report.refused:
            raise EmptyFile(f"{report.path} holds no records; expected one JSON object a line")
        if report.refused and not skip_bad:
            report.written = False
            transaction.set_rollback(True)
    return report


def _lock(project: Project) -> None:
    """One import into a project at a time; labelers go on, since no key of the project's row is changed."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += line.size_bytes
        if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _import_batch(known: Known, lines: list[Line], report: ImportReport) -> None:
    records = [line.record for line in lines if line.record is not None]
    before = _digests(known.project, records)
    own = own_exports(known.project, [record for record in records if (record.kind, record.id) not in before])
    batch = Batch(known)
    batch.look(records)
    for line in lines:
        if line.record is None:
            report.refuse(line.number, line.reason)
        elif (line.record.kind, line.record.id) in own:
            report.refuse(line.number, own[line.record.kind, line.record.id])
        else:
            _add(batch, line.number, line.record, before=before, report=report)
    batch.write()
    report.new.update(batch.new)
    report.merged += batch.merged
    report.personal_data.update(batch.personal_data)


def _add(
    batch: Batch, number: int, record: Record, *, before: dict[tuple[str, str], str], report: ImportReport
) -> None:
    """Into the batch, unless it was imported before. before: digests by kind and id; what is taken joins them."""
    digest = digest_of(record)
    known_digest = before.get((record.kind, record.id))
    if known_digest is None:
        reason = batch.add(record, digest=digest)
    elif known_digest == digest:
        reason = ""
        report.unchanged += 1
    else:
        reason = (
            f"the {record.kind} id {record.id!r} was imported before with other content; nothing is overwritten: give"
            " the changed record an id of its own"
        )
    if reason:
        report.refuse(number, reason)
        return
    report.read[record.kind] += 1
    if known_digest is None:
        before[record.kind, record.id] = digest
        report.gaps += record.gaps


def _digests(project: Project, records: list[Record]) -> dict[tuple[str, str], str]:
    """The digests of those records of the batch that were imported before, by kind and id (one query a kind)."""
    found: dict[tuple[str, str], str] = {}
    for kind in {record.kind for record in records}:
        ids = [record.id for record in records if record.kind == kind]
        rows = ImportedRecord.objects.filter(project=project, kind=kind, external_id__in=ids).exclude(digest=UNCOMPARED)
        found |= {(kind, external_id): digest for external_id, digest in rows.values_list("external_id", "digest")}
    return found


def own_exports(project: Project, records: list[Record]) -> dict[tuple[str, str], str]:
    """Records that this project gave out itself, by kind and id, with the reason why they are not taken back.

    Without this an export that is given back would double every judgment in it. Comparisons drawn from a ranking are
    known by their id, which names the ranking (datasets.comparison_id). Prompts need none of it: they merge. At most
    three queries.
    """
    sources = {(record.kind, record.id): _source_of(record) for record in records if record.kind is not Kind.PROMPT}
    own = _own_rows(project, set(sources.values()))
    drawn_from = {source for (_, record_id), source in sources.items() if source != record_id}
    if drawn_from:
        rankings = ImportedRecord.objects.filter(project=project, kind=Kind.RANKING, external_id__in=drawn_from)
        own |= set(rankings.values_list("external_id", flat=True))
    return {
        (kind, record_id): f"the {kind} {record_id!r} came out of this project, where {source!r} still is; nothing is"
        " counted twice: leave it out"
        for (kind, record_id), source in sources.items()
        if source in own and (source != record_id or source.startswith(f"{project.slug}/"))
    }


def _source_of(record: Record) -> str:
    """The id of what the record was drawn from; its own where it was drawn from nothing."""
    if record.kind is not Kind.COMPARISON:
        return record.id
    drawn = re.fullmatch(rf"(.+):{re.escape(record.judged[0].labeler)}:\d+-\d+", record.id, flags=re.DOTALL)
    return drawn[1] if drawn else record.id


def _own_rows(project: Project, ids: set[str]) -> set[str]:
    """Those of the ids that datasets.own_id gave to rows which are still there and did not come in under such an id."""
    rows: dict[str, QuerySet[Response] | QuerySet[Task]] = {
        "response": Response.objects.filter(prompt__project=project, external_id=""),
        "task": Task.objects.filter(campaign__project=project).exclude(
            imported_as__kind__in=[Kind.CANDIDATES, Kind.RANKING, Kind.RATING]
        ),
    }
    found: set[str] = set()
    for noun, of_noun in rows.items():
        prefix = own_id(project, noun, 0)[:-1]
        keys = {one.removeprefix(prefix) for one in ids if one.startswith(prefix)}
        keys = {key for key in keys if re.fullmatch(r"[1-9][0-9]{0,17}", key)}
        if keys:
            found |= {f"{prefix}{pk}" for pk in of_noun.filter(pk__in=keys).values_list("pk", flat=True)}
    return found
