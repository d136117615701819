"""Comparisons out of PostgreSQL by COPY: the database itself writes the JSON lines.

The same bytes as the plain way (datasets.records_of, layouts.line), several times as fast, for the texts never become
objects of ours. Rows are chosen by the same querysets, and once only: a cursor goes along them while a batch after the
other is written. A batch is some judgments: few enough that it fits in the memory of one sort, so that the first bytes
come at once and the rest in a steady stream.

The lines of one judgment come as one row, so the number of rows that pass through Python is that of judgments, not of
pairs.
"""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from labeling.exporting.copy_statement import comparisons
from labeling.models import Assignment, Project
from labeling.records import Kind
from labeling.selecting import Selection, assignments_of

FIRST_BATCH_ROWS = 20
BATCH_ROWS = 2000
SMALL_FRACTION = 0.01
WORK_MEMORY = "32MB"
CHUNK_BYTES = 256 * 1024
HEAD_BYTES, LENGTHS_BYTES = 19, 6
"""Of PostgreSQL's binary COPY, and of a row of one column in it."""

LAYOUTS = ("records", "table", "preference", "unpaired")


def can_copy(kind: Kind, layout: str) -> bool:
    return connection.vendor == "postgresql" and kind is Kind.COMPARISON and layout in LAYOUTS


def copied(project: Project, layout: str, selection: Selection) -> Iterator[tuple[bytes, int]]:
    """JSON lines in chunks, and how many lines each holds. Needs a transaction."""
    said = assignments_of(project, Kind.COMPARISON, selection).order_by("task_id", "pk").values_list("pk")
    with connection.cursor() as cursor:
        # Compiling a statement takes seconds and saves milliseconds; a sort of one batch fits into this memory.
        cursor.execute(f"SET LOCAL jit = off; SET LOCAL work_mem = '{WORK_MEMORY}'")
        for batch in _batches(said):
            statement, parameters = comparisons(project, layout, selection, batch)
            yield from _chunks(cursor.cursor, statement, parameters)


def _batches(said: QuerySet[Assignment, tuple[int]]) -> Iterator[list[int]]:
    """Their ids, so many at a time."""
    try:
        statement, parameters = said.query.sql_with_params()
    except EmptyResultSet:  # known before the database is asked, as where there is no such campaign
        return
    with connection.cursor() as cursor:
        # Along the index, however few rows are thought to come: whoever sorts first lets the reader wait for all.
        cursor.execute(f"SET LOCAL cursor_tuple_fraction = {SMALL_FRACTION}")
    with connection.chunked_cursor() as chosen:
        chosen.execute(statement, parameters)
        size = FIRST_BATCH_ROWS
        while rows := chosen.fetchmany(size):
            yield [pk for (pk,) in rows]
            size = BATCH_ROWS


def _chunks(cursor: Any, statement: str, parameters: list[Any]) -> Iterator[tuple[bytes, int]]:
    """What the COPY gives, joined into chunks.

    In the binary format, for the text formats escape backslashes or look at every byte for what would need it. A row of
    one column is 6 bytes of lengths and the text; the first one comes after a head, and two bytes end them all.
    """
    waiting: list[Any] = []
    size, head = 0, HEAD_BYTES
    with cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT binary)", parameters) as rows:
        for row in rows:
            text = row[head + LENGTHS_BYTES :]
            head = 0
            if text:
                waiting.append(text)
                size += len(text)
            if size >= CHUNK_BYTES:
                yield _joined(waiting)
                waiting, size = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(rows: list[Any]) -> tuple[bytes, int]:
    joined = b"".join(rows)
    return joined, joined.count(b"\n")
