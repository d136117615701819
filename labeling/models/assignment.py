"""Assignments: one person's hold on one task."""

from uuid import uuid4

from django.db import models

from labeling.models.campaign import Campaign
from labeling.models.guideline import Guideline
from labeling.models.people import Labeler
from labeling.models.task import Task


class Assignment(models.Model):
    """A lease on a task, with the draft written under it.

    occurrence 0 took a slot of its task. Above 0 it stands beside the slot queue and counts for no overlap: gold, or a
    hidden repeat of a task that the same person submitted. guideline: under which it was handed out, and is submitted;
    null is the campaign's. warned_at: when they, told what the texts hold, asked to see them. submitted_at: of its
    first submission, so that what somebody did today is counted by an index. order: ids of the responses as this
    person saw them, left to right. lease_token changes when a lease that ran out is revived; a form that carries an
    old one is stale. draft_device: which browser the draft came from, by an id that it drew. skipped_until: null on a
    skipped assignment means for good.
    """

    class State(models.TextChoices):
        """live -> submitted | skipped | expired; expired and skipped may become live again as the same row."""

        LIVE = "live"
        SUBMITTED = "submitted"
        SKIPPED = "skipped"
        EXPIRED = "expired"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="assignments")
    # The task's campaign, repeated here so that the database can hold "one live lease per campaign".
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="assignments")
    labeler = models.ForeignKey(Labeler, on_delete=models.CASCADE, related_name="assignments")
    occurrence = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.LIVE)
    lease_token = models.UUIDField(default=uuid4)
    lease_until = models.DateTimeField(null=True, blank=True)
    skipped_until = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=500, blank=True)
    order = models.JSONField(default=list)
    draft = models.JSONField(default=dict, blank=True)
    draft_saved_at = models.DateTimeField(null=True, blank=True)
    draft_device = models.CharField(max_length=36, blank=True, default="", db_default="")
    opened_at = models.DateTimeField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    guideline = models.ForeignKey(Guideline, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    current_submission = models.ForeignKey(
        "labeling.Submission", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    texts: dict[int, str] | None = None
    """Of its responses, by their ids, where whoever handed it out had to look at them."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "labeler", "occurrence"], name="assignment_once"),
            models.UniqueConstraint(
                fields=["campaign", "labeler"], condition=models.Q(state="live"), name="assignment_one_live_a_campaign"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="live") | models.Q(lease_until__isnull=False),
                name="assignment_live_has_lease",
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=models.Q(state="live"), name="assignment_live_leases"),
            models.Index(fields=["labeler", "campaign", "state"]),
            models.Index(
                fields=["labeler", "submitted_at"],
                condition=models.Q(submitted_at__isnull=False),
                name="assignment_submitted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.labeler} on {self.task}"

    @property
    def worked_by(self) -> Guideline:
        """The guideline that its page shows and its submission names (queries, unless joined)."""
        return self.guideline or self.campaign.guideline

    @property
    def subject(self) -> str:
        """The last turn of its prompt; of prompt writing, of the prompt that was written (a query unless
        current_submission__prompts is prefetched)."""
        if self.task.prompt is not None:
            return self.task.prompt.last_turn
        written = self.current_submission.prompts.all() if self.current_submission else []
        return next((prompt.last_turn for prompt in written), "")
