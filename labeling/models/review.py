"""Reviews: what a reviewer said of a submission. They add to it and never change it."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy

from labeling.models.submission import Submission


class Review(models.Model):
    """Of one submitted demonstration or prompt; the newest decides. remarks are for the author to read."""

    class State(models.TextChoices):
        ACCEPTED = "accepted", gettext_lazy("Accepted")
        RETURNED = "returned", gettext_lazy("Returned")

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="reviews"
    )
    state = models.CharField(max_length=10, choices=State)
    remarks = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="returned") | ~models.Q(remarks=""), name="review_returned_says_why"
            )
        ]

    def __str__(self) -> str:
        return f"{self.state}: {self.submission}"
