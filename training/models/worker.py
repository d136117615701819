"""Workers: processes that take jobs. A row says what one is, what it may take, and when it was last heard of."""

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now

HEARD_WITHIN = timedelta(seconds=45)
"""Three beats (workers.BEAT_SECONDS): of one that is silent for longer nobody knows whether it is up."""


class WorkerQuerySet(models.QuerySet["Worker"]):
    def up(self) -> "WorkerQuerySet":
        """Those heard of lately, by the database's clock."""
        return self.filter(left_at__isnull=True, heard_at__gt=Now() - HEARD_WITHIN)


class Worker(models.Model):
    """One process that claims jobs.

    name: host and process, as in Job.owner. queues: those it takes jobs of. gpus: [{"name", "memory_bytes"}].
    memory_bytes and disk_free_bytes: of its host; the disk is the one with the run folders. left_at: when it ended.
    """

    name = models.CharField(max_length=200, unique=True)
    queues = models.JSONField(default=list)
    cores = models.PositiveIntegerField(null=True, blank=True)
    memory_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    disk_free_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    gpus = models.JSONField(default=list, blank=True)
    version = models.CharField(max_length=80, blank=True)
    started_at = models.DateTimeField()
    heard_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    objects = models.Manager.from_queryset(WorkerQuerySet)()

    class Meta:
        ordering = ["-heard_at", "-pk"]

    def __str__(self) -> str:
        return self.name
