"""Many rows at once, with every value given: their numbers too, so that rows can point to each other at once.

Faster than making an instance a row, which a newcomer would wait for. What takes long is done before anything is
locked. The database still holds every constraint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction


@transaction.atomic
def reserve(model: type[models.Model], many: int) -> list[int]:
    """Numbers that no other row has or will get; those that are not used after all leave a gap."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            following = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
            cursor.execute(following, [str(connection.ops.quote_name(table)), many])
            return [int(row[0]) for row in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
        last = int(row[0]) if row else 0
        cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
        cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last + many])
    return list(range(last + 1, last + 1 + many))


@dataclass(frozen=True)
class Ready:
    """Rows as the database driver takes them."""

    statement: str
    rows: list[tuple[Any, ...]]

    def insert(self) -> None:
        if self.rows:
            with connection.cursor() as cursor:
                cursor.executemany(self.statement, self.rows)


def ready(model: type[models.Model], many: int, columns: Mapping[str, Sequence[Any]]) -> Ready:
    """columns: values by the name of a field, the primary key among them; other fields get their defaults."""
    quoted = connection.ops.quote_name
    fields = model._meta.local_concrete_fields
    values = [_prepared(field, many, columns.get(field.name)) for field in fields]
    names = ", ".join(quoted(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quoted(model._meta.db_table)} ({names}) VALUES ({places})"
    return Ready(statement, list(zip(*values, strict=True)))


def _prepared(field: "models.Field[Any, Any]", many: int, values: Sequence[Any] | None) -> Sequence[Any]:
    """As the database driver takes them. Most values stand in a column many times: each is prepared once."""
    if values is None:
        values = [field.get_default() for _ in range(many)] if callable(field.default) else [field.get_default()] * many
    if field.primary_key or field.is_relation:
        return values
    database = connections[DEFAULT_DB_ALIAS]  # the one itself: asking through `connection` costs as much as preparing
    ready: dict[int, Any] = {}
    for value in values:  # by identity, which lists and objects have too; `values` keeps all of them alive
        if id(value) not in ready:
            ready[id(value)] = field.get_db_prep_save(value, database)
    return [ready[id(value)] for value in values]
