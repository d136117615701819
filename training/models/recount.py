"""Recounts: every counter that is kept beside what it counts, compared with it."""

from django.db import models


class Recount(models.Model):
    """One look at the whole site. drift: [{"what", "project", "id", "holds", "counted"}, …], the first ones; drifted:
    how many there are."""

    made_at = models.DateTimeField(auto_now_add=True)
    seconds = models.FloatField()
    drifted = models.PositiveIntegerField()
    drift = models.JSONField(default=list)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"recount {self.pk}"
