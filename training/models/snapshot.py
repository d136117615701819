"""Snapshots: records frozen into a file with a hash. Jobs never read live tables."""

from django.db import models

from labeling.models import Project, Submission


class Snapshot(models.Model):
    """The frozen data of a job.

    query: what was asked (kind, split, campaigns, …). uri: file name below the snapshots directory. sha256 is of the
    file's bytes. first_sha256: of the bytes that jobs read, where words were erased from the file since; else empty.
    report: how many records were left out, and why.
    """

    class Kind(models.TextChoices):
        TEXT = "text"
        PROMPTS = "prompts"
        DEMONSTRATIONS = "demonstrations"
        RANKINGS = "rankings"
        RATINGS = "ratings"
        RESPONSES = "responses"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="snapshots")
    kind = models.CharField(max_length=20, choices=Kind)
    query = models.JSONField(default=dict)
    rows = models.PositiveBigIntegerField()
    bytes = models.PositiveBigIntegerField()
    uri = models.CharField(max_length=300)
    sha256 = models.CharField(max_length=64)
    first_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="")
    report = models.JSONField(default=dict, blank=True)
    submissions = models.ManyToManyField(Submission, related_name="snapshots", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "sha256"])]

    def __str__(self) -> str:
        return f"{self.kind} snapshot {self.pk}"
