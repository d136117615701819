"""GET /api/v1/projects/SLUG/rankings and the like: a project's records as JSON lines (docs/records.md)."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, cast

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from labeling.access import READS_DATA
from labeling.api.access import AsWeAnswer, choice_in, project_for, query_of
from labeling.api.errors import InvalidQuery
from labeling.datasets import Selection, lines_of
from labeling.models import Campaign, Project
from labeling.records import SPLITS, Kind

YES_OR_NO = ("true", "false")


class RecordsView(APIView):
    """Streams; the first batch is read before the answer begins, so that what fails at once is an answer too."""

    content_negotiation_class = AsWeAnswer
    http_method_names = ["get", "head", "options"]
    kind: Kind = Kind.RANKING

    def get(self, request: Request, slug: str) -> Any:
        project = project_for(request, slug, roles=READS_DATA)
        lines = lines_of(project, self.kind, self.selection(request, project))
        answer = StreamingHttpResponse(begun(lines), content_type="application/x-ndjson")
        answer["Content-Disposition"] = f'attachment; filename="{project.slug}-{self.kind}.jsonl"'
        answer["Cache-Control"] = "no-store"
        return answer

    def selection(self, request: Request, project: Project) -> Selection:
        """Raises InvalidQuery."""
        known = ["split", "campaign", "simulated"] + (["ties"] if self.kind is Kind.COMPARISON else [])
        query = query_of(request, known)
        return Selection(
            split=choice_in(query, "split", SPLITS, "") or None,
            campaign=_campaign(project, query["campaign"]) if "campaign" in query else None,
            simulated=choice_in(query, "simulated", YES_OR_NO, "false") == "true",
            ties=cast(Any, choice_in(query, "ties", ("keep", "drop"), "keep")),
        )


def _campaign(project: Project, name: str) -> Campaign:
    found = Campaign.objects.filter(project=project, name=name).first() if "\x00" not in name else None
    if found is None:
        raise InvalidQuery(f"campaign is {name[:120]!r}; there is no campaign of this name in the project.")
    return found


def begun(lines: Iterator[bytes]) -> Iterator[bytes]:
    return chain([next(lines, b"")], lines)
