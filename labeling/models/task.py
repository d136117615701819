"""Tasks: one prompt, and for judging its responses, to be done by so many people."""

import secrets

from django.db import models

from labeling.models.campaign import Campaign
from labeling.models.people import Labeler
from labeling.models.prompt import Prompt
from labeling.models.response import Response


def drawn_seed() -> int:
    return secrets.randbits(62)


class Task(models.Model):
    """One piece of work.

    open_slots is overlap minus live leases minus counted submissions: the claim takes one, expiry and skip give it
    back. position sorts the campaign's work (priority goes into it). returned marks a task whose slot came back: it is
    looked for before new ones, so that tasks are completed one after another. room: slots that this task was given
    beyond its campaign's overlap; it keeps them when that changes. aside: why it is out of the queue, where it has no
    open slots whatever its overlap was. content: what its texts may hold, kinds of Content as bits.
    """

    class Aside(models.TextChoices):
        """gold: handed out beside the queue. withdrawn: somebody skipped it where that takes it from everybody."""

        GOLD = "gold"
        WITHDRAWN = "withdrawn"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="tasks")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, null=True, blank=True, related_name="tasks")
    responses = models.ManyToManyField(Response, through="TaskResponse", related_name="tasks")
    overlap = models.PositiveSmallIntegerField()
    open_slots = models.PositiveSmallIntegerField()
    room = models.PositiveSmallIntegerField(default=0, db_default=0)
    position = models.BigIntegerField()
    returned = models.BooleanField(default=False)
    aside = models.CharField(max_length=10, choices=Aside, blank=True, default="", db_default="")
    content = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "position"], name="task_position_once"),
            models.CheckConstraint(
                condition=models.Q(open_slots__gte=0) & models.Q(open_slots__lte=models.F("overlap")),
                name="task_open_slots_within_overlap",
            ),
        ]
        indexes = [
            models.Index(fields=["campaign", "position"], condition=models.Q(open_slots__gt=0), name="task_open"),
            models.Index(
                fields=["campaign", "position"],
                condition=models.Q(returned=True, open_slots__gt=0),
                name="task_returned",
            ),
            models.Index(fields=["campaign", "aside"], condition=~models.Q(aside=""), name="task_aside"),
        ]

    def __str__(self) -> str:
        return f"task {self.pk}"


class TaskResponse(models.Model):
    """A response that a task shows. place is the order of storage, not the order shown (that is the assignment's)."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="shown")
    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="shown_in")
    place = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(fields=["task", "response"], name="task_response_once"),
            models.UniqueConstraint(fields=["task", "place"], name="task_place_once"),
        ]

    def __str__(self) -> str:
        return f"{self.response} in {self.task}"


class ClaimCursor(models.Model):
    """How far a labeler has come in a campaign. Locked first by every claim, it serialises a double click.

    nothing_until: until then a claim looks at returned tasks only, or the search once round costs each time. handed:
    how many tasks were handed out, gold and repeats among them. seed: draws when these come; nobody can work it out.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="cursors")
    labeler = models.ForeignKey(Labeler, on_delete=models.CASCADE, related_name="cursors")
    position = models.BigIntegerField(default=-1)
    nothing_until = models.DateTimeField(null=True, blank=True)
    handed = models.PositiveIntegerField(default=0, db_default=0)
    seed = models.BigIntegerField(default=drawn_seed, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "labeler"], name="cursor_once")]

    def __str__(self) -> str:
        return f"{self.labeler} in {self.campaign} at {self.position}"
