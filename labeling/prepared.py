"""Queries that are asked for every single task, put into SQL once and asked with other values from then on.

Django builds a query anew each time, which for the larger ones takes longer than the database takes to answer. What is
built is kept in the process, one text for each way in which it is built.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)

FIRST_STAND_IN = 7_000_000_000_000_000
"""Numbers from here on stand for the values while a query is built; no row has such an id."""


def as_time(told: datetime | str) -> datetime:
    """A time that was annotated: SQLite gives its text."""
    return told if isinstance(told, datetime) else datetime.fromisoformat(told).replace(tzinfo=UTC)


class Prepared(Generic[Row]):
    """Asks a query that a function builds from whole numbers.

    The function is given as many stand-ins as there are values, and whatever says how to build (hashable). It may use
    each of them as often as it likes, where the database gets it as a parameter: not in a slice, and not to decide.
    """

    def __init__(self, model: type[Row], build: Callable[..., QuerySet[Row]], values: int) -> None:
        self._model, self._build, self._values = model, build, values
        self._texts: dict[tuple[Any, ...], tuple[str, list[tuple[bool, Any]]]] = {}
        self._lock = Lock()

    def rows(self, values: Sequence[int], *how: Any) -> list[Row]:
        """The rows, with what was annotated; joined ones are not among them."""
        key = (connection.vendor, *how)
        if key not in self._texts:
            with self._lock:
                self._texts[key] = self._compiled(how)
        sql, slots = self._texts[key]
        return list(self._model._default_manager.raw(sql, [values[one] if given else one for given, one in slots]))

    def first(self, values: Sequence[int], *how: Any) -> Row | None:
        """Of a query that is built to answer with one row at most."""
        return next(iter(self.rows(values, *how)), None)

    def _compiled(self, how: tuple[Any, ...]) -> tuple[str, list[tuple[bool, Any]]]:
        """The text, and for each of its parameters (True, which value) or (False, the parameter as it is)."""
        stand_ins = {FIRST_STAND_IN + number: number for number in range(self._values)}
        sql, parameters = self._build(*stand_ins, *how).query.sql_with_params()
        return sql, [
            (True, stand_ins[one]) if isinstance(one, int) and one in stand_ins else (False, one) for one in parameters
        ]
