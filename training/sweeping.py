"""What nobody asks for and has to happen: rounds move on, and a lost ring is rung again."""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from training import jobs
from training.models import Job, Round, Stage
from training.rounds import advance

FORGOTTEN_AFTER = timedelta(minutes=1)


def sweep() -> int:
    """Moves on the open rounds in which people are ranking; returns how many stages changed."""
    ranking = Round.objects.filter(
        state=Round.State.OPEN, stages__kind=Stage.Kind.RANK, stages__state=Stage.State.RUNNING
    )
    return sum(len(advance(round_)) for round_ in ranking)


def ring_again() -> int:
    """Rings for jobs that are queued for a while, and for those whose worker was not heard of; returns how many."""
    forgotten = Q(state=Job.State.QUEUED, created_at__lt=Now() - FORGOTTEN_AFTER)
    lapsed = Q(state=Job.State.RUNNING, lease_until__lt=Now())
    found = Job.objects.filter(forgotten | lapsed)
    for job in found:
        jobs.ring(job)
    return len(found)
