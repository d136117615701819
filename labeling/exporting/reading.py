"""The rows that were asked for, in one consistent look at the database, as JSON lines in chunks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from labeling.datasets import records_of
from labeling.exporting.copying import can_copy, copied
from labeling.exporting.layouts import LAYOUTS, RECORDS, line
from labeling.models import Project
from labeling.records import Kind
from labeling.selecting import Selection

CHUNK_BYTES = 256 * 1024
FIRST_CHUNK_BYTES = 4 * 1024


@dataclass(frozen=True)
class Chunk:
    """Some JSON lines, each with its line end, and how many they are."""

    data: bytes
    rows: int


def chunks_of(project: Project, kind: Kind, layout: str, selection: Selection) -> Iterator[Chunk]:
    """By the quickest way that this database has. Belongs inside one_look."""
    if can_copy(kind, layout):
        for data, rows in copied(project, layout, selection):
            yield Chunk(data, rows)
    else:
        yield from plainly(project, kind, layout, selection)


def plainly(project: Project, kind: Kind, layout: str, selection: Selection) -> Iterator[Chunk]:
    """The same by way of records, on any database; the first chunk is small, so that a reader does not wait for it."""
    rows_of = LAYOUTS[kind, layout].rows
    waiting: list[bytes] = []
    size, enough = 0, FIRST_CHUNK_BYTES
    for record in records_of(project, kind, selection):
        for row in rows_of(record, selection):
            waiting.append(line(row))
            size += len(waiting[-1])
        if size >= enough:
            yield Chunk(b"".join(waiting), len(waiting))
            waiting, size, enough = [], 0, CHUNK_BYTES
    if waiting:
        yield Chunk(b"".join(waiting), len(waiting))


@contextmanager
def one_look() -> Iterator[datetime]:
    """A read-only transaction that sees the database as it is now, whatever is written meanwhile; answers that time.

    By statements of its own and not by atomic(): on SQLite that would keep everybody from writing, and on PostgreSQL
    it cannot say the isolation. Within a transaction that is open already it changes nothing, and sees what that sees.
    """
    postgresql = connection.vendor == "postgresql"
    if connection.in_atomic_block:
        yield _now(postgresql)
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if postgresql else "BEGIN DEFERRED")
    try:
        yield _now(postgresql)
    finally:
        if connection.connection is not None:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")


def _now(postgresql: bool) -> datetime:
    """The database's clock; the first read, which is what a snapshot is of."""
    with connection.cursor() as cursor:
        if postgresql:
            cursor.execute("SELECT now()")
            moment: datetime = cursor.fetchone()[0]
            return moment.astimezone(UTC)
        # A deferred transaction begins with the first read of a table.
        cursor.execute("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now') FROM sqlite_master LIMIT 1")
        return datetime.fromisoformat(cursor.fetchone()[0]).replace(tzinfo=UTC)


__all__ = ["RECORDS", "Chunk", "chunks_of", "one_look", "plainly"]
