"""Rounds: the stages that lead from demonstrations to a policy, once."""

from django.conf import settings
from django.db import models

from labeling.models import Campaign, Project


class Round(models.Model):
    """recipe: the values each stage starts from, {"sft": {…}, "reward": {…}, …}."""

    class State(models.TextChoices):
        """open while any stage may still run; closed by a researcher."""

        OPEN = "open"
        CLOSED = "closed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    recipe = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="rounds"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="round_number_once"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="round_number_from_1"),
        ]

    def __str__(self) -> str:
        return f"round {self.number}"


class Stage(models.Model):
    """One step of a round. waits_for: kinds of stage of the same round that must be done first."""

    class Kind(models.TextChoices):
        PRETRAIN = "pretrain", "Base model"
        SFT = "sft", "SFT"
        SAMPLE = "sample", "Sample"
        RANK = "rank", "Rank"
        REWARD = "reward", "Reward model"
        PPO = "ppo", "PPO"
        DPO = "dpo", "DPO"
        EVALUATE = "evaluate", "Evaluate"

    class State(models.TextChoices):
        """waiting -> ready -> running -> done | failed | cancelled; a new job takes the last two back to running."""

        WAITING = "waiting"
        READY = "ready"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="stages")
    kind = models.CharField(max_length=12, choices=Kind)
    place = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    waits_for = models.JSONField(default=list, blank=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.SET_NULL, null=True, blank=True, related_name="stages")
    job = models.ForeignKey("training.Job", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(fields=["round", "kind"], name="stage_kind_once"),
            models.UniqueConstraint(fields=["round", "place"], name="stage_place_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.round}"
