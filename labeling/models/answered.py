"""Answers that were given to requests with an idempotency key, so that a repeat is answered with the first."""

from django.db import models

from labeling.models.people import User
from labeling.models.project import Project


class AnsweredRequest(models.Model):
    """One writing request of the API. digest: of its method, address and body. status 0: it is being worked on.

    Kept for a day, see labeling.api.once.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="answered_requests")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="answered_requests")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user", "key"], name="answered_request_key_once")]

    def __str__(self) -> str:
        return f"answer to {self.key}"
