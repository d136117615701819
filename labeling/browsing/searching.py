"""Words in texts, found by the database. The search looks at the newest rows only, so its cost has a bound."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func, Model, QuerySet, TextField
from django.db.models.functions import Cast, Substr
from django.db.models.sql.compiler import SQLCompiler

SEARCHED = 20_000
"""Rows that a search for words looks at, the newest first; every text of them is read."""
LONGEST_SEARCH = 200
"""Characters of what is searched for."""
MOST_WORDS = 8
"""Words beyond these are not looked for."""

Row = TypeVar("Row", bound=Model)


class TurnTexts(Func):
    """What the turns of a chat say, one after another, without the roles and the JSON around them."""

    arity = 1
    output_field = TextField()
    template = "(SELECT string_agg(turn ->> 'content', E'\\n') FROM jsonb_array_elements(%(expressions)s) AS turn)"

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        template = "(SELECT group_concat(json_extract(value, '$.content'), char(10)) FROM json_each(%(expressions)s))"
        return self.as_sql(compiler, connection, template=template, **more)


class LastTurn(Func):
    """What the last turn of a chat says."""

    arity = 1
    output_field = TextField()
    template = "(%(expressions)s -> -1 ->> 'content')"

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        return self.as_sql(compiler, connection, template="json_extract(%(expressions)s, '$[#-1].content')", **more)


def beginning(text: Any, *, characters: int) -> Substr:
    """The first characters of a text, so that a list does not load whole books."""
    return Substr(Cast(text, TextField()), 1, characters, output_field=CharField())


@dataclass(frozen=True)
class Found(Generic[Row]):
    """among: how many rows were looked at for the words, where that was not all of them; None without words."""

    rows: QuerySet[Row]
    among: int | None = None


def with_words(rows: QuerySet[Row], typed: str, *, text: Any) -> Found[Row]:
    """The rows whose text holds every word, in any case and order, among the newest SEARCHED of them.

    text: an expression. One query finds where the bound lies. Letters other than a to z are matched in their own case
    on SQLite.
    """
    words = typed.split()[:MOST_WORDS]
    if not words:
        return Found(rows)
    bound = rows.order_by("-pk").values_list("pk", flat=True)[SEARCHED : SEARCHED + 1].first()
    if bound is not None:
        rows = rows.filter(pk__gt=bound)
    found: QuerySet[Any] = rows.alias(searched=text)
    for word in words:
        found = found.filter(searched__icontains=word)
    return Found(found, SEARCHED if bound is not None else None)
