"""Files that people give to be imported: kept until a worker read them, looked into first, reported line by line."""

import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from labeling.audit.recording import record
from labeling.errors import Refusal
from labeling.foreign.making import told
from labeling.foreign.sources import CSV, RECORDS, SOURCES, Source, lines_of
from labeling.foreign.table import PREFIX, TARGETS, guessed, head_of, mapping_of
from labeling.imported_rows import NameTaken
from labeling.importing import EmptyFile, ImportReport, import_lines
from labeling.models import AuditKind, Import, Project, User
from labeling.outbound import Limits, check_address, download
from labeling.record_fields import BadRecord, checked_name
from labeling.record_lines import Line, UnreadableFile
from labeling.records import Kind, Record
from labeling.transferring import end, ring

MOST_BYTES = 1024**3
"""Of an upload, packed or not."""
FETCH_SECONDS = 600.0
MOST_WAITING = 5
MOST_NAME = 90
REASONS_KEPT = 1000
PREVIEWED = 5
LOOKED_AT = 200
"""Lines that a preview reads."""
OF_ALL = ("source", "name", "skip_bad")
OF_SOURCE: dict[str, tuple[str, ...]] = {
    RECORDS: ("kind",),
    CSV: ("writer", "generator", "labeler", *(f"{PREFIX}{target}" for target in TARGETS)),
}
OTHERWISE = ("writer", "generator", "labeler")


class CannotImport(Refusal):
    """A file that cannot be brought in, or asked for in words that have no meaning."""

    code = "cannot_import"


class FileTooLarge(CannotImport):
    code = "too_large"
    status = 413


class TooMany(CannotImport):
    code = "too_many"
    status = 429


@dataclass(frozen=True)
class AskedImport:
    """query: what is said of the file besides these, by name."""

    source: Source
    name: str
    skip_bad: bool
    query: Mapping[str, str]


def parameters_of(source: str) -> list[str]:
    return [*OF_ALL, *OF_SOURCE.get(source, OTHERWISE)]


def read_asked(given: Mapping[str, str], *, file_name: str) -> AskedImport:
    """Raises CannotImport."""
    source = SOURCES.get(given.get("source") or RECORDS)
    if source is None:
        raise CannotImport(f"source is {given['source'][:40]!r}; expected one of {', '.join(SOURCES)}.")
    known = parameters_of(source.name)
    query = {name: value for name, value in given.items() if name not in OF_ALL and value}
    for name in query:
        if name not in known:
            raise CannotImport(f"{name[:60]!r} is not known for {source.name}; known are: {', '.join(known)}.")
    skip = given.get("skip_bad") or "false"
    if skip not in ("true", "false"):
        raise CannotImport(f"skip_bad is {skip[:40]!r}; expected true or false.")
    if query.get("kind") and query["kind"] not in tuple(Kind):
        raise CannotImport(f"kind is {query['kind'][:40]!r}; expected one of {', '.join(Kind)}.")
    try:
        name = checked_name(given.get("name") or _stem(file_name) or source.name, where="name", most=MOST_NAME)
        told(query, source=source.name)
    except BadRecord as error:
        raise CannotImport(f"{error}.") from None
    return AskedImport(source, name, skip == "true", query)


