"""Campaigns: a body of work of one kind, given out under one guideline."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from labeling.models.guideline import Guideline, WorkKind
from labeling.models.project import Project

REQUIRABLE = ("ratings", "flags", "ranks")


class Campaign(models.Model):
    """required: which of ratings, flags and ranks must be complete for every response before a submission counts."""

    class State(models.TextChoices):
        """draft -> open <-> paused -> closed. Work is handed out while open only; closed is the end."""

        DRAFT = "draft"
        OPEN = "open"
        PAUSED = "paused"
        CLOSED = "closed"

    class SkipPolicy(models.TextChoices):
        """Who meets a skipped task next: others only, or the same labeler again after a while too."""

        TO_OTHERS = "to_others"
        BACK_LATER = "back_later"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=WorkKind)
    guideline = models.ForeignKey(Guideline, on_delete=models.PROTECT, related_name="campaigns")
    overlap = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(100)])
    required = models.JSONField(default=list, blank=True)
    lease_minutes = models.PositiveIntegerField(default=30, validators=[MinValueValidator(1)])
    skip_policy = models.CharField(max_length=12, choices=SkipPolicy, default=SkipPolicy.TO_OTHERS)
    correction_minutes = models.PositiveIntegerField(
        default=60, help_text="how long a submission can be corrected by its labeler"
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    imported = models.BooleanField(default=False, help_text="holds judgments that came from a file; never handed out")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="campaign_name_once"),
            models.CheckConstraint(condition=models.Q(overlap__gte=1), name="campaign_overlap_from_1"),
            models.CheckConstraint(condition=models.Q(lease_minutes__gte=1), name="campaign_lease_from_1"),
            models.CheckConstraint(
                condition=~models.Q(imported=True, state="open"), name="campaign_imported_is_not_handed_out"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        unknown = [name for name in self.required if name not in REQUIRABLE]
        if unknown:
            raise ValidationError({"required": f"{unknown[0]!r} is not one of {', '.join(REQUIRABLE)}."})
        if self.guideline_id and self.guideline.kind != self.kind:
            raise ValidationError(
                {"guideline": f"This guideline is for {self.guideline.kind} work; the campaign is {self.kind} work."}
            )
        if self.guideline_id and self.guideline.project_id != self.project_id:
            raise ValidationError({"guideline": "This guideline belongs to another project."})
