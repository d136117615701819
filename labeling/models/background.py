"""Background: what labelers say of themselves, if they like, to tell whose preferences are in the data."""

from django.db import models

from labeling.models.people import Labeler
from labeling.models.project import Project


class BackgroundForm(models.Model):
    """What a project asks, and the words of consent. questions: [{"name": "age", "label": "Age", "choices": ["18-24",
    …]}, …]. reference: shares of a population to compare with, {"age": {"18 to 24": 0.12, …}}, and whose they are."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="background_form")
    questions = models.JSONField(default=list, blank=True)
    consent = models.TextField(blank=True)
    reference = models.JSONField(default=dict, blank=True)
    reference_source = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"background questions of {self.project}"


class Background(models.Model):
    """One labeler's answers, each optional, and the words they consented to. Shown to nobody but in counts of five and
    more. What is withdrawn is deleted: the answers, and the places in cohorts that followed from them."""

    labeler = models.OneToOneField(Labeler, on_delete=models.CASCADE, related_name="background")
    answers = models.JSONField(default=dict, blank=True)
    consent = models.TextField()
    consented_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"background of {self.labeler}"
