"""Long lists, the newest first, a sheet at a time: each begins where the last one ended, whatever came in since."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

from labeling.browsing.filters import Typed, query_with

ROWS = 50

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Sheet(Generic[Row]):
    """older: the query of the next sheet, or empty. newest: that of the first, or empty on the first itself."""

    rows: list[Row]
    older: str = ""
    newest: str = ""


def sheet_of(rows: QuerySet[Row], typed: Typed) -> Sheet[Row]:
    """The sheet that ?before=PK asks for (one query). What is no primary key is the first sheet."""
    before = place_of(typed.get("before", ""))
    found = rows.order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    taken = list(found[: ROWS + 1])
    older = query_with(typed, before=str(taken[ROWS - 1].pk)) if len(taken) > ROWS else ""
    return Sheet(taken[:ROWS], older=older, newest=query_with(typed, before="") if before is not None else "")


def place_of(text: str) -> int | None:
    """A place in a list as an address names it; None for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
