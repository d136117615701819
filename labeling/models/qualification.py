"""Qualifications: what somebody has to show before they are given real work."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from labeling.models.campaign import Campaign
from labeling.models.people import Labeler
from labeling.models.project import Project
from labeling.models.submission import Submission

SHARE = [MinValueValidator(0), MaxValueValidator(100)]


class Qualification(models.Model):
    """A set of screening campaigns, and where the cut-offs are; those of Ouyang et al. 2022, appendix B.1, by default.

    comparisons, flags: per cent of what gold is certain of. demonstrations: mean grade of 1 to 7. self_assessed: groups
    of people for whom somebody is asked whether they can judge; at least `groups_known` of them. tries: how often it
    may be tried, each time with campaigns of its own, retake_days apart. probation: submissions in real work at whose
    end gold decides once more.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="qualifications")
    name = models.CharField(max_length=120)
    comparisons = models.PositiveSmallIntegerField(default=75, validators=SHARE)
    flags = models.PositiveSmallIntegerField(default=75, validators=SHARE)
    demonstrations = models.FloatField(default=6.0, validators=[MinValueValidator(1), MaxValueValidator(7)])
    self_assessed = models.JSONField(default=list, blank=True)
    groups_known = models.PositiveSmallIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=2, validators=[MinValueValidator(1), MaxValueValidator(9)])
    retake_days = models.PositiveSmallIntegerField(default=7)
    probation = models.PositiveSmallIntegerField(default=50)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="qualification_name_once")]

    def __str__(self) -> str:
        return self.name


class Screening(models.Model):
    """A campaign of a qualification, one a kind of work and try. What is said in it is no data."""

    qualification = models.ForeignKey(Qualification, on_delete=models.CASCADE, related_name="screenings")
    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, related_name="screening_of")
    number = models.PositiveSmallIntegerField(default=1, help_text="of the try")

    class Meta:
        ordering = ["number", "pk"]

    def __str__(self) -> str:
        return f"try {self.number} of {self.qualification}"


class QualificationTry(models.Model):
    """What became of one labeler's try. scores: as they were when it was decided, {"comparisons": 0.81, …}; "probation"
    is among them once that was looked at."""

    class State(models.TextChoices):
        """open -> passed | failed; passed -> suspended, where probation ends badly. A person may decide otherwise."""

        OPEN = "open"
        PASSED = "passed"
        FAILED = "failed"
        SUSPENDED = "suspended"

    qualification = models.ForeignKey(Qualification, on_delete=models.CASCADE, related_name="attempts")
    labeler = models.ForeignKey(Labeler, on_delete=models.CASCADE, related_name="qualification_tries")
    number = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    scores = models.JSONField(default=dict, blank=True)
    knows = models.JSONField(null=True, blank=True, help_text="groups they say they can judge for; null: not asked yet")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    why = models.TextField(blank=True)
    began_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["qualification", "labeler", "number"], name="qualification_try_once")
        ]

    def __str__(self) -> str:
        return f"{self.labeler}: {self.state}"


class Grade(models.Model):
    """A reviewer's grade of a demonstration, 1 worst to 7 best."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="grades")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="grades"
    )
    grade = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(7)])
    remarks = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "reviewer"], name="grade_once_a_reviewer"),
            models.CheckConstraint(condition=models.Q(grade__gte=1, grade__lte=7), name="grade_1_to_7"),
        ]

    def __str__(self) -> str:
        return f"{self.grade}: {self.submission}"
