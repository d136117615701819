"""Guidelines: what labelers are asked to do, in versions. A published version never changes."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy

from labeling.models.people import Labeler
from labeling.models.project import Project


class WorkKind(models.TextChoices):
    """The kinds of work that people do."""

    PROMPT = "prompt", gettext_lazy("Prompt")
    DEMONSTRATION = "demonstration", gettext_lazy("Demonstration")
    RANKING = "ranking", gettext_lazy("Ranking")
    RATING = "rating", gettext_lazy("Rating")


class Guideline(models.Model):
    """One version of the rules for one kind of work.

    flags: [{"name": "hallucination", "label": "Hallucination", "letter": "h"}, …], yes-or-no questions to a response.
    scales: [{"name": "overall", "label": "Overall", "low": "worst", "high": "best"}, …], each answered 1 to 7;
    a scale may have words for its steps: "steps": {"4": "half of it helps", …}.
    read_from: labelers must have read this version, or a later one, before they take a task under this guideline; 0 is
    none. A version that changes what is right (a major one) is its own; any other takes over that of the one before.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="guidelines")
    kind = models.CharField(max_length=20, choices=WorkKind)
    version = models.PositiveIntegerField()
    body = models.TextField(help_text="markdown")
    flags = models.JSONField(default=list, blank=True)
    scales = models.JSONField(default=list, blank=True)
    changes = models.TextField(
        blank=True, default="", db_default="", help_text="what is new in this version, for those who know the last one"
    )
    published_at = models.DateTimeField(null=True, blank=True)
    read_from = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["kind", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "version"], name="guideline_version_once"),
            models.CheckConstraint(condition=models.Q(version__gte=1), name="guideline_version_from_1"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} guideline, version {self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ValidationError where a published version would change (one query)."""
        if self.pk and Guideline.objects.filter(pk=self.pk, published_at__isnull=False).exists():
            raise ValidationError(f"The {self} is published and never changes; write version {self.version + 1}.")
        super().save(*args, **kwargs)

    @property
    def flag_names(self) -> list[str]:
        return [flag["name"] for flag in self.flags]

    @property
    def scale_names(self) -> list[str]:
        return [scale["name"] for scale in self.scales]


class GuidelineRead(models.Model):
    """A labeler says that they have read a version."""

    labeler = models.ForeignKey(Labeler, on_delete=models.CASCADE, related_name="guidelines_read")
    guideline = models.ForeignKey(Guideline, on_delete=models.CASCADE, related_name="read_by")
    read_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["labeler", "guideline"], name="guideline_read_once")]

    def __str__(self) -> str:
        return f"{self.labeler} read {self.guideline}"
