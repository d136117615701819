"""Campaigns: a body of work of one kind, given out under one guideline."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from labeling.models.cohort import Cohort
from labeling.models.guideline import Guideline, WorkKind
from labeling.models.project import Project

REQUIRABLE = ("ratings", "flags", "ranks")
MOST_EXTRA = 3
MOST_BESIDE = 25
"""Per cent of what a labeler is handed that may be gold, and that may be hidden repeats."""


class Campaign(models.Model):
    """A body of work of one kind.

    required: which of ratings, flags and ranks must be complete for every response before a submission counts.
    cohort: only its members are given the work; null is everybody. pilot_tasks: while set, only so many tasks are
    handed out, the first ones by position, to see how the work goes before it is given to all. quota: how many prompts
    are wanted, for prompt writing only (a task is made as each is claimed); per_labeler: at most so many of them by
    one person. blind: part of an evaluation; it is given to nobody whose role shows which model wrote what (rating
    campaigns are kept so whether it is set or not). gold_rate, repeat_rate: of a hundred tasks that a labeler is handed
    so many are gold, or their own again; they stand beside the slot queue and count for no overlap. extra: labelers
    beyond the overlap, at most, that a task is given to where those before disagree. requires: handed only to those who
    passed it.
    """

    class State(models.TextChoices):
        """draft -> open <-> paused -> closed. Work is handed out while open only; closed is the end."""

        DRAFT = "draft"
        OPEN = "open"
        PAUSED = "paused"
        CLOSED = "closed"

    class SkipPolicy(models.TextChoices):
        """Who meets a skipped task next: others only, the same labeler again after a while too, or nobody until
        somebody has looked at it."""

        TO_OTHERS = "to_others"
        BACK_LATER = "back_later"
        WITHDRAW = "withdraw"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=WorkKind)
    guideline = models.ForeignKey(Guideline, on_delete=models.PROTECT, related_name="campaigns")
    overlap = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(100)])
    required = models.JSONField(default=list, blank=True)
    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, null=True, blank=True, related_name="campaigns")
    pilot_tasks = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    quota = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    per_labeler = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    lease_minutes = models.PositiveIntegerField(default=30, validators=[MinValueValidator(1)])
    skip_policy = models.CharField(max_length=12, choices=SkipPolicy, default=SkipPolicy.TO_OTHERS)
    correction_minutes = models.PositiveIntegerField(
        default=60, help_text="how long a submission can be corrected by its labeler"
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    imported = models.BooleanField(default=False, help_text="holds judgments that came from a file; never handed out")
    blind = models.BooleanField(
        default=False,
        db_default=False,
        help_text="judges models: given to nobody whose role shows which model wrote what",
    )
    gold_rate = models.PositiveSmallIntegerField(default=0, db_default=0, validators=[MaxValueValidator(MOST_BESIDE)])
    repeat_rate = models.PositiveSmallIntegerField(default=0, db_default=0, validators=[MaxValueValidator(MOST_BESIDE)])
    completed_at = models.DateTimeField(
        null=True, blank=True, help_text="when all its work was done, which is announced once"
    )
    extra = models.PositiveSmallIntegerField(default=0, db_default=0, validators=[MaxValueValidator(MOST_EXTRA)])
    requires = models.ForeignKey(
        "labeling.Qualification", on_delete=models.PROTECT, null=True, blank=True, related_name="campaigns"
    )
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
            models.CheckConstraint(
                condition=models.Q(kind="prompt") | models.Q(quota__isnull=True, per_labeler__isnull=True),
                name="campaign_quota_for_prompts_only",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kept_by_rule(self) -> bool:
        """Whether it is kept for a cohort that a rule fills from background answers: who worked in it told what they
        answered, so nothing names them beside it (a query where the cohort is not at hand)."""
        return self.cohort is not None and self.cohort.by_rule

    @property
    def is_screening(self) -> bool:
        """Whether its tasks are there to qualify by (a query where it requires a qualification)."""
        return self.requires_id is not None and hasattr(self, "screening_of")

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
        if self.cohort is not None and self.cohort.project_id != self.project_id:
            raise ValidationError({"cohort": "This cohort belongs to another project."})
        if self.kind != WorkKind.PROMPT and (self.quota is not None or self.per_labeler is not None):
            raise ValidationError({"quota": "A quota and a limit per labeler are for campaigns of prompt writing."})
