"""Lists in pages, by cursor: a page costs the same however far in it is, and new rows shift nothing."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model, QuerySet
from rest_framework import serializers

from labeling.api.fields import Sent, Shown, WholeParameter

A_PAGE, MOST_A_PAGE = 100, 500


class Paged(Sent):
    """Parameters of every list. cursor: what the page before answered as "next"."""

    cursor = WholeParameter(help_text='Where the page begins: "next" of the page before.')
    limit = WholeParameter(high=MOST_A_PAGE, help_text=f"Items on the page; {A_PAGE} where it is not said.")


def page_of(
    rows: QuerySet[Any], query: dict[str, Any], shown: Callable[[Any], Any], *, newest_first: bool = False
) -> dict[str, Any]:
    """{"items": […], "next": cursor or null}, in the order of the primary key (one query)."""
    limit = query.get("limit", A_PAGE)
    if "cursor" in query:
        rows = rows.filter(**{"pk__lt" if newest_first else "pk__gt": query["cursor"]})
    found: list[Model] = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    return {
        "items": [shown(row) for row in found[:limit]],
        "next": str(found[limit - 1].pk) if len(found) > limit else None,
    }


def page_shape(name: str, item: type[Shown]) -> type[Shown]:
    """The serializer of a page of such items, for the schema."""
    fields: dict[str, Any] = {
        "items": item(many=True),
        "next": serializers.CharField(allow_null=True, help_text="The cursor of the next page; null on the last one."),
        "__doc__": "A page of a list.",
    }
    return type(f"{name}Page", (Shown,), fields)
