"""Submissions and judgments: what a labeler said. Append only."""

from django.db import models
from django.db.models import F, Q

from labeling.models.assignment import Assignment
from labeling.models.guideline import Guideline
from labeling.models.response import Response


class Submission(models.Model):
    """One submitted piece of work; a correction is the next number, and the assignment points to the current one.

    key: made by the client, so that a repeat of the same request answers with this submission.
    counted: within the task's overlap; a surplus submission is kept, credited and not counted.
    active_ms: milliseconds at work, idle time cut off; null where unknown (imports).
    """

    class Verdict(models.TextChoices):
        NONE_ACCEPTABLE = "none_acceptable"

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="submissions")
    number = models.PositiveSmallIntegerField()
    key = models.UUIDField()
    counted = models.BooleanField()
    verdict = models.CharField(max_length=20, choices=Verdict, blank=True)
    strength = models.PositiveSmallIntegerField(null=True, blank=True, help_text="0 to 2, for two responses only")
    note = models.TextField(blank=True)
    active_ms = models.PositiveBigIntegerField(null=True, blank=True)
    guideline = models.ForeignKey(Guideline, on_delete=models.PROTECT, related_name="submissions")
    submitted_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["assignment", "number"], name="submission_number_once"),
            models.UniqueConstraint(fields=["assignment", "key"], name="submission_key_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="submission_number_from_1"),
            models.CheckConstraint(condition=Q(strength__isnull=True) | Q(strength__lte=2), name="submission_strength"),
        ]
        indexes = [models.Index(fields=["submitted_at"])]

    def __str__(self) -> str:
        return f"submission {self.pk}"


class Judgment(models.Model):
    """What was said of one response.

    rank: 1 is best, dense, ties share a rank; null is "not ranked".
    ratings: {"overall": 5, …}, each 1 to 7. flags: {"hallucination": false, …}. What was not answered is absent, and
    absent is never counted as 0 or no.
    """

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="judgments")
    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="judgments")
    rank = models.PositiveSmallIntegerField(null=True, blank=True)
    ratings = models.JSONField(default=dict, blank=True)
    flags = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["submission", "response"], name="judgment_once"),
            models.CheckConstraint(condition=Q(rank__isnull=True) | Q(rank__gte=1), name="judgment_rank_from_1"),
            *(
                models.CheckConstraint(
                    # Absent passes: a comparison with NULL is not false.
                    condition=Q(**{f"ratings__{scale}__gte": 1, f"ratings__{scale}__lte": 7}),
                    name=f"judgment_{scale}_1_to_7",
                )
                for scale in ("overall", "appropriate", "helpful", "on_topic")
            ),
        ]
        ordering = [F("rank").asc(nulls_last=True), "pk"]

    def __str__(self) -> str:
        return f"judgment {self.pk}"
