"""What nobody asks for and has to happen: lapsed slots come back, rounds move on, and a lost ring is rung again."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from labeling.api.once import forget_old_answers
from labeling.completing import complete_all
from labeling.releasing import release_expired
from labeling.webhooks import forget_old_deliveries
from training import jobs
from training.models import Job, Round, Stage
from training.rounds import JUDGED_BY_PEOPLE, advance
from training.self_running import run_by_itself, unfinished
from training.simulating import work_a_portion

log = logging.getLogger(__name__)

FORGOTTEN_AFTER = timedelta(minutes=1)
RINGS_AT_ONCE = 5
"""For the oldest jobs of a queue; their turn comes first. More would only fill the queue of a worker that is busy."""
RING_LASTS_SECONDS = 30
"""As long as it is until the next one (CELERY_BEAT_SCHEDULE)."""


def sweep() -> int:
    """Gives lapsed slots back, moves on the open rounds in which people judge, and starts what starts by itself;
    returns how many stages changed.

    What fails with one round, or one duty, keeps no other waiting. A database that does not answer is raised.
    """
    for duty in (release_expired, complete_all, note_lost_workers):
        with kept_apart(duty.__name__):
            duty()
    judged = Q(stages__kind__in=JUDGED_BY_PEOPLE, stages__state=Stage.State.RUNNING)
    counting = Q(stages__state=Stage.State.WAITING) & ~Q(stages__enough={})
    moving = Round.objects.filter(judged | counting, state=Round.State.OPEN, recorded="").select_related("project")
    changed = 0
    for rounds, move in ((moving.distinct(), advance), (unfinished(), run_by_itself)):
        for round_ in rounds:
            with kept_apart(f"moving on {round_} of project {round_.project.slug}"):
                changed += len(move(round_))
    return changed


@contextmanager
def kept_apart(what: str) -> Iterator[None]:
    """What fails in here is in the log, and the next thing is done. A database that does not answer is raised."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("%s failed; the rest goes on", what)


def note_lost_workers() -> int:
    """An alarm for every running job whose worker was not heard of for a whole lease, and its end where somebody had
    asked for that; returns how many there are."""
    found = list(Job.objects.filter(state=Job.State.RUNNING, lease_until__lt=Now()).values_list("pk", flat=True))
    for pk in found:
        with transaction.atomic():
            lapsed = Job.objects.select_for_update(of=("self",)).select_related("stage__round")
            job = lapsed.filter(pk=pk, lease_until__lt=Now(), state=Job.State.RUNNING).first()
            if job is not None:
                jobs.note_worker_gone(job, owner=job.owner, attempt=job.attempt)
                jobs.end_what_was_asked(job)
    return len(found)


def keep_going(*, seconds: float = 20.0) -> None:
    """Sweeps, and lets the simulated labelers work, until there is nothing left for them or the time is over."""
    deadline = time.monotonic() + seconds
    sweep()
    while time.monotonic() < deadline and work_a_portion():
        sweep()


def forget_old() -> int:
    """Deletes what is kept for a while only; returns how many rows."""
    return forget_old_answers() + forget_old_deliveries()


def ring_again() -> int:
    """Rings for jobs that are queued for a while, and for those whose worker was not heard of; returns how many."""
    forgotten = Q(state=Job.State.QUEUED, created_at__lt=Now() - FORGOTTEN_AFTER)
    lapsed = Q(state=Job.State.RUNNING, lease_until__lt=Now())
    found = Job.objects.filter(forgotten | lapsed).order_by("pk")
    oldest = [job for queue in Job.Queue.values for job in found.filter(queue=queue)[:RINGS_AT_ONCE]]
    for job in oldest:
        jobs.ring(job, expires=RING_LASTS_SECONDS)
    return len(oldest)
