"""What a line of the log belongs to: the request, or the job, that this thread is at. Ids only, never words."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
JOB_ID: ContextVar[int | None] = ContextVar("job_id", default=None)


@contextmanager
def at_job(job_id: int) -> Iterator[None]:
    """Every line logged inside carries the job's id."""
    before = JOB_ID.set(job_id)
    try:
        yield
    finally:
        JOB_ID.reset(before)
