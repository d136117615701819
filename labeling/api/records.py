"""GET /api/v1/projects/SLUG/records/rankings and the like: a project's records as a stream, and their datasheet."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA
from labeling.api.fields import OneOf, Sent, Text
from labeling.api.resource import Allowed, Resource, operation
from labeling.audit.recording import record
from labeling.exporting.asked import MARGINS, TIES, YES_OR_NO, parameters_of, read_asked
from labeling.exporting.counting import count_rows
from labeling.exporting.datasheet import datasheet_of
from labeling.exporting.formats import FORMATS
from labeling.exporting.layouts import layouts_of
from labeling.exporting.reading import one_look
from labeling.exporting.streaming import streamed
from labeling.models import AuditKind
from labeling.records import REVIEWS, SPLITS, Kind
from labeling.scopes import Scope

MOST_VALUE = 200
READS = {"GET": Allowed(READS_DATA, Scope.READ)}


def records_view(name: str, kind: Kind) -> type[Resource]:
    """The address of one kind of record, which takes the parameters that say something of that kind."""

    class Records(Resource):
        tag = "records"
        allows = READS
        conditional = False

        @operation(
            f"Streams the {name}: JSON lines, or another format. One consistent look at the database; the link with "
            "rel=describedby leads to their datasheet. See docs/exports.md.",
            query=_parameters(name, kind),
            gives=bytes,
            media_type="application/x-ndjson",
            name=f"stream_{name}",
        )
        def get(self, request: Request, slug: str) -> Any:
            asked = read_asked(self.project, kind, self.query)
            record(AuditKind.EXPORT, project=self.project.pk, facts={"act": "fetched", "records": kind.value})
            answer = streamed(asked)
            _, mark, query = request.get_full_path().partition("?")
            answer["Link"] = f'<{request.path}/datasheet{mark}{query}>; rel="describedby"'
            return answer

    return Records


def datasheet_view(name: str, kind: Kind) -> type[Resource]:
    """The address beside it, which takes the same parameters."""

    class Datasheet(Resource):
        tag = "records"
        allows = READS
        conditional = False

        @operation(
            f"The datasheet of the {name} as they are now: members, counts, guidelines, licence and consent.",
            query=_parameters(name, kind),
            gives=OpenApiTypes.OBJECT,
            name=f"describe_{name}",
        )
        def get(self, request: Request, slug: str) -> Response:
            asked = read_asked(self.project, kind, self.query)
            with one_look() as moment:
                return Response(datasheet_of(asked, as_of=moment, rows=count_rows(asked)))

    return Datasheet


def _parameters(name: str, kind: Kind) -> type[Sent]:
    """Those of the exports (docs/exports.md) for this kind of record."""
    choices: dict[str, Iterable[str]] = {
        "format": FORMATS, "layout": layouts_of(kind), "split": SPLITS, "review": REVIEWS, "ties": TIES,
        "margin": MARGINS,
        **dict.fromkeys(("simulated", "surplus", "withdrawn", "adjudicated"), YES_OR_NO),
    }  # fmt: skip
    fields: dict[str, Any] = {
        each: OneOf(list(choices[each]), required=False, allow_blank=True)
        if each in choices
        else Text(most=MOST_VALUE, required=False)
        for each in parameters_of(kind)
    }
    return type(f"{name.capitalize()}Asked", (Sent,), {**fields, "__doc__": "What is asked for; docs/exports.md."})