def _stem(file_name: str) -> str:
    """The file's name without folders and endings, as far as a name may hold it."""
    name = file_name.replace("\\", "/").rpartition("/")[2]
    for ending in (".gz", ".zst", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt"):
        name = name.removesuffix(ending)
    return "".join(letter for letter in name if letter.isprintable()).strip()[:MOST_NAME]


# --- the file ---------------------------------------------------------------------------------------------------------


def keep_file(pieces: Iterable[bytes], project: Project) -> tuple[str, int]:
    """Writes an upload to where the workers find it: its path below IMPORTS_DIR, and its bytes.

    The path is ours, whatever the upload was called. Raises FileTooLarge; then nothing stays behind.
    """
    relative = f"{project.pk}/{secrets.token_hex(16)}"
    path = Path(settings.IMPORTS_DIR) / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    try:
        with path.open("wb") as file:
            for piece in pieces:
                size += len(piece)
                if size > MOST_BYTES:
                    raise FileTooLarge(f"The file has more than {MOST_BYTES:,} bytes; divide it or pack it with gzip.")
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if not size:
        path.unlink(missing_ok=True)
        raise CannotImport("The file is empty.")
    return relative, size


def kept_file(relative: str) -> Path:
    return Path(settings.IMPORTS_DIR) / relative


def drop_file(relative: str) -> None:
    if relative:
        kept_file(relative).unlink(missing_ok=True)


def take_in(
    project: Project, asked: AskedImport, pieces: Iterable[bytes], *, file_name: str, by: User | None
) -> Import:
    """Keeps the file and queues its import. Raises CannotImport, FileTooLarge, TooMany."""
    relative, size = keep_file(pieces, project)
    try:
        return queue(project, asked, by=by, path=relative, size_bytes=size, file_name=file_name)
    except CannotImport:
        drop_file(relative)
        raise


def take_from(project: Project, asked: AskedImport, url: str, *, by: User | None) -> Import:
    """Queues the import of a file that a worker fetches. Raises AddressRefused, CannotImport, TooMany."""
    check_address(url)
    return queue(project, asked, by=by, url=url, file_name=url.partition("?")[0].rpartition("/")[2])


def queue(
    project: Project,
    asked: AskedImport,
    *,
    by: User | None,
    file_name: str,
    path: str = "",
    url: str = "",
    size_bytes: int = 0,
) -> Import:
    """Of a file that was kept (path) or that is to be fetched (url). Raises TooMany."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if path and (there := Import.objects.filter(project=project, path=path).first()):
            return there  # sent twice
        waiting = Import.objects.filter(project=project, state__in=[Import.State.QUEUED, Import.State.RUNNING])
        if waiting.count() >= MOST_WAITING:
            raise TooMany(f"{MOST_WAITING} imports into this project wait already; wait until one is done.")
        made = Import.objects.create(
            project=project,
            created_by=by,
            source=asked.source.name,
            name=asked.name,
            skip_bad=asked.skip_bad,
            query=dict(asked.query),
            file_name=file_name[:200],
            path=path,
            url=url,
            size_bytes=size_bytes,
        )
        record(AuditKind.IMPORT, project=project.pk, facts={"import": str(made.uuid), "size_bytes": size_bytes})
        ring(made)
    return made


# --- looking into it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Preview:
    """Of the first LOOKED_AT lines. columns, mapping: of a CSV file."""

    records: list[Record]
    counts: Counter[str]
    refused: list[tuple[int, str]]
    columns: list[str]
    mapping: dict[str, str]


def preview(path: Path, asked: AskedImport) -> Preview:
    """Raises CannotImport where the file cannot be read."""
    columns: list[str] = []
    mapping: dict[str, str] = {}
    try:
        if asked.source.name == CSV:
            columns = head_of(path)
            mapping = guessed(columns)
            mapping = mapping_of(asked.query, columns)
        found = list(islice(lines_of(path, asked.source, asked.query), LOOKED_AT))
    except UnreadableFile as error:
        raise CannotImport(_sentence(error, path)) from None
    except BadRecord as error:
        return Preview([], Counter(), [(1, str(error))], columns, mapping)
    records = [line.record for line in found if line.record is not None]
    counts = Counter(str(record.kind) for record in records)
    refused = [(line.number, line.reason) for line in found if line.record is None]
    return Preview(records[:PREVIEWED], counts, refused, columns, mapping)


def _sentence(error: Exception, path: Path) -> str:
    """Without the name under which we keep the file."""
    return f"{str(error).replace(str(path), 'The file').replace(path.name, 'The file')}."


# --- reading it -------------------------------------------------------------------------------------------------------


def run_import(asked: Import) -> None:
    """Brings the file in, says on the row what became of it, and deletes the file."""
    if asked.url and not asked.path:
        _fetch(asked)
    path = Path(settings.IMPORTS_DIR) / asked.path
    report = ImportReport(path, keeps=REASONS_KEPT)

    def so_far(number: int) -> None:
        asked.rows = number

    try:
        with transaction.atomic():
            lines = _lines(path, asked)
            import_lines(asked.project, lines, report, name=asked.name, skip_bad=asked.skip_bad, so_far=so_far)
            state = Import.State.DONE if report.written else Import.State.FAILED
            sentence = (
                "" if report.written else f"{report.refused:,} lines were refused; nothing of the file was taken."
            )
            # Where another worker took it up meanwhile, that one's word counts, and this one's rows are not kept.
            if not end(asked, state, report=told_of(report), rows=asked.rows, error=sentence, path=""):
                transaction.set_rollback(True)
    except (UnreadableFile, EmptyFile, NameTaken, BadRecord) as error:
        drop_file(asked.path)
        end(asked, Import.State.FAILED, error=_sentence(error, path), path="")
        return
    drop_file(asked.path)


def _fetch(asked: Import) -> None:
    """By the guarded way only. Raises AddressRefused, NotReached, CannotImport."""
    relative = f"{asked.project_id}/{secrets.token_hex(16)}"
    path = Path(settings.IMPORTS_DIR) / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            size = download(asked.url, file, limits=Limits(seconds=FETCH_SECONDS, bytes=MOST_BYTES)).size_bytes
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    asked.path, asked.size_bytes = relative, size
    Import.objects.filter(pk=asked.pk, attempt=asked.attempt).update(path=relative, size_bytes=size)


def _lines(path: Path, asked: Import) -> Iterator[Line]:
    return lines_of(path, SOURCES[asked.source], asked.query)


def told_of(report: ImportReport) -> dict[str, Any]:
    """The report as JSON."""
    return {
        "written": report.written,
        "records": dict(report.read),
        "new": {what: number for what, number in report.new.items() if number},
        "unchanged": report.unchanged,
        "merged": report.merged,
        "made_dense": report.gaps,
        "personal_data": dict(report.personal_data),
        "refused": report.refused,
        "reasons": [{"line": number, "reason": reason} for number, reason in report.reasons],
    }
