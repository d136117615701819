"""Imports: a file is sent as the body, or fetched from an address, and a worker brings it in with a report by line."""

from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA
from labeling.api.fields import Sent, Shown, Text
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.foreign.table import PREFIX, TARGETS
from labeling.importing_files import OF_ALL, read_asked, take_from, take_in
from labeling.models import Import
from labeling.scopes import Scope

MOST_VALUE = 200
MOST_URL = 2000
PIECE_BYTES = 256 * 1024
NAMES = (*OF_ALL, "kind", "writer", "generator", "labeler", *(f"{PREFIX}{target}" for target in TARGETS))


class ImportParser(BaseParser):
    """Leaves the body where it is: it goes to a file piece by piece. Whatever the client calls it."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return stream


def _fields(**more: Any) -> dict[str, Any]:
    return {
        "__doc__": "What the file is; docs/imports.md.",
        **{name: Text(most=MOST_VALUE, required=False) for name in NAMES},
        **more,
    }


ImportQuery: type[Sent] = type("ImportQuery", (Sent,), _fields(file_name=Text(most=MOST_VALUE, required=False)))
ImportFromSent: type[Sent] = type("ImportFromSent", (Sent,), _fields(url=Text(least=1, most=MOST_URL)))


class ImportShown(Shown):
    """An import. rows: lines read so far. report: what became of the file, once it was read."""

    id = serializers.UUIDField()
    source = serializers.CharField()  # type: ignore[assignment]
    name = serializers.CharField()
    query = serializers.DictField(child=serializers.CharField())
    state = serializers.ChoiceField(Import.State.choices)
    rows = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    error = serializers.CharField()
    report = serializers.DictField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


ImportPage = page_shape("Import", ImportShown)


def import_shown(found: Import) -> dict[str, Any]:
    return {
        "id": str(found.uuid),
        "source": found.source,
        "name": found.name,
        "query": found.query,
        "state": found.state,
        "rows": found.rows,
        "size_bytes": found.size_bytes,
        "error": found.error,
        "report": found.report,
        "created_at": found.created_at,
        "finished_at": found.finished_at,
    }


class TakesFiles(Resource):
    """A body that is a file is not read into memory, so it has no key: a record's own id makes it come in once."""

    tag = "imports"
    keyed = False

    def _prepare(self, request: Request, method: str) -> None:
        headers = request._request.META
        if method == "POST" and "HTTP_IDEMPOTENCY_KEY" in headers:
            headers.pop("HTTP_IDEMPOTENCY_KEY")
        super()._prepare(request, method)


class ImportsView(TakesFiles):
    allows = {"GET": Allowed(READS_DATA, Scope.READ), "POST": Allowed(READS_DATA, Scope.WRITE)}
    parser_classes = (ImportParser,)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        renderer = self.get_renderers()[0]
        return renderer, renderer.media_type

    @operation("Imports that were asked for, the newest first.", query=Paged, gives=ImportPage, name="list_imports")
    def get(self, request: Request, slug: str) -> Response:
        found = Import.objects.filter(project=self.project)
        return Response(page_of(found, self.query, import_shown, newest_first=True))

    @operation(
        "Brings in a file: the body, as it is, packed with gzip or zstd or not. A worker reads it and reports by line.",
        query=ImportQuery,
        gives=ImportShown,
        status=202,
        name="import_file",
    )
    def post(self, request: Request, slug: str) -> Response:
        file_name = str(self.query.get("file_name", ""))
        asked = read_asked({name: str(self.query[name]) for name in NAMES if name in self.query}, file_name=file_name)
        made = take_in(self.project, asked, _pieces(request._request), file_name=file_name, by=self.membership.user)
        return Response(import_shown(made), status=202)


def _pieces(request: Any) -> Iterator[bytes]:
    while piece := request.read(PIECE_BYTES):
        yield piece


class ImportFromView(Resource):
    tag = "imports"
    allows = {"POST": Allowed(READS_DATA, Scope.WRITE)}

    @operation(
        "Brings in a file from an address. A worker fetches it: http and https, public addresses, no redirects.",
        takes=ImportFromSent,
        gives=ImportShown,
        status=202,
        name="import_from",
    )
    def post(self, request: Request, slug: str) -> Response:
        sent = self.sent(request)
        url = sent.pop("url")
        asked = read_asked({name: str(value) for name, value in sent.items() if value}, file_name="")
        made = take_from(self.project, asked, url, by=self.membership.user)
        return Response(import_shown(made), status=202)


class ImportView(Resource):
    tag = "imports"
    allows = {"GET": Allowed(READS_DATA, Scope.READ)}

    @operation("One import, with its report once the file was read.", gives=ImportShown, name="read_import")
    def get(self, request: Request, slug: str, uuid: Any) -> Response:
        return Response(import_shown(found_or_404(Import.objects.filter(project=self.project), uuid=uuid)))
