"""What machines do, as tables: one module a noun."""

from training.models.alarm import Alarm
from training.models.checkpoint import Checkpoint
from training.models.erasure import Erasure
from training.models.job import Job, JobInput
from training.models.metric import Metric
from training.models.recount import Recount
from training.models.round import Round, Stage
from training.models.snapshot import Snapshot
from training.models.worker import Worker

__all__ = [
    "Alarm",
    "Checkpoint",
    "Erasure",
    "Job",
    "JobInput",
    "Metric",
    "Recount",
    "Round",
    "Snapshot",
    "Stage",
    "Worker",
]
