"""Time stands still while pictures are taken: the same minute on every picture, in every run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.db.models.functions import Now
from django.utils import timezone

from labeling.prepared import Prepared, built

NOW = datetime(2026, 3, 12, 10, 24, tzinfo=UTC)
"""A Thursday morning."""


class Clock:
    """What this process and its database take for now."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    @contextmanager
    def before(self, **ago: float) -> Iterator[datetime]:
        """For a while it is earlier: before(days=2, hours=1)."""
        self.time = NOW - timedelta(**ago)
        yield self.time
        self.time = NOW


@contextmanager
def standing_still() -> Iterator[Clock]:
    """Django's own now, and the database's NOW() in queries, are the clock's."""
    clock = Clock()

    def on_sqlite(self: Now, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        return f"'{clock.time:%Y-%m-%d %H:%M:%S.%f}'", []

    def on_postgresql(self: Now, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:
        return f"'{clock.time.isoformat()}'::timestamptz", []

    def rows(self: Prepared[Any], values: Sequence[Any], *how: Any) -> list[Any]:
        """Built anew each time: a text that is kept would have the clock's time in it, here and for ever after."""
        return built(self.build, self.types, how).rows(values, by_value=self.by_value)

    with (
        patch.object(timezone, "now", clock.now),
        patch.object(Now, "as_sqlite", on_sqlite),
        patch.object(Now, "as_postgresql", on_postgresql),
        patch.object(Prepared, "rows", rows),
    ):
        yield clock
