"""How the site is, in figures read from the database and Redis at this moment: for Prometheus and the page of status.

Figures of the whole site; no names of projects or people, no words.
"""

import logging
from collections.abc import Iterator
from datetime import datetime

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError
from django.db.models import Count, Min
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from labeling.models import Assignment, Delivery, Export, Import
from training.models import Alarm, Job, Recount, Worker

log = logging.getLogger(__name__)

TENDED_AT = "accord-tended-at"
"""In the cache: when rounds and leases were tended last."""
CELERY_QUEUES = (*Job.Queue.values, "tend", "files", "webhooks")


def note_tended() -> None:
    """What tends says that it did. Kept by Redis; without Redis it is this process's own."""
    cache.set(TENDED_AT, timezone.now(), timeout=None)


def tended_at() -> datetime | None:
    found: datetime | None = cache.get(TENDED_AT)
    return found


def seconds_since(moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (timezone.now() - moment).total_seconds())


def jobs_by_state() -> list[tuple[str, str, int]]:
    """Queue, state, how many; every pair, so that a figure that falls to 0 is told."""
    found = {
        (queue, state): many
        for queue, state, many in Job.objects.order_by().values_list("queue", "state").annotate(many=Count("pk"))
    }
    return [(q, s, found.get((q, s), 0)) for q in Job.Queue.values for s in Job.State.values]


def queue_waits() -> dict[str, float]:
    """Seconds that the oldest queued job of each queue waits; 0 where none does."""
    oldest = dict(
        Job.objects.filter(state=Job.State.QUEUED).order_by().values_list("queue").annotate(oldest=Min("created_at"))
    )
    return {name: seconds_since(oldest.get(name)) or 0.0 for name in Job.Queue.values}


def workers_up() -> dict[str, int]:
    """How many of them take from each queue of jobs."""
    queues = list(Worker.objects.up().values_list("queues", flat=True))
    return {name: sum(name in taken for taken in queues) for name in Job.Queue.values}


def messages_waiting() -> dict[str, int]:
    """In Redis, by queue of Celery; empty where there is no Redis, or it does not answer."""
    if not settings.REDIS_URL:
        return {}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as broker:
            return {name: int(broker.llen(name)) for name in CELERY_QUEUES}
    except redis.RedisError:
        return {}


def files_waiting() -> int:
    """Exports and imports that are asked for and not done."""
    waiting = ("queued", "running")
    return Export.objects.filter(state__in=waiting).count() + Import.objects.filter(state__in=waiting).count()


class Observed(Collector):
    """Eleven queries, each by an index or over few rows. A database that does not answer is a figure like any other."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found: list[GaugeMetricFamily] = []
        try:
            found = list(self._read())
        except DatabaseError as error:
            log.warning("the database does not answer: %s", error)
        yield GaugeMetricFamily("accord_database_up", "Whether the database answers.", value=float(bool(found)))
        yield from found

    def _read(self) -> Iterator[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("accord_jobs", "Jobs of training.", labels=["queue", "state"])
        for queue, state, many in jobs_by_state():
            jobs.add_metric([queue, state], many)
        yield jobs
        yield _by_queue("accord_queue_wait_seconds", "How long the oldest queued job waits.", queue_waits())
        yield _by_queue("accord_workers_up", "Workers that take from the queue.", workers_up())
        yield _by_queue("accord_messages_waiting", "Messages of Celery in Redis.", messages_waiting())
        yield self._heartbeats()
        tended = seconds_since(tended_at())
        if tended is not None:
            yield GaugeMetricFamily("accord_tended_seconds", "Since rounds and leases were tended.", value=tended)
        newest = Recount.objects.first()
        if newest is not None:
            since = seconds_since(newest.made_at) or 0.0
            yield GaugeMetricFamily("accord_recounted_seconds", "Since counters were counted anew.", value=since)
            yield GaugeMetricFamily("accord_drifted", "Counters that drifted by then.", value=newest.drifted)
        for name, says, value in (
            ("accord_leases_live", "Tasks in somebody's hand.", Assignment.objects.filter(state="live").count()),
            ("accord_files_waiting", "Exports and imports that are not done.", files_waiting()),
            ("accord_webhooks_waiting", "Messages that have not arrived.",
             Delivery.objects.filter(state=Delivery.State.WAITING).count()),
            ("accord_alarms_unseen", "Alarms that nobody has seen.", Alarm.objects.filter(seen_at=None).count()),
        ):  # fmt: skip
            yield GaugeMetricFamily(name, says, value=value)

    def _heartbeats(self) -> GaugeMetricFamily:
        beats = GaugeMetricFamily("accord_worker_heard_seconds", "Since a worker was heard of.", labels=["worker"])
        for worker in Worker.objects.filter(left_at=None).annotate(clock=Now()):
            beats.add_metric([worker.name], max(0.0, (worker.clock - worker.heard_at).total_seconds()))
        return beats


def _by_queue(name: str, says: str, values: dict[str, float] | dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, says, labels=["queue"])
    for queue, value in values.items():
        family.add_metric([queue], value)
    return family
