"""Plain pages of what machines do, to look things up: read only, since the console changes everything."""

from django.contrib import admin

from labeling.admin import ReadOnly
from training.models import Alarm, Checkpoint, Job, JobInput, Metric, Round, Snapshot, Stage, Worker


class StageInline(admin.TabularInline):
    model = Stage
    extra = 0


class JobInputInline(admin.TabularInline):
    model = JobInput
    extra = 0


@admin.register(Round)
class RoundAdmin(ReadOnly):
    list_display = ("__str__", "project", "state", "created_by", "created_at")
    list_filter = ("state",)
    list_select_related = ("project", "created_by")
    inlines = (StageInline,)


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("__str__", "project", "state", "queue", "attempt", "step", "owner", "created_at")
    list_filter = ("state", "kind", "queue")
    list_select_related = ("project",)
    inlines = (JobInputInline,)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnly):
    list_display = ("name", "project", "kind", "sha256", "created_at")
    list_filter = ("kind",)
    list_select_related = ("project",)
    search_fields = ("name", "sha256")


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnly):
    list_display = ("__str__", "project", "rows", "bytes", "sha256", "created_at")
    list_filter = ("kind",)
    list_select_related = ("project",)
    search_fields = ("sha256",)
    exclude = ("submissions",)  # there may be very many


@admin.register(Metric)
class MetricAdmin(ReadOnly):
    list_display = ("job", "step", "split")
    list_select_related = ("job",)


@admin.register(Alarm)
class AlarmAdmin(ReadOnly):
    list_display = ("kind", "job", "step", "raised_at", "seen_at")
    list_filter = ("kind",)
    list_select_related = ("job",)


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    list_display = ("name", "queues", "started_at", "heard_at", "left_at")
