"""Rows written by statements whose text is always the same (see prepared.py): made, or changed by their id.

For what is written with every single task. It is what save() and update() write, without their signals, and without
expressions that the database works out. Several can be written at once: PostgreSQL is then asked once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field, Model

from labeling.prepared import ask, tell


@dataclass(frozen=True)
class Write:
    """A statement that gives no rows back."""

    sql: str
    parameters: Sequence[Any]


def insert(row: Model, *before: Write) -> None:
    """Writes a new row and gives the instance its id. before: what is written with it, of other rows than this."""
    model = type(row)
    text, parameters = _insert_text(model, 1), _told(model, [row])
    pk = quote(str(model._meta.pk.column))
    [(row.pk,)] = _asked([*before, Write(f"{text} RETURNING {pk}", parameters)])
    row._state.adding, row._state.db = False, "default"


def write(*writes: Write) -> None:
    """All of these, each of other rows than the others."""
    if connection.vendor != "postgresql":
        for one in writes:
            tell(one.sql, one.parameters)
        return
    *before, last = writes
    tell(*_joined(before, last))


def change(model: type[Model], pk: int, **values: Any) -> None:
    """Sets these fields of the row with this id; of a foreign key its id is given, under its name with _id."""
    write(changed(model, pk, **values))


def changed(model: type[Model], pk: int, **values: Any) -> Write:
    """The same, to be written with others."""
    fields = [model._meta.get_field(name) for name in values]
    parameters = [
        field.get_db_prep_save(value, connection)  # type: ignore[union-attr]
        for field, value in zip(fields, values.values(), strict=True)
    ]
    return Write(_change_text(model, tuple(values)), [*parameters, pk])


def inserted(rows: Sequence[Model]) -> Write:
    """New rows of one model, to be written with others; the instances learn no id."""
    model = type(rows[0])
    return Write(_insert_text(model, len(rows)), _told(model, rows))


def _asked(writes: Sequence[Write]) -> list[tuple[Any, ...]]:
    *before, last = writes
    if connection.vendor == "postgresql":
        return ask(*_joined(before, last))
    for one in before:
        tell(one.sql, one.parameters)
    return ask(last.sql, last.parameters)


def _joined(before: Sequence[Write], last: Write) -> tuple[str, list[Any]]:
    """One statement for all: PostgreSQL carries out every part of it, and checks what is deferred at the end."""
    if not before:
        return last.sql, list(last.parameters)
    parts = ", ".join(f"part{place} AS ({one.sql})" for place, one in enumerate(before))
    return f"WITH {parts} {last.sql}", [value for one in (*before, last) for value in one.parameters]


def _told(model: type[Model], rows: Sequence[Model]) -> list[Any]:
    return [
        field.get_db_prep_save(field.pre_save(row, add=True), connection) for row in rows for field in _fields(model)
    ]


@cache
def _fields(model: type[Model]) -> "tuple[Field[Any, Any], ...]":
    return tuple(field for field in model._meta.local_concrete_fields if not field.primary_key)


@cache
def _insert_text(model: type[Model], rows: int) -> str:
    names = ", ".join(quote(str(field.column)) for field in _fields(model))
    values = f"({', '.join(['%s'] * len(_fields(model)))})"
    return f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {', '.join([values] * rows)}"


@cache
def _change_text(model: type[Model], names: tuple[str, ...]) -> str:
    columns = [str(model._meta.get_field(name).column) for name in names]  # type: ignore[union-attr]
    told = ", ".join(f"{quote(column)} = %s" for column in columns)
    return f"UPDATE {quote(model._meta.db_table)} SET {told} WHERE {quote(str(model._meta.pk.column))} = %s"


def quote(name: str) -> str:
    return connection.ops.quote_name(name)
