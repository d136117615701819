"""The page of workers: which are up, what they take, what they do, and which queue nobody takes from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count
from django.db.models.functions import Now
from django.http import HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.models import Project
from training.durations import duration
from training.models import Job, Worker
from training.models.worker import HEARD_WITHIN

SHOWN = 50


@dataclass(frozen=True)
class Line:
    """does: jobs of this project that it holds; elsewhere: how many of other projects, of which nothing is told."""

    worker: Worker
    up: bool
    heard: str
    machine: str
    does: list[Job]
    elsewhere: int


@dataclass(frozen=True)
class QueueLine:
    name: str
    workers: int
    waiting: int


@never_cache
@require_safe
@project_page(RESEARCHES)
def worker_list(request: ProjectRequest) -> HttpResponse:
    lines = lines_of(request.project)
    up = [line for line in lines if line.up]
    waiting = dict(
        Job.objects.filter(project=request.project, state=Job.State.QUEUED)
        .order_by().values_list("queue").annotate(many=Count("pk"))
    )  # fmt: skip
    queues = [
        QueueLine(name, sum(name in line.worker.queues for line in up), waiting.get(name, 0))
        for name in Job.Queue.values
    ]
    context = {
        "lines": lines,
        "up": len(up),
        "busy": sum(bool(line.does or line.elsewhere) for line in up),
        "queues": queues,
        "untaken": [queue for queue in queues if queue.waiting and not queue.workers],
    }
    return render(request, "jobs/workers.html", context)


def lines_of(project: Project) -> list[Line]:
    """Those that are up first; others as long as they are remembered. Three queries."""
    found = list(Worker.objects.annotate(clock=Now())[:SHOWN])
    held = Job.objects.filter(state=Job.State.RUNNING, owner__in=[one.name for one in found])
    held = held.select_related("stage__round").defer("config", "report")
    return sorted((_line(one, project, held) for one in found), key=lambda line: not line.up)


def _line(worker: Worker, project: Project, held: Iterable[Job]) -> Line:
    clock: datetime = worker.clock  # type: ignore[attr-defined]
    own = [job for job in held if job.owner == worker.name]
    silent = max(0.0, (clock - worker.heard_at).total_seconds())
    return Line(
        worker=worker,
        up=worker.left_at is None and silent < HEARD_WITHIN.total_seconds(),
        heard=f"{duration(silent)} ago",
        machine=machine_in_words(worker),
        does=[job for job in own if job.project_id == project.pk],
        elsewhere=sum(job.project_id != project.pk for job in own),
    )


def machine_in_words(worker: Worker) -> str:
    """ "2 cores, 23.5 GB of memory, 1 × NVIDIA H200 (139.0 GB), 40.2 GB of disk free"."""
    said = []
    if worker.cores:
        said.append(f"{worker.cores} core{'s' if worker.cores > 1 else ''}")
    if worker.memory_bytes:
        said.append(f"{filesizeformat(worker.memory_bytes)} of memory")
    for name in dict.fromkeys(gpu["name"] for gpu in worker.gpus):
        alike = [gpu for gpu in worker.gpus if gpu["name"] == name]
        said.append(f"{len(alike)} × {name} ({filesizeformat(alike[0]['memory_bytes'])})")
    if worker.disk_free_bytes is not None:
        said.append(f"{filesizeformat(worker.disk_free_bytes)} of disk free")
    return ", ".join(said)
