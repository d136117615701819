"""What nobody asks for and has to happen: lapsed slots come back, rounds move on, and a lost ring is rung again."""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from labeling.assigning import release_expired
from training import jobs
from training.models import Job, Round, Stage
from training.rounds import advance

FORGOTTEN_AFTER = timedelta(minutes=1)
RINGS_AT_ONCE = 5
"""For the oldest jobs of a queue; their turn comes first. More would only fill the queue of a worker that is busy."""
RING_LASTS_SECONDS = 30
"""As long as it is until the next one (CELERY_BEAT_SCHEDULE)."""


def sweep() -> int:
    """Gives lapsed slots back, then moves on the open rounds in which people rank; returns how many stages changed."""
    release_expired()
    ranking = Round.objects.filter(
        state=Round.State.OPEN, stages__kind=Stage.Kind.RANK, stages__state=Stage.State.RUNNING
    )
    return sum(len(advance(round_)) for round_ in ranking)


def ring_again() -> int:
    """Rings for jobs that are queued for a while, and for those whose worker was not heard of; returns how many."""
    forgotten = Q(state=Job.State.QUEUED, created_at__lt=Now() - FORGOTTEN_AFTER)
    lapsed = Q(state=Job.State.RUNNING, lease_until__lt=Now())
    found = Job.objects.filter(forgotten | lapsed).order_by("pk")
    oldest = [job for queue in Job.Queue.values for job in found.filter(queue=queue)[:RINGS_AT_ONCE]]
    for job in oldest:
        jobs.ring(job, expires=RING_LASTS_SECONDS)
    return len(oldest)
