"""What machines do, as tables: one module a noun."""

from training.models.checkpoint import Checkpoint
from training.models.job import Job, JobInput
from training.models.metric import Metric
from training.models.round import Round, Stage
from training.models.snapshot import Snapshot

__all__ = ["Checkpoint", "Job", "JobInput", "Metric", "Round", "Snapshot", "Stage"]
