"""The responses of a project, narrowed and searched."""

from collections.abc import Mapping
from typing import Any

from django.db.models import F, Q, QuerySet

from labeling.browsing.aside import why_aside
from labeling.browsing.searching import Found, LastTurn, beginning, with_words
from labeling.models import Project, Response

FIRST_CHARACTERS = 240

KIND = {
    "demonstration": Q(labeler__isnull=False, judged_only=False),
    "generated": Q(generator__isnull=False),
    "judged": Q(labeler__isnull=False, judged_only=True),
}


def found_responses(project: Project, said: Mapping[str, Any]) -> Found[Response]:
    """said: what ResponseFilters accepted."""
    rows = Response.objects.filter(prompt__project=project)
    if "kind" in said:
        rows = rows.filter(KIND[said["kind"]])
    if "generator" in said:
        rows = rows.filter(generator=said["generator"])
    if "prompt" in said:
        rows = rows.filter(prompt=said["prompt"])
    return with_words(rows, said.get("q", ""), text=F("text"))


def as_lines(rows: QuerySet[Response]) -> QuerySet[Response]:
    """With the first words of the response and of what it replies to, who wrote it, and why it is set aside."""
    return rows.select_related("generator", "labeler").defer("text", "sampling").annotate(
        aside=why_aside(),
        first_words=beginning(F("text"), characters=FIRST_CHARACTERS),
        prompt_words=beginning(LastTurn("prompt__messages"), characters=FIRST_CHARACTERS),
    )  # fmt: skip
