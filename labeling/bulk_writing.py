"""Many new rows at once: by COPY on PostgreSQL, where building an INSERT costs more than the work of the database, and
by bulk_create elsewhere. As with bulk_create, no save() and no signal runs.

Keys are drawn before the rows are written, so that what points to them can be written without reading them back.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Field, ForeignKey, JSONField, Model
from django.utils import timezone

Row = TypeVar("Row", bound=Model)

FEW = 50
"""Rows that an INSERT takes as quickly."""


def write_all(rows: Sequence[Row]) -> None:
    """Writes them, with their keys."""
    if not rows:
        return
    model = type(rows[0])
    if not _copies(rows):
        model._default_manager.bulk_create(rows)
        return
    _draw_keys(rows)
    with connection.cursor() as cursor:
        _copy(cursor, model, rows, model._meta.db_table)


def write_unless_there(rows: Sequence[Row], *, unique: str) -> list[Row]:
    """Writes those whose unique value is not there yet; answers those of which it knows the keys: whoever needs the
    others reads them. unique: a column no value of which comes twice among the rows. Needs a transaction; what another
    one is about to write is waited for."""
    if not rows:
        return []
    model = type(rows[0])
    if not _copies(rows):
        model._default_manager.bulk_create(rows, ignore_conflicts=True)
        return []
    _draw_keys(rows)
    table, staged = model._meta.db_table, f"staged_{model._meta.db_table}"
    columns = ", ".join(_quoted(model))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {staged} (LIKE {table}) ON COMMIT DROP")
        _copy(cursor, model, rows, staged)
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {staged} ORDER BY id"
            f" ON CONFLICT DO NOTHING RETURNING {unique}"
        )
        written = {value for (value,) in cursor.fetchall()}
        cursor.execute(f"TRUNCATE {staged}")
    return [row for row in rows if getattr(row, unique) in written]


def _copies(rows: Sequence[Model]) -> bool:
    return connection.vendor == "postgresql" and len(rows) >= FEW


def _draw_keys(rows: Sequence[Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [rows[0]._meta.db_table, len(rows)],
        )
        for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = key


def _quoted(model: type[Model]) -> list[str]:
    return [connection.ops.quote_name(str(field.column)) for field in model._meta.local_concrete_fields]


def _copy(cursor: Any, model: type[Model], rows: Sequence[Model], table: str) -> None:
    columns = [_column(field) for field in model._meta.local_concrete_fields]
    with cursor.copy(f"COPY {table} ({', '.join(_quoted(model))}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([value_of(row) for value_of in columns])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _column(field: "Field[Any, Any]") -> Callable[[Model], Any]:
    """What a row has in this column, as COPY takes it."""
    name = field.attname
    if isinstance(field, JSONField):
        return lambda row: _json(getattr(row, name), field)
    if isinstance(field, ForeignKey):
        return lambda row: _key(row, field)
    if getattr(field, "auto_now_add", False) or getattr(field, "auto_now", False):
        now = timezone.now()

        def at(row: Model) -> Any:
            setattr(row, name, now)
            return now

        return at
    return lambda row: getattr(row, name)


def _key(row: Model, field: "ForeignKey[Any, Any]") -> Any:
    """Of the other row, which may have been written since this one was made."""
    value = getattr(row, field.attname)
    if value is None and field.is_cached(row) and (other := field.get_cached_value(row)) is not None:
        value = other.pk
        setattr(row, field.attname, value)
    return value


def _json(value: Any, field: "Field[Any, Any]") -> str | None:
    return None if value is None else json.dumps(value, cls=getattr(field, "encoder", None), ensure_ascii=False)
