"""Checkpoints: weights."""

from django.db import models

from labeling.models import Generator, Project


class Checkpoint(models.Model):
    """Released weights and where they came from.

    uri: folder of the model (below the runs directory where relative), or "hub:owner/name". sha256: the model's
    identity (of its sorted list of files), not of a folder name; empty until a worker has read the folder, and for a
    hub name. code: of the version that made it, as its accord.json has it: {"git", "dirty", "torch", "transformers"}.
    removed_at: the weights were deleted; the row stays, since what was made and measured with them does.
    """

    class Kind(models.TextChoices):
        BASE = "base"
        SFT = "sft", "SFT"
        REWARD = "reward"
        POLICY = "policy"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="checkpoints")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=120)
    uri = models.CharField(max_length=500)
    generator = models.ForeignKey(
        Generator, on_delete=models.PROTECT, null=True, blank=True, related_name="checkpoints"
    )
    parents = models.ManyToManyField("self", symmetrical=False, related_name="children", blank=True)
    job = models.OneToOneField(
        "training.Job", on_delete=models.PROTECT, null=True, blank=True, related_name="checkpoint"
    )
    sha256 = models.CharField(max_length=64, blank=True)
    metrics = models.JSONField(default=dict, blank=True)
    # The version before this one knows no such column, and goes on writing while it is replaced.
    code = models.JSONField(default=dict, blank=True, db_default=models.Value({}, models.JSONField()))
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="checkpoint_name_once")]

    def __str__(self) -> str:
        return self.name
