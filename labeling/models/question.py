"""Questions about guidelines: asked from a task, answered by reviewers."""

from django.conf import settings
from django.db import models

from labeling.models.assignment import Assignment
from labeling.models.guideline import Guideline
from labeling.models.people import Labeler
from labeling.models.project import Project


class Question(models.Model):
    """What a labeler could not tell from the guideline that they worked by.

    answered_at is null while it waits. example_in: the version of the guideline whose draft took it up as an example.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="questions")
    guideline = models.ForeignKey(Guideline, on_delete=models.CASCADE, related_name="questions")
    labeler = models.ForeignKey(Labeler, on_delete=models.CASCADE, related_name="questions")
    assignment = models.ForeignKey(
        Assignment, on_delete=models.SET_NULL, null=True, blank=True, related_name="questions"
    )
    text = models.TextField()
    asked_at = models.DateTimeField(auto_now_add=True)
    answer = models.TextField(blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="answers"
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    example_in = models.ForeignKey(Guideline, on_delete=models.SET_NULL, null=True, blank=True, related_name="examples")

    class Meta:
        ordering = ["asked_at", "pk"]
        indexes = [models.Index(fields=["project", "answered_at"], name="question_waiting")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(answered_at__isnull=True) | ~models.Q(answer=""), name="question_answered_says_what"
            )
        ]

    def __str__(self) -> str:
        return f"question {self.pk}"
