"""Alarms: what went wrong with a job or a stage, or is about to, and somebody should look at."""

from django.conf import settings
from django.db import models

from training.models.job import Job
from training.models.round import Stage


class Alarm(models.Model):
    """Raised once for a job, a kind and an attempt; announced then, and shown on the page of the round until seen.

    stage: instead of a job, where none could be made: it did not start by itself. attempt: 0 where it is of the job as
    a whole, whichever attempt met it. step: where it was noticed first. message: one sentence with the values.
    seen_at: a researcher has read it, or it was taken back.
    """

    class Kind(models.TextChoices):
        KL = "kl", "KL out of range"
        SCORES_PART = "scores_part", "Score up, second reward model down"
        LENGTH = "length", "Length drifts"
        NOT_FINITE = "not_finite", "Not finite"
        STALLED = "stalled", "No step for long"
        WORKER_GONE = "worker_gone", "Worker gone"
        FAILED = "failed", "Stage failed"
        REFUSED = "refused", "Stage not started"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, null=True, blank=True, related_name="alarms")
    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, null=True, blank=True, related_name="alarms")
    kind = models.CharField(max_length=20, choices=Kind)
    attempt = models.PositiveIntegerField(default=0)
    step = models.PositiveBigIntegerField(default=0)
    message = models.TextField()
    raised_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="alarms_seen"
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["job", "kind", "attempt"], name="alarm_once"),
            models.CheckConstraint(
                condition=models.Q(job__isnull=False, stage__isnull=True)
                | models.Q(job__isnull=True, stage__isnull=False),
                name="alarm_of_job_or_stage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.job or self.stage}"

    @property
    def of_stage(self) -> Stage | None:
        """The stage that it is of, or that its job is of."""
        return self.stage if self.job is None else self.job.stage
