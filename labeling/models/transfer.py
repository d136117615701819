"""Exports that were prepared and imports that were asked for: work on files that takes longer than a page may."""

from uuid import uuid4

from django.conf import settings
from django.db import models

from labeling.models.project import Project


class Transfer(models.Model):
    """What both have in common.

    attempt is the fencing token: it grows with every claim, and what an older attempt writes changes nothing. error: a
    sentence for whoever asked. query: what was asked for, names and values as they were given.
    """

    class State(models.TextChoices):
        """queued -> running -> done | failed; running -> queued by itself where its worker is lost."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    query = models.JSONField(default=dict)
    attempt = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    rows = models.PositiveBigIntegerField(default=0, help_text="written or read so far")
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.uuid}"

    @property
    def ended(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED)


class Export(Transfer):
    """Records in a file, frozen at one moment.

    kind: of labeling.records.Kind. path: below settings.EXPORTS_DIR, empty until it is done and after it was deleted.
    datasheet: what labeling.exporting.datasheet says of it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="exports")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="exports"
    )
    kind = models.CharField(max_length=20)
    path = models.CharField(max_length=200, blank=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    as_of = models.DateTimeField(null=True, blank=True)
    datasheet = models.JSONField(default=dict, blank=True)


class Import(Transfer):
    """A file that is to be brought in.

    source: what its lines are, of labeling.foreign.sources. name: what the imported work is called after. path: below
    settings.IMPORTS_DIR, empty once the file was deleted. report: what became of it, line by line where refused.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="imports"
    )
    source = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    file_name = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=2000, blank=True, help_text="where the worker fetches the file from")
    path = models.CharField(max_length=200, blank=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    skip_bad = models.BooleanField(default=False)
    report = models.JSONField(default=dict, blank=True)
