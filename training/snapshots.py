"""Freeze records into files with a hash: the seam to training/rlhf. Jobs never read live tables.

The same query on the same submissions gives the same bytes, so the same hash, so the same file and the same row.
"""

import errno
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from labeling.models import Project
from training.errors import SnapshotRefused
from training.models import Snapshot
from training.rlhf.contract import records
from training.rlhf.contract.strict import Refused, dump_json, shown
from training.snapshot_rows import (
    Counts,
    Query,
    demonstrations_asked_for,
    prompts_asked_for,
    ranks_asked_for,
    rows_of,
)

KIND_OF_ROWS: dict[str, records.Kind] = {
    Snapshot.Kind.TEXT: "text",
    Snapshot.Kind.PROMPTS: "prompt",
    Snapshot.Kind.DEMONSTRATIONS: "demonstration",
    Snapshot.Kind.RANKINGS: "ranking",
    Snapshot.Kind.RATINGS: "rating",
    Snapshot.Kind.RESPONSES: "response",
}
"""What the run folder's manifest calls the rows of each kind of snapshot."""


def read_query(query: object) -> Query:
    """Raises SnapshotRefused for a query with an unknown key or value."""
    try:
        return Query.from_json(query)
    except Refused as refused:
        raise SnapshotRefused(f"The query cannot be used: {refused}.") from None


def freeze(project: Project, query: Query, *, at_least: int = 0) -> Snapshot:
    """Writes the records that the query asks for into a file and registers it.

    at_least: fewer rows are refused (SnapshotRefused, with both numbers), and nothing stays behind.
    """
    counts = Counts()
    try:
        written = write_file(project, query.kind, rows_of(project, query, counts), at_least=at_least)
    except Refused as refused:
        raise SnapshotRefused(f"A record of project {project.slug} cannot be frozen: {refused}.") from None
    left_out = dict(sorted(counts.left_out.items()))
    report = {"labelers": len(counts.labelers), "submissions": len(counts.submissions), "left_out": left_out}
    return register(project, written, query=query.to_json(), report=report, submissions=counts.submissions)


def count(project: Project, query: Query) -> int:
    """How many records there are to freeze, by one query: before caps, and before what is left out."""
    if query.kind == "prompts":
        return prompts_asked_for(project, query).count()
    if query.kind == "demonstrations":
        return demonstrations_asked_for(project, query).count()
    if query.kind == "rankings":
        path = "submission__assignment__task__prompt"
        return ranks_asked_for(project, query).values(path).distinct().count()
    raise ValueError(f"records of kind {query.kind} are not counted ahead")


@dataclass(frozen=True)
class Written:
    """A file in its place below the snapshots directory."""

    kind: str
    uri: str
    rows: int
    bytes: int
    sha256: str


def path_of(snapshot: Snapshot) -> Path:
    return Path(settings.SNAPSHOTS_DIR) / snapshot.uri


def write_file(project: Project, kind: str, rows: Iterable[records.Row], *, at_least: int = 0) -> Written:
    """Streams rows, sorted by id already, into <project>/<kind>-<sha256>.jsonl through a temporary file.

    Raises SnapshotRefused for too few rows or a full disk, Refused for a row that is too long; both leave nothing.
    """
    folder = Path(settings.SNAPSHOTS_DIR) / str(project.pk)
    temporary = folder / f"tmp-{uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number, size, sha256 = _stream(rows, temporary)
        if number < at_least:
            raise SnapshotRefused(
                f"{number} {kind} fit, and at least {at_least} are needed. Collect or import more of them."
            )
        name = f"{kind}-{sha256}.jsonl"
        os.replace(temporary, folder / name)
    except OSError as error:
        raise SnapshotRefused(_disk_sentence(error, folder)) from error
    finally:
        temporary.unlink(missing_ok=True)
    return Written(kind=kind, uri=f"{project.pk}/{name}", rows=number, bytes=size, sha256=sha256)


def _stream(rows: Iterable[records.Row], path: Path) -> tuple[int, int, str]:
    """Rows, bytes and sha256 of what was written."""
    digest, size, number, last_id = hashlib.sha256(), 0, 0, ""
    with path.open("wb") as file:
        for row in rows:
            assert row.id > last_id, f"rows come sorted by id: {row.id} after {last_id}"
            line = dump_json(row.to_json()).encode() + b"\n"
            if len(line) > records.ROW_LIMIT_BYTES:
                raise Refused(row.id, f"has {len(line)} bytes; at most {records.ROW_LIMIT_BYTES} fit in a row")
            file.write(line)
            digest.update(line)
            size, number, last_id = size + len(line), number + 1, row.id
        file.flush()
        os.fsync(file.fileno())
    return number, size, digest.hexdigest()


def _disk_sentence(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no space left for a snapshot in {folder}. Free some, or point ACCORD_SNAPSHOTS_DIR elsewhere."
    return f"A snapshot cannot be written in {folder}: {error.strerror}."


@transaction.atomic
def register(
    project: Project,
    written: Written,
    *,
    query: dict[str, Any],
    report: dict[str, Any],
    submissions: Iterable[int] = (),
) -> Snapshot:
    """The row of a written file; the one that is there already where query, bytes and submissions are the same."""
    ids = sorted(submissions)
    report = report | {"submissions_sha256": hashlib.sha256(dump_json(ids).encode()).hexdigest()}
    same = Snapshot.objects.filter(project=project, kind=written.kind, sha256=written.sha256, query=query)
    for snapshot in same:
        if snapshot.report == report:
            return snapshot
    snapshot = Snapshot.objects.create(
        project=project, kind=written.kind, query=query, rows=written.rows, bytes=written.bytes, uri=written.uri,
        sha256=written.sha256, report=report,
    )  # fmt: skip
    through = Snapshot.submissions.through
    through.objects.bulk_create(
        [through(snapshot_id=snapshot.pk, submission_id=pk) for pk in ids], batch_size=5000
    )  # fmt: skip
    return snapshot


def shown_query(snapshot: Snapshot) -> str:
    """The query in a few words, for a page: what differs from asking for everything."""
    asked = {
        key: value
        for key, value in snapshot.query.items()
        if value not in (None, [], "exclude", "beside") and key != "kind"
    }
    return ", ".join(f"{key} {value if isinstance(value, str) else shown(value)}" for key, value in asked.items())
