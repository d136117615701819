"""Adjudications: what a reviewer decided where labelers disagree. It stands beside what they said."""

from django.conf import settings
from django.db import models

from labeling.models.submission import Submission
from labeling.models.task import Task


class Adjudication(models.Model):
    """submission: the decision, a submission like any other that counts for no overlap and takes nobody's place. A task
    may be adjudicated again; the newest decides."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="adjudications")
    submission = models.OneToOneField(Submission, on_delete=models.CASCADE, related_name="adjudication")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="adjudications"
    )
    why = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"adjudication of {self.task}"
