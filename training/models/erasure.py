"""Erasures: that somebody's words were taken out, and what they had been in. No word and no name stays here."""

from django.conf import settings
from django.db import models

from labeling.models import Labeler, Project
from training.models.checkpoint import Checkpoint
from training.models.snapshot import Snapshot


class Erasure(models.Model):
    """What was erased of one labeler. labeler: their tombstone. counts: of what was blanked, {"texts": 12, …}.
    snapshots: whose files held it. checkpoints: models that were made from these, and models made from those."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="erasures")
    labeler = models.ForeignKey(Labeler, on_delete=models.CASCADE, related_name="erasures")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    counts = models.JSONField(default=dict)
    snapshots = models.ManyToManyField(Snapshot, related_name="erasures", blank=True)
    checkpoints = models.ManyToManyField(Checkpoint, related_name="erasures", blank=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"erasure {self.pk}"
