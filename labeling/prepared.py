"""Queries that are asked for every single task, put into SQL once and asked with other values from then on.

Django builds a query anew each time, which takes longer than the database takes to answer; and PostgreSQL plans it anew
each time, which for the larger ones takes longer than to run it. What is built is kept in the process, one text for
each way in which it is built, and on PostgreSQL each connection keeps the plan too (a prepared statement). Constants
stand in the text: a partial index is of use to a plan only where its condition can be seen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.query import get_related_populators

Row = TypeVar("Row")

FIRST_STAND_IN = 7_000_000_000_000_000
"""Numbers from here on stand for the values while a query is built; no row has such an id."""
STAND_INS: Mapping[type, Callable[[int], Any]] = {
    int: lambda number: FIRST_STAND_IN + number,
    str: lambda number: f"\N{OBJECT REPLACEMENT CHARACTER}{number}",
    UUID: lambda number: UUID(int=FIRST_STAND_IN + number),
    datetime: lambda number: datetime(9000 + number, 1, 1, tzinfo=UTC),
}
TYPES = {int: "bigint", str: "text", UUID: "uuid", datetime: "timestamptz"}


def as_time(told: datetime | str) -> datetime:
    """A time that was annotated: SQLite gives its text."""
    return told if isinstance(told, datetime) else datetime.fromisoformat(told).replace(tzinfo=UTC)


class Prepared(Generic[Row]):
    """Asks a query that a function builds from values of these types.

    The function is given as many stand-ins as there are values, and whatever says how to build (hashable). It may use
    each of them as often as it likes, where the database gets it as a parameter: not in a slice, and not to decide.
    by_value: PostgreSQL is to plan it anew each time, for these values. A plan for any value takes a labeler to have
    done as much as most have, and reads all of what one has who did half of a campaign alone.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]], *types: type, by_value: bool = False) -> None:
        self.build, self.types, self.by_value = build, types, by_value
        self._built: dict[tuple[Any, ...], Built] = {}
        self._lock = Lock()

    def rows(self, values: Sequence[Any], *how: Any) -> list[Row]:
        """The rows as the queryset would give them: instances with what is joined and annotated, or tuples."""
        key = (connection.vendor, *how)
        found = self._built.get(key)
        if found is None:
            with self._lock:
                found = self._built[key] = built(self.build, self.types, how)
        return found.rows(values, by_value=self.by_value)

    def first(self, values: Sequence[Any], *how: Any) -> Row | None:
        """Of a query that is built to answer with one row at most."""
        return next(iter(self.rows(values, *how)), None)

    def value(self, values: Sequence[Any], *how: Any) -> Any:
        """The one value of the one row of a query for tuples; None where there is no row."""
        found = self.rows(values, *how)
        return found[0][0] if found else None  # type: ignore[index]


@dataclass(frozen=True)
class Built:
    """sql: as Django's cursors take it. slots: which value goes where in it, or a parameter as it is. make: instances
    of rows, None for tuples."""

    sql: str
    slots: Sequence[tuple[int | None, Any]]
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    make: Callable[[Sequence[Any]], Any] | None

    def rows(self, values: Sequence[Any], *, by_value: bool) -> list[Any]:
        given = [_as_parameter(value) for value in values]
        told = [part if place is None else given[place] for place, part in self.slots]
        found = ask(self.sql, told, by_value=by_value)
        if self.converters:
            found = [self._converted(row) for row in found]
        return [self.make(row) for row in found] if self.make else found

    def _converted(self, row: Sequence[Any]) -> tuple[Any, ...]:
        converted = list(row)
        for place, converters, expression in self.converters:
            for convert in converters:
                converted[place] = convert(converted[place], expression, connection)
        return tuple(converted)


