"""A prepared file that may hold what somebody took back since is out of reach: it is deleted, and its row says why.

What a file may hold is judged by the work that it was made of, not by its rows: too much is recalled rather than too
little, and whoever needs it has it prepared anew.
"""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from labeling.exporting.making import file_of
from labeling.kept_files import kept_in
from labeling.models import Export, Submission, WorkKind
from labeling.records import Kind
from labeling.selecting import WORK_KINDS

TAKEN_BACK = "Its file was deleted: somebody took back what was in it. Have it prepared anew."
WRITING = (WorkKind.PROMPT, WorkKind.DEMONSTRATION)
"""Work whose texts may stand in records of every kind."""


def file_to_send(export: Export) -> Path | None:
    """The file, where it is done, still there, and holds nothing that was taken back."""
    path = file_of(export)
    if path is not None and _within(export).filter(withdrawn_at__gt=_moment(export)).exists():
        recall(export)
        return None
    return path


def recall(export: Export) -> None:
    if path := kept_in(Path(settings.EXPORTS_DIR), export.path):
        path.unlink(missing_ok=True)
    export.path, export.error = "", TAKEN_BACK
    Export.objects.filter(pk=export.pk).update(path="", error=TAKEN_BACK)


def recall_withdrawn() -> int:
    """All files that hold what was taken back; returns how many. Part of what workers do by themselves."""
    there = Export.objects.filter(state=Export.State.DONE).exclude(path="").select_related("project")
    return sum(file_of(export) is not None and file_to_send(export) is None for export in there)


def _moment(export: Export) -> datetime:
    """Of what it holds; a row from before that was kept says when it was asked for."""
    return export.as_of or export.created_at


def _within(export: Export) -> QuerySet[Submission]:
    """What may be in the file: what was written in the project, and what was said in work of its kind. Not narrowed by
    the names in its query, which may be others' by now."""
    kinds = {*WRITING, *([WORK_KINDS[Kind(export.kind)]] if Kind(export.kind) in WORK_KINDS else [])}
    return Submission.objects.filter(
        assignment__campaign__project=export.project_id,
        assignment__campaign__kind__in=kinds,
        submitted_at__lte=_moment(export),
    )
