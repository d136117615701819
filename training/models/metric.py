"""Metrics: what a stage wrote at each step."""

from django.db import models

from training.models.job import Job


class Metric(models.Model):
    """values: flat and finite, as in the run folder's metrics.jsonl. split: train, or valid."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="metrics")
    step = models.PositiveBigIntegerField()
    split = models.CharField(max_length=10, default="train")
    values = models.JSONField()

    class Meta:
        ordering = ["step"]
        # Held-out rows are few among very many: a curve finds them without reading the others.
        indexes = [models.Index(fields=["job", "step"], condition=~models.Q(split="train"), name="metric_held_out")]
        constraints = [models.UniqueConstraint(fields=["job", "step", "split"], name="metric_once")]

    def __str__(self) -> str:
        return f"{self.job} {self.split} {self.step}"
