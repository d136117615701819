"""Prepared exports: a file frozen at one moment, with its sha256 and number of rows, that can be fetched in parts."""

import hashlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from labeling.audit.recording import record
from labeling.exporting.asked import Asked, CannotExport, read_asked, shape_of, stem_of
from labeling.exporting.streaming import Stream
from labeling.kept_files import kept_in
from labeling.models import AuditKind, Export, Project, User
from labeling.records import Kind
from labeling.transferring import end, ring

MOST_WAITING = 5
"""Of one project: whoever asks for more at once waits until some are done."""


class TooMany(CannotExport):
    """More exports are asked for than are prepared at once."""

    code = "too_many"
    status = 429


def prepare(project: Project, kind: Kind, query: Mapping[str, str], *, by: User | None) -> Export:
    """Queues an export. Raises CannotExport, TooMany."""
    asked = read_asked(project, kind, query)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        waiting = Export.objects.filter(project=project, state__in=[Export.State.QUEUED, Export.State.RUNNING])
        if waiting.count() >= MOST_WAITING:
            raise TooMany(f"{MOST_WAITING} exports of this project are being prepared; wait until one is done.")
        export = Export.objects.create(project=project, kind=kind, query=dict(asked.query), created_by=by)
        _note(export, "prepared")
        ring(export)
    return export


def note_fetched(export: Export) -> None:
    """Into the audit log: who fetches a file in parts is written down once a part."""
    _note(export, "fetched")


def _note(export: Export, act: str) -> None:
    facts = {"act": act, "records": str(export.kind), "export": str(export.uuid)}
    record(AuditKind.EXPORT, project=export.project_id, facts=facts)


def asked_of(export: Export) -> Asked:
    """Raises CannotExport where what it names is gone since."""
    return read_asked(export.project, Kind(export.kind), export.query)


def make_export(export: Export) -> None:
    """Writes the file through a temporary one, and says on the row what it holds."""
    asked = asked_of(export)
    folder = Path(settings.EXPORTS_DIR) / str(export.project_id)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{export.uuid.hex}-{export.attempt}{asked.format.ending}"
    temporary = folder / f"tmp-{name}"
    stream = Stream(asked, described=True)
    digest, size = hashlib.sha256(), 0
    try:
        with temporary.open("wb") as file:
            for data in stream:
                file.write(data)
                digest.update(data)
                size += len(data)
                export.rows = stream.rows
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    done = end(
        export,
        Export.State.DONE,
        path=f"{export.project_id}/{name}",
        size_bytes=size,
        rows=stream.rows,
        sha256=digest.hexdigest(),
        as_of=datetime.fromisoformat(stream.as_of),
        datasheet=stream.datasheet,
    )
    if not done:
        (folder / name).unlink(missing_ok=True)


def file_of(export: Export) -> Path | None:
    """The file, where it is done and still there."""
    path = kept_in(Path(settings.EXPORTS_DIR), export.path)
    return path if path is not None and path.is_file() else None


def name_and_type_of(export: Export) -> tuple[str, str]:
    """The file's name as whoever fetches it meets it, with the day, for there may be many of a kind; its media type."""
    kind = Kind(export.kind)
    layout, chosen = shape_of(kind, export.query)
    day = export.as_of.strftime("%Y-%m-%d") if export.as_of else "unfinished"
    return f"{stem_of(export.project, kind, layout)}-{day}{chosen.ending}", chosen.media_type
