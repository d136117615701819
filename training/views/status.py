"""The page of the site's state, for owners: what serves, what waits, what was not heard of, what to do about it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import ProjectRequest, project_page
from labeling.models import Role
from training import observing
from training.durations import duration
from training.models import Job, Recount

TENDED_WITHIN = timedelta(minutes=2)
"""Four turns (CELERY_BEAT_SCHEDULE)."""
FEW_BYTES = 5 << 30
"""Of disk: less does not hold the checkpoints of one stage."""


@dataclass(frozen=True)
class Line:
    """good: None where it cannot be told. remedy: what to do where it is not good."""

    what: str
    value: str
    good: bool | None = True
    remedy: str = ""


@never_cache
@require_safe
@project_page([Role.OWNER])
def status(request: ProjectRequest) -> HttpResponse:
    lines = list(lines_of_site())
    bad = [line for line in lines if line.good is False]
    return render(request, "projects/status.html", {"lines": lines, "bad": bad})


def lines_of_site() -> Iterator[Line]:
    yield _tending()
    up, waits = observing.workers_up(), observing.queue_waits()
    waiting = {queue: many for queue, state, many in observing.jobs_by_state() if state == Job.State.QUEUED}
    for queue in Job.Queue.values:
        wait = f", the oldest for {duration(waits[queue])}" if waiting[queue] else ""
        yield Line(
            f"Queue {queue}",
            f"{up[queue]} worker{'' if up[queue] == 1 else 's'}; {waiting[queue]} waiting{wait}",
            bool(up[queue]) or not waiting[queue],
            f"Start a worker: celery -A config.celery worker -Q {queue}, or manage.py work --queue {queue}.",
        )
    files, messages = observing.files_waiting(), observing.messages_waiting()
    yield Line("Exports and imports not done", str(files), True)
    if settings.REDIS_URL:
        yield Line(
            "Messages in Redis", str(sum(messages.values())) if messages else "Redis does not answer", bool(messages),
            "Start Redis, or mend REDIS_URL; nothing is lost meanwhile, and everything is slower.",
        )  # fmt: skip
    yield _counters()
    yield from _disks()


def _counters() -> Line:
    newest = Recount.objects.first()
    if newest is None:
        return Line("Counters", "not counted anew yet", None)
    says = f"{newest.drifted} drifted" if newest.drifted else "as counted"
    when = duration(observing.seconds_since(newest.made_at) or 0.0)
    return Line("Counters", f"{says}, {when} ago", not newest.drifted, "Look with manage.py recount; --mend mends.")


def _tending() -> Line:
    since = observing.seconds_since(observing.tended_at())
    if since is None:
        return Line("Rounds and leases tended", "not known", None if not settings.REDIS_URL else False, BEAT)
    return Line("Rounds and leases tended", f"{duration(since)} ago", since < TENDED_WITHIN.total_seconds(), BEAT)


BEAT = "Start the worker that tends, on one machine only: celery -A config.celery worker -B -Q tend."


def _disks() -> Iterator[Line]:
    for what, folder in (("Run folders", settings.RUNS_DIR), ("Snapshots", settings.SNAPSHOTS_DIR)):
        path = Path(folder)
        while not path.exists() and path != path.parent:
            path = path.parent
        free = shutil.disk_usage(path).free
        yield Line(
            f"Disk of {what.lower()}", f"{filesizeformat(free)} free", free > FEW_BYTES,
            "Free some: manage.py clean_runs, or the page Disk of a project.",
        )  # fmt: skip
