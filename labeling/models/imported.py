"""What has been imported: so that the same file can be given twice and nothing is written twice."""

from django.db import models

from labeling.models.project import Project
from labeling.models.prompt import Prompt
from labeling.models.response import Response
from labeling.models.task import Task

UNCOMPARED = ""
"""The digest of a prompt's id that came by itself, with a line of the API: a file may say more of the same prompt."""


class ImportedRecord(models.Model):
    """A record taken from a file, by its own id, and the row it became.

    kind: of labeling.records.Kind. digest: sha256 of the record in its written form, so that the same id with other
    content is noticed, or UNCOMPARED. prompt is set for a prompt, response for a demonstration, task for everything
    judged or to be judged; where the row is deleted, the record goes with it and can be imported again.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imported_records")
    kind = models.CharField(max_length=20)
    external_id = models.CharField(max_length=400)
    digest = models.CharField(max_length=64)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, null=True, blank=True, related_name="imported_as")
    response = models.ForeignKey(Response, on_delete=models.CASCADE, null=True, blank=True, related_name="imported_as")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, null=True, blank=True, related_name="imported_as")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "external_id"], name="imported_record_once"),
            models.CheckConstraint(
                condition=models.Q(kind="prompt", prompt__isnull=False, response__isnull=True, task__isnull=True)
                | models.Q(kind="demonstration", prompt__isnull=True, response__isnull=False, task__isnull=True)
                | models.Q(
                    kind__in=["candidates", "ranking", "comparison", "rating"],
                    prompt__isnull=True,
                    response__isnull=True,
                    task__isnull=False,
                ),
                name="imported_record_became_one_row",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"