def built(build: Callable[..., QuerySet[Any, Any]], types: Sequence[type], how: Sequence[Any]) -> Built:
    """The query in SQL, with stand-ins of these types in the places of the values."""
    stand_ins = [STAND_INS[kind](number) for number, kind in enumerate(types)]
    asked = build(*stand_ins, *how)
    compiler = asked.query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    places = {_as_parameter(one): number for number, one in enumerate(stand_ins)}
    slots = [(places.get(one) if isinstance(one, int | str | UUID | datetime) else None, one) for one in parameters]
    if connection.vendor == "postgresql":
        sql, slots = _with_constants(sql, slots, types)
    select = compiler.select or []
    converters = compiler.get_converters([column for column, _, _ in select])
    return Built(
        sql=sql,
        slots=slots,
        converters=[(place, convert, expression) for place, (convert, expression) in converters.items()],
        make=None if asked.query.values_select or not compiler.klass_info else _maker(compiler),
    )


def _maker(compiler: Any) -> Callable[[Sequence[Any]], Any]:
    """What Django's ModelIterable does for one row."""
    told = compiler.klass_info
    first, end = told["select_fields"][0], told["select_fields"][-1] + 1
    names = [column.target.attname for column, _, _ in compiler.select[first:end]]
    populators = get_related_populators(told, compiler.select, "default")  # type: ignore[call-arg]
    annotated = list((compiler.annotation_col_map or {}).items())
    model = told["model"]

    def make(row: Sequence[Any]) -> Any:
        made = model.from_db("default", names, row[first:end])
        for populator in populators:
            populator.populate(row, made)
        for name, place in annotated:
            setattr(made, name, row[place])
        return made

    return make


def _as_parameter(value: Any) -> Any:
    """A value as Django hands it to the database."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def _with_constants(
    sql: str, slots: Sequence[tuple[int | None, Any]], types: Sequence[type]
) -> tuple[str, list[tuple[int | None, Any]]]:
    """The text with every parameter in it that is always the same, and with the type of every other."""
    pieces = sql.split("%s")
    assert len(pieces) == len(slots) + 1, "a %s in the text that is no parameter"
    text: list[str] = [pieces[0]]
    left: list[tuple[int | None, Any]] = []
    for (place, value), piece in zip(slots, pieces[1:], strict=True):
        if place is None:
            text.append(connection.ops.compose_sql("%s", [value]).replace("%", "%%"))  # type: ignore[attr-defined]
        else:
            text.append(f"%s::{TYPES[types[place]]}")
            left.append((place, value))
        text.append(piece)
    return "".join(text), left


# --- statements that are always the same ------------------------------------------------------------------------------


def ask(sql: str, parameters: Sequence[Any], *, by_value: bool = False) -> list[tuple[Any, ...]]:
    """The rows of a statement whose text is always the same."""
    with _cursor() as cursor:
        if by_value and connection.vendor == "postgresql":
            cursor.cursor.prepares = False
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def tell(sql: str, parameters: Sequence[Any]) -> int:
    """How many rows a statement changed whose text is always the same."""
    with _cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def _cursor() -> Any:
    cursor = connection.cursor()
    if connection.vendor == "postgresql":
        cursor.cursor = _prepares()(connection.connection)
    return cursor


_class: type | None = None


def _prepares() -> type:
    """A cursor of psycopg that prepares what it is given; made at the first use, for SQLite has no need of psycopg."""
    global _class
    if _class is None:
        _class = _made_class()
    return _class


def _made_class() -> type:
    from psycopg import RawCursor
    from psycopg.types.numeric import Int8

    texts: dict[str, str] = {}

    class Prepares(RawCursor[Any]):
        prepares = True

        def execute(self, query: Any, params: Any = None, **_: Any) -> Any:
            text = texts.get(query)
            if text is None:
                text = texts[query] = numbered(query)
            # The type that psycopg gives a whole number depends on its size, and each type would be another statement.
            sent = [Int8(one) if type(one) is int else one for one in params]
            return super().execute(text, sent, prepare=self.prepares)

    return Prepares


def numbered(sql: str) -> str:
    """With $1, $2 … for each %s, as PostgreSQL itself has it: then psycopg has nothing to look for in the text."""
    pieces = sql.split("%s")
    text = pieces[0] + "".join(f"${number}{piece}" for number, piece in enumerate(pieces[1:], start=1))
    return text.replace("%%", "%")
