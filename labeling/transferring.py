"""Exports and imports that wait: claimed, run with a lease that is renewed, and ended; old files are deleted.

The row is the truth and a message only rings, as with jobs. A claim is a compare-and-set that raises attempt; whatever
an older attempt writes afterwards changes no row.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from labeling.kept_files import kept_in
from labeling.models import Export, Import, Transfer
from labeling.repeating import Repeated

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
LOOK_SECONDS = 1.0
MOST_ATTEMPTS = 3
KEPT = timedelta(days=14)
"""How long the file of an export can be fetched."""
UPLOADS_KEPT_SECONDS = 24 * 60 * 60
LOST = "Its worker was lost several times. Ask for less of it, or have a look at the worker's log."

Rows = type[Export] | type[Import]


def ring(transfer: Transfer) -> None:
    """Tells a worker once this is committed, where there is a broker; a lost ring costs half a minute."""
    if settings.REDIS_URL:
        transaction.on_commit(_ring_now)


def _ring_now() -> None:
    try:
        current_app.send_task("labeling.tasks.move_files", retry=False, expires=60)
    except OperationalError:
        log.warning("Redis did not take a message; a sweep looks again", exc_info=True)


def run_waiting() -> int:
    """Everything that waits, one after another; returns how many were taken up."""
    forget_old()
    taken = 0
    while run_next():
        taken += 1
    return taken


def run_next() -> bool:
    """Takes up the oldest export or import that waits; False where none does."""
    from labeling.exporting.making import make_export  # these begin where this module ends
    from labeling.importing_files import run_import

    transfer = _claim()
    if transfer is None:
        return False
    _run(transfer, make_export if isinstance(transfer, Export) else run_import)
    return True


def _claim() -> Export | Import | None:
    """The oldest of both kinds: neither waits until there is none of the other."""
    waiting = Q(state=Transfer.State.QUEUED) | Q(state=Transfer.State.RUNNING, lease_until__lt=Now())
    kinds: tuple[Rows, ...] = (Export, Import)
    found = [
        (created_at, pk, kind)
        for kind in kinds
        for created_at, pk in kind.objects.filter(waiting).order_by("created_at").values_list("created_at", "pk")[:10]
    ]
    for _, pk, kind in sorted(found, key=lambda one: one[:2]):
        taken = kind.objects.filter(waiting, pk=pk).update(
            state=kind.State.RUNNING, attempt=F("attempt") + 1, lease_until=_lease(), rows=0
        )
        if taken:
            return kind.objects.select_related("project").get(pk=pk)
    return None


def _lease() -> ExpressionWrapper:
    return ExpressionWrapper(Now() + LEASE, output_field=DateTimeField())


def _run(transfer: Any, run: Callable[[Any], None]) -> None:
    """A refusal of ours is said to whoever asked; anything else is in the log, and said to be there."""
    from labeling.errors import Refusal

    if transfer.attempt > MOST_ATTEMPTS:
        end(transfer, Transfer.State.FAILED, error=LOST)
        return
    try:
        with kept(transfer):
            run(transfer)
    except Refusal as refusal:
        end(transfer, Transfer.State.FAILED, error=refusal.message)
    except OSError as error:
        log.exception("%s could not use its file", transfer)
        end(transfer, Transfer.State.FAILED, error=f"The file could not be used: {error.strerror or 'an error'}.")
    except DatabaseError:
        raise
    except Exception:
        log.exception("%s failed", transfer)
        sentence = f"Something went wrong here; it is in the worker's log under {transfer.uuid}."
        end(transfer, Transfer.State.FAILED, error=sentence)


def end(transfer: Any, state: str, **changes: Any) -> bool:
    """Whether this attempt is still the one that counts; else nothing is changed."""
    mine = type(transfer).objects.filter(pk=transfer.pk, attempt=transfer.attempt, state=Transfer.State.RUNNING)
    return bool(mine.update(state=state, lease_until=None, finished_at=Now(), **changes))


@contextmanager
def kept(transfer: Any) -> Iterator[None]:
    """Renews the lease, and writes how far it is, from a thread with a connection of its own.

    Not where the transaction around it is somebody else's, as in a test: another connection would not see the row.
    """
    if connection.in_atomic_block:
        yield
        return
    mine = type(transfer).objects.filter(pk=transfer.pk, attempt=transfer.attempt, state=Transfer.State.RUNNING)

    def renew() -> None:
        mine.update(lease_until=_lease(), rows=transfer.rows)

    with Repeated(renew, every=LOOK_SECONDS, name=f"lease of {transfer}"):
        yield


def forget_old() -> int:
    """Deletes files that were kept for long enough, or hold what somebody took back; the rows stay and say what there
    was."""
    from labeling.exporting.recalling import recall_withdrawn

    old = Export.objects.filter(finished_at__lt=Now() - KEPT).exclude(path="")
    for export in old:
        if path := kept_in(Path(settings.EXPORTS_DIR), export.path):
            path.unlink(missing_ok=True)
        Export.objects.filter(pk=export.pk).update(path="")
    return len(old) + recall_withdrawn() + _forget_uploads()


def _forget_uploads() -> int:
    """Files that somebody gave to be looked into and never brought in, or whose import failed."""
    folder, forgotten = Path(settings.IMPORTS_DIR), 0
    limit = time.time() - UPLOADS_KEPT_SECONDS
    for path in folder.glob("*/*") if folder.is_dir() else ():
        read_by = Import.objects.filter(state__in=[Transfer.State.QUEUED, Transfer.State.RUNNING])
        named = read_by.filter(path=f"{path.parent.name}/{path.name}").exists()
        if not named and path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
            forgotten += 1
    return forgotten


def transfers() -> Repeated:
    """Runs what waits, beside whatever else the process does: on a machine with one worker a stage of hours holds no
    file up."""
    return Repeated(run_waiting, every=LOOK_SECONDS, name="transfers")
