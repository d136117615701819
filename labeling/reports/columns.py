"""Columns of many rows as arrays: the database writes each column as one text, and numpy reads it.

A row as a tuple of Python objects costs about a microsecond a field, which is most of what a report of 200,000
judgments takes. Rows come in parts of so many ids, so that no text grows with the project.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Aggregate, F, QuerySet, TextField
from django.db.models.sql.compiler import SQLCompiler

from labeling.agreement.figures import Bools, Floats, Ints

IDS_A_PART = 50_000
UNKNOWN = "nan"
"""What stands for null, in a column of numbers."""


class Joined(Aggregate):
    """The values of all rows as one text, a line each, in the same order for every column of a query."""

    template = "STRING_AGG(COALESCE((%(expressions)s)::text, 'nan'), E'\\n')"
    name = "Joined"

    def __init__(self, expression: Any) -> None:
        super().__init__(expression, output_field=TextField())

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        template = "GROUP_CONCAT(COALESCE(%(expressions)s, 'nan'), char(10))"
        return self.as_sql(compiler, connection, template=template, **more)


class JoinedSeconds(Joined):
    """Moments, as seconds since 1970."""

    template = "STRING_AGG(COALESCE(EXTRACT(EPOCH FROM %(expressions)s)::text, 'nan'), E'\\n')"

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        # A moment is the text "2026-01-01 00:00:00.123456", the fraction left out where it is 0.
        seconds = (
            "CAST(unixepoch(%(expressions)s) AS REAL)"
            " + COALESCE(CAST('0' || NULLIF(substr(%(expressions)s, 20), '') AS REAL), 0)"
        )
        template = f"GROUP_CONCAT(COALESCE(printf('%%%%.6f', {seconds}), 'nan'), char(10))"
        return self.as_sql(compiler, connection, template=template, **more)


def parts_of(rows: QuerySet[Any], *, by: str, columns: dict[str, Joined]) -> Iterator[dict[str, str]]:
    """The columns of the rows, a part at a time. by: a whole number of each row, such as its id, that parts go by."""
    # The names are apart from those of the model's own fields.
    joined = {f"all_{name}": column for name, column in columns.items()}
    parts = rows.order_by().annotate(part_of_rows=F(by) / IDS_A_PART).values("part_of_rows").annotate(**joined)
    for values in parts.values_list(*joined).iterator(chunk_size=1):
        yield dict(zip(columns, values, strict=True))


def whole_numbers(texts: Iterable[str]) -> Ints:
    return _numbers(texts, np.int64)


def numbers(texts: Iterable[str]) -> Floats:
    """NaN where the column was null."""
    return _numbers(texts, np.float64)


def _numbers(texts: Iterable[str], kind: Any) -> Any:
    return np.concatenate([np.zeros(0, dtype=kind), *(np.fromstring(text, dtype=kind, sep="\n") for text in texts)])


def lists_of_ids(texts: Iterable[str]) -> Ints:
    """Lines such as "[12, 7]" -> (N, longest), 0 where a list is shorter. Ids are above 0."""
    lines = [line for text in texts for line in text.split("\n")]
    sizes = np.array([line.count(",") + 1 if len(line) > 2 else 0 for line in lines], dtype=np.int64)
    flat = np.fromstring(",".join(line[1:-1] for line in lines if len(line) > 2), dtype=np.int64, sep=",")
    found = np.zeros((len(lines), int(sizes.max(initial=0))), dtype=np.int64)
    found[np.arange(found.shape[1]) < sizes[:, None]] = flat
    return found


@dataclass(frozen=True)
class Codes:
    """Values as numbers from 0: codes (N,), and what each stands for."""

    codes: Ints
    values: tuple[Any, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Codes":
        """Of lines, which are few different ones."""
        found: dict[str, int] = {}
        parts = [
            np.fromiter((found.setdefault(line, len(found)) for line in text.split("\n")), dtype=np.int64)
            for text in texts
        ]
        return cls(np.concatenate([np.zeros(0, dtype=np.int64), *parts]), tuple(found))

    @classmethod
    def of_ids(cls, ids: Ints) -> "Codes":
        values, codes = np.unique(ids, return_inverse=True)
        return cls(codes.astype(np.int64), tuple(values.tolist()))

    def only(self, rows: Bools | Ints) -> "Codes":
        return Codes(self.codes[rows], self.values)
