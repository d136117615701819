"""Prepared exports: a file frozen at one moment, made by a worker, fetched whole or in parts."""

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA
from labeling.api.fields import OneOf, Sent, Shown, Text
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.exporting.asked import PARAMETERS, read_asked
from labeling.exporting.counting import count_rows
from labeling.exporting.downloading import file_answer
from labeling.exporting.making import file_of, name_and_type_of, note_fetched, prepare
from labeling.exporting.recalling import file_to_send
from labeling.models import Export
from labeling.records import Kind
from labeling.scopes import Scope

KINDS = {
    "prompts": Kind.PROMPT,
    "demonstrations": Kind.DEMONSTRATION,
    "candidates": Kind.CANDIDATES,
    "rankings": Kind.RANKING,
    "comparisons": Kind.COMPARISON,
    "ratings": Kind.RATING,
}
NAMES = {kind: name for name, kind in KINDS.items()}
MOST_VALUE = 200


def _query() -> dict[str, Any]:
    fields: dict[str, Any] = {name: Text(most=MOST_VALUE, required=False) for name in PARAMETERS}
    return {"records": OneOf(list(KINDS)), **fields, "__doc__": "What is asked for; docs/exports.md."}


ExportSent: type[Sent] = type("ExportSent", (Sent,), _query())


class ExportShown(Shown):
    """An export. sha256, as_of and datasheet are there once it is done; file says whether it can still be fetched."""

    id = serializers.UUIDField()
    records = serializers.ChoiceField(list(KINDS))
    query = serializers.DictField(child=serializers.CharField())
    state = serializers.ChoiceField(Export.State.choices)
    rows = serializers.IntegerField(help_text="So far.")
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField()
    file = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    datasheet = serializers.DictField()


class CountShown(Shown):
    rows = serializers.IntegerField()


ExportPage = page_shape("Export", ExportShown)
READS = Allowed(READS_DATA, Scope.READ)


def export_shown(export: Export) -> dict[str, Any]:
    return {
        "id": str(export.uuid),
        "records": NAMES[Kind(export.kind)],
        "query": export.query,
        "state": export.state,
        "rows": export.rows,
        "size_bytes": export.size_bytes,
        "sha256": export.sha256,
        "as_of": export.as_of,
        "error": export.error,
        "file": file_of(export) is not None,
        "created_at": export.created_at,
        "finished_at": export.finished_at,
        "datasheet": export.datasheet,
    }


def _said(sent: dict[str, Any]) -> tuple[Kind, dict[str, str]]:
    return KINDS[sent["records"]], {name: value for name, value in sent.items() if name != "records" and value}


class ExportsView(Resource):
    tag = "exports"
    allows = {"GET": READS, "POST": READS}

    @operation("Exports that were asked for, the newest first.", query=Paged, gives=ExportPage, name="list_exports")
    def get(self, request: Request, slug: str) -> Response:
        found = Export.objects.filter(project=self.project)
        return Response(page_of(found, self.query, export_shown, newest_first=True))

    @operation(
        "Prepares an export. A worker writes the file; ask for it again until its state is done.",
        takes=ExportSent,
        gives=ExportShown,
        status=202,
        name="prepare_export",
    )
    def post(self, request: Request, slug: str) -> Response:
        kind, query = _said(self.sent(request))
        export = prepare(self.project, kind, query, by=self.membership.user)
        return Response(export_shown(export), status=202)


class CountView(Resource):
    tag = "exports"
    allows = {"POST": READS}

    @operation(
        "Counts the rows that an export would have. Nothing is written.",
        takes=ExportSent,
        gives=CountShown,
        name="count_export",
    )
    def post(self, request: Request, slug: str) -> Response:
        kind, query = _said(self.sent(request))
        return Response({"rows": count_rows(read_asked(self.project, kind, query))})


class OneExport(Resource):
    tag = "exports"
    allows = {"GET": READS}

    def export(self, uuid: Any) -> Export:
        return found_or_404(Export.objects.filter(project=self.project).select_related("project"), uuid=uuid)


class ExportView(OneExport):
    @operation("One export, with its datasheet once it is done.", gives=ExportShown, name="read_export")
    def get(self, request: Request, slug: str, uuid: Any) -> Response:
        return Response(export_shown(self.export(uuid)))


class ExportFileView(OneExport):
    @operation(
        "The file. It can be fetched in parts (Range); its ETag is its sha256.", gives=bytes, name="download_export"
    )
    def get(self, request: Request, slug: str, uuid: Any) -> Any:
        export = self.export(uuid)
        path = file_to_send(export)
        if path is None:
            raise Http404
        note_fetched(export)
        name, media_type = name_and_type_of(export)
        return file_answer(request._request, path, name=name, media_type=media_type, sha256=export.sha256)
