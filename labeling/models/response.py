"""Responses, and whatever wrote those that no person wrote."""

from django.db import models
from django.db.models.fields.json import KeyTransform

from labeling.models.people import Labeler
from labeling.models.project import Project
from labeling.models.prompt import Prompt


class Generator(models.Model):
    """Whatever writes responses that no person wrote. Labelers never see its name."""

    class Kind(models.TextChoices):
        BASE = "base"
        SFT = "sft", "SFT"
        POLICY = "policy"
        EXTERNAL = "external"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="generators")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=Kind)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="generator_name_once")]

    def __str__(self) -> str:
        return self.name


class Response(models.Model):
    """A text in reply to a prompt, written by a generator or by a person.

    A person's text is a demonstration, unless it came in only to be judged (judged_only).
    """

    class ReviewState(models.TextChoices):
        """A demonstration is unreviewed until a reviewer accepts it or returns it to its author."""

        UNREVIEWED = "unreviewed"
        ACCEPTED = "accepted"
        RETURNED = "returned"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="responses")
    generator = models.ForeignKey(Generator, on_delete=models.PROTECT, null=True, blank=True, related_name="responses")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, null=True, blank=True, related_name="responses")
    text = models.TextField()
    sampling = models.JSONField(default=dict, blank=True, help_text="temperature, seed and the like")
    token_count = models.PositiveIntegerField(null=True, blank=True)
    finish_reason = models.CharField(max_length=10, blank=True, help_text="stop, length or empty where unknown")
    review_state = models.CharField(max_length=12, choices=ReviewState, default=ReviewState.UNREVIEWED)
    judged_only = models.BooleanField(
        default=False, help_text="a person's text that came in to be judged, not to be imitated"
    )
    external_id = models.CharField(max_length=200, blank=True)
    submission = models.ForeignKey(
        "labeling.Submission", on_delete=models.SET_NULL, null=True, blank=True, related_name="responses"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(generator__isnull=False, labeler__isnull=True)
                | models.Q(generator__isnull=True, labeler__isnull=False),
                name="response_by_a_generator_or_a_person",
            )
        ]
        indexes = [
            models.Index(fields=["prompt", "generator"]),
            # What one job wrote: a page of its samples, and the tasks that are made of them.
            models.Index(KeyTransform("job", "sampling"), name="response_of_job"),
        ]

    def __str__(self) -> str:
        return f"response {self.pk}"
