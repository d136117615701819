"""Jobs: one run of one stage on a machine. The row is the truth; queues only ring."""

from django.conf import settings
from django.db import models

from labeling.models import Project
from training.models.checkpoint import Checkpoint
from training.models.round import Stage
from training.models.snapshot import Snapshot


class Job(models.Model):
    """One run of a stage.

    attempt is the fencing token: it grows with every claim, and a beat of an older attempt changes nothing.
    wanted: what a person asked for, forwarded to the stage through control.json. step and steps are the stage's own.
    attempts_without_progress: attempts since the newest checkpoint, the running one included.
    asks: what people are to be asked of its results, {"guideline": 7, "overlap": 2, "humans": false}; empty: nothing.
    error: {"code": …, "message": …} of the last attempt that failed, with the "traceback" of a bug. stepped_at: when
    the stage last advanced, seen by its supervisor, by the database's clock.
    """

    class Kind(models.TextChoices):
        PRETRAIN = "pretrain"
        SFT = "sft", "SFT"
        SAMPLE = "sample"
        REWARD = "reward"
        PPO = "ppo", "PPO"
        DPO = "dpo", "DPO"
        SCORE = "score"

    class State(models.TextChoices):
        """queued -> running -> done | failed | cancelled; running -> paused (asked) or queued (to be resumed)."""

        QUEUED = "queued"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Wanted(models.TextChoices):
        RUN = "run"
        PAUSE = "pause"
        CANCEL = "cancel"

    class Queue(models.TextChoices):
        CPU = "cpu"
        GPU = "gpu"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jobs")
    stage = models.ForeignKey(Stage, on_delete=models.SET_NULL, null=True, blank=True, related_name="jobs")
    kind = models.CharField(max_length=12, choices=Kind)
    config = models.JSONField()
    asks = models.JSONField(default=dict, blank=True, db_default=models.Value({}, models.JSONField()))
    queue = models.CharField(max_length=10, choices=Queue, default=Queue.CPU)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    wanted = models.CharField(max_length=10, choices=Wanted, default=Wanted.RUN)
    attempt = models.PositiveIntegerField(default=0)
    attempts_without_progress = models.PositiveSmallIntegerField(default=0)
    owner = models.CharField(max_length=200, blank=True, help_text="host and process of the worker that holds it")
    lease_until = models.DateTimeField(null=True, blank=True)
    step = models.PositiveBigIntegerField(default=0)
    steps = models.PositiveBigIntegerField(null=True, blank=True)
    stepped_at = models.DateTimeField(null=True, blank=True)
    phase = models.CharField(max_length=20, blank=True)
    seconds_left = models.FloatField(null=True, blank=True, help_text="by the stage's own reckoning")
    checkpoint_step = models.PositiveBigIntegerField(null=True, blank=True, help_text="of the newest good checkpoint")
    stopped_early = models.BooleanField(default=False)
    error = models.JSONField(null=True, blank=True)
    report = models.JSONField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="jobs"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="running") | models.Q(lease_until__isnull=False), name="job_running_has_lease"
            ),
            models.UniqueConstraint(
                fields=["stage"], condition=models.Q(state__in=["queued", "running"]), name="job_one_active_a_stage"
            ),
        ]
        indexes = [
            models.Index(fields=["queue", "id"], condition=models.Q(state="queued"), name="job_queued"),
            models.Index(fields=["lease_until"], condition=models.Q(state="running"), name="job_running"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} job {self.pk}"


class JobInput(models.Model):
    """What a job reads: a snapshot or a checkpoint, under the name it has in the run folder."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="inputs")
    role = models.CharField(max_length=40)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, null=True, blank=True, related_name="used_by")
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, null=True, blank=True, related_name="used_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "role"], name="job_input_role_once"),
            models.CheckConstraint(
                condition=models.Q(snapshot__isnull=False, checkpoint__isnull=True)
                | models.Q(snapshot__isnull=True, checkpoint__isnull=False),
                name="job_input_snapshot_or_checkpoint",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.job}"

    @property
    def part(self) -> str:
        """What it is to the job, in words, by the first word of its role (generators.sft, watch.7)."""
        first = self.role.split(".")[0]
        return PARTS.get(first, first.replace("_", " ").capitalize())


PARTS = {
    "init": "Starts from", "policy": "Policy starts from", "reward": "Reward model", "watch": "Second reward model",
    "generators": "Texts by",
}  # fmt: skip
