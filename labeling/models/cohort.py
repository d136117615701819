"""Cohorts: groups of labelers whose preferences are to be told apart."""

from django.db import models
from django.db.models import F, Q

from labeling.models.people import Labeler
from labeling.models.project import Project


class CohortQuerySet(models.QuerySet["Cohort"]):
    def by_hand(self) -> "CohortQuerySet":
        """Those that no rule fills: the ones whose members may be named."""
        return self.filter(rule={})

    def by_rule(self) -> "CohortQuerySet":
        """Those that a rule fills from background answers."""
        return self.exclude(rule={})


class Cohort(models.Model):
    """A culture, an age band, experts and laymen, a temperament: whatever a project wants to tell apart.

    rule: background answers that put somebody in, {"age": ["18 to 24"]}; empty: put in by hand. lasting: the rule asks
    for what does not change, so that what its people said before they answered is the cohort's too.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="cohorts")
    name = models.CharField(max_length=60)
    about = models.TextField(blank=True)
    rule = models.JSONField(default=dict, blank=True, db_default=models.Value({}, models.JSONField()))
    lasting = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CohortQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="cohort_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def by_rule(self) -> bool:
        """Filled from background answers. Who is in it would tell what they answered, so nothing names them."""
        return bool(self.rule)


class CohortMember(models.Model):
    """A labeler's time in a cohort; until is null while it lasts. Who comes back gets another row."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="members")
    labeler = models.ForeignKey(Labeler, on_delete=models.CASCADE, related_name="cohorts")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["cohort", "labeler", "since"]
        constraints = [
            models.UniqueConstraint(
                fields=["cohort", "labeler"], condition=Q(until__isnull=True), name="cohort_member_once"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("since")), name="cohort_member_until_after_since"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.labeler} in {self.cohort}"
