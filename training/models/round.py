"""Rounds: the stages that lead from demonstrations to a policy, once."""

from django.conf import settings
from django.db import models

from labeling.models import Campaign, Project


class Round(models.Model):
    """recipe: the values each stage starts from, {"sft": {…}, "reward": {…}, …}.

    runs_itself: each stage is launched as soon as what it waits for is done. recorded: the command that made a round
    which was run elsewhere and is here to be looked at; its models are not here, and nothing of it can be launched.
    """

    class State(models.TextChoices):
        """open while any stage may still run; closed by a researcher."""

        OPEN = "open"
        CLOSED = "closed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    recipe = models.JSONField(default=dict)
    runs_itself = models.BooleanField(default=False, db_default=False)
    recorded = models.CharField(max_length=300, blank=True, default="", db_default="")
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

    @property
    def is_judged_by_programs(self) -> bool:
        """Whether simulated labelers rank and rate in it; somebody may do so by hand too. Needs the project."""
        return self.runs_itself and self.project.simulated


class Stage(models.Model):
    """One step of a round.

    waits_for: kinds of stage that must be done first; one that the round itself has not is looked for in the round
    that its recipe names. enough: how much people have to do for it, {"demonstrations": 300}: training/waiting.py says
    what each kind of stage can wait for. refusal: why a stage of a round that runs itself was not started when it was
    last tried, at refused_at; it is tried again now and then (training/self_running.py).
    """

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
    # The version before this one knows no such column, and goes on writing while it is replaced.
    enough = models.JSONField(default=dict, blank=True, db_default=models.Value({}, models.JSONField()))
    refusal = models.TextField(blank=True, default="", db_default="")
    refused_at = models.DateTimeField(null=True, blank=True)
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
