"""What a process counts while it serves, for Prometheus: claims and submissions, as they are committed.

Several processes are summed up where ACCORD_METRICS_DIR names a folder that they share (config/metrics.py).
"""

from django.db import transaction
from prometheus_client import Counter

CLAIMS = Counter("accord_claims", "Tasks that were asked for.", ["kind", "outcome"])
SUBMISSIONS = Counter("accord_submissions", "Work that was submitted.", ["kind", "counted"])


def count_claim(kind: str, handed_out: bool) -> None:
    """What is refused with a reason is counted among the requests."""
    CLAIMS.labels(kind, "handed_out" if handed_out else "nothing_left").inc()


def count_submission(kind: str, *, counted: bool) -> None:
    """Once it is committed: what is rolled back was not submitted."""
    transaction.on_commit(SUBMISSIONS.labels(kind, "yes" if counted else "no").inc)
