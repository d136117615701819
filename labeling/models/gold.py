"""Gold: what reviewers say about a task, to see how labelers judge it."""

from django.conf import settings
from django.db import models

from labeling.models.task import Task


class GoldAnswer(models.Model):
    """What is certain of a task's responses: an order of some, ratings, flags. What it leaves open is not known.

    Its task is out of the slot queue: it is handed out beside it, now and then, to everybody.
    above: [[better, worse], …], ids of responses; a partial order without a circle. judged: by id of the response, as
    text: {"17": {"ratings": {"overall": 6}, "flags": {"hallucination": true}}}. why: the reason, for other reviewers.
    retired_at: since then it is handed to nobody any more.
    """

    task = models.OneToOneField(Task, on_delete=models.CASCADE, related_name="gold")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="gold_answers"
    )
    above = models.JSONField(default=list, blank=True)
    judged = models.JSONField(default=dict, blank=True)
    why = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"gold answer to {self.task}"
