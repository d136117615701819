"""One row written by a statement whose text is always the same (see prepared.py): made, or changed by its id.

For what is written with every single task. It is what save() and update() write, without their signals, and without
expressions that the database works out.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field, Model

from labeling.prepared import ask, tell


def insert(row: Model) -> None:
    """Writes a new row and gives the instance its id."""
    insert_all([row])


def insert_all(rows: Sequence[Model]) -> None:
    """The same for several of one model, in one statement."""
    model = type(rows[0])
    parameters = [
        field.get_db_prep_save(field.pre_save(row, add=True), connection) for row in rows for field in _fields(model)
    ]
    made = ask(_insert_text(model, len(rows)), parameters)
    for row, (pk,) in zip(rows, made, strict=True):
        row.pk = pk
        row._state.adding, row._state.db = False, "default"


def change(model: type[Model], pk: int, **values: Any) -> None:
    """Sets these fields of the row with this id; of a foreign key its id is given, under its name with _id."""
    fields = [model._meta.get_field(name) for name in values]
    parameters = [
        field.get_db_prep_save(value, connection)  # type: ignore[union-attr]
        for field, value in zip(fields, values.values(), strict=True)
    ]
    tell(_change_text(model, tuple(values)), [*parameters, pk])


@cache
def _fields(model: type[Model]) -> "tuple[Field[Any, Any], ...]":
    return tuple(field for field in model._meta.local_concrete_fields if not field.primary_key)


@cache
def _insert_text(model: type[Model], rows: int) -> str:
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in _fields(model))
    values = f"({', '.join(['%s'] * len(_fields(model)))})"
    table, pk = quote(model._meta.db_table), quote(str(model._meta.pk.column))
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([values] * rows)} RETURNING {table}.{pk}"


@cache
def _change_text(model: type[Model], names: tuple[str, ...]) -> str:
    quote = connection.ops.quote_name
    told = ", ".join(f"{quote(str(model._meta.get_field(name).column))} = %s" for name in names)  # type: ignore[union-attr]
    return f"UPDATE {quote(model._meta.db_table)} SET {told} WHERE {quote(str(model._meta.pk.column))} = %s"
