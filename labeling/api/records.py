"""GET /api/v1/projects/SLUG/records/rankings and the like: a project's records as JSON lines (docs/records.md)."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from labeling.access import READS_DATA
from labeling.api.access import AsWeAnswer, project_for, query_of
from labeling.exporting.asked import MARGINS, TIES, YES_OR_NO, parameters_of, read_asked
from labeling.exporting.formats import FORMATS
from labeling.exporting.layouts import layouts_of
from labeling.exporting.streaming import streamed
from labeling.records import REVIEWS, SPLITS, Kind


class RecordsView(APIView):
    """Streams in one consistent look at the database (docs/exports.md)."""

    content_negotiation_class = AsWeAnswer
    http_method_names = ["get", "head", "options"]
    kind: Kind = Kind.RANKING

    def described_parameters(self) -> list[OpenApiParameter]:
        """For the schema."""
        choices: dict[str, Iterable[str]] = {
            "format": FORMATS, "layout": layouts_of(self.kind), "split": SPLITS, "review": REVIEWS, "ties": TIES,
            "margin": MARGINS, **dict.fromkeys(("simulated", "surplus", "withdrawn"), YES_OR_NO),
        }  # fmt: skip
        return [
            OpenApiParameter(name, str, enum=list(choices[name]) if name in choices else None)
            for name in parameters_of(self.kind)
        ]

    @extend_schema(
        summary="Records as a stream: JSON lines, or another format",
        description="Every record of this kind, in one consistent look at the database (docs/exports.md).",
        responses={(200, "application/x-ndjson"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, slug: str) -> Any:
        project = project_for(request, slug, roles=READS_DATA)
        return streamed(read_asked(project, self.kind, query_of(request, parameters_of(self.kind))))
