"""Celery doors, a few lines each. What is to be done stands in the Job table; a message only says where to look."""

import logging
import os
import signal
from typing import Any

from billiard.process import active_children
from celery import shared_task
from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down

from labeling.sending import deliver_due
from training.launching import run_claimed
from training.models import Job
from training.observing import note_tended
from training.recounting import recount
from training.sweeping import forget_old, keep_going, ring_again
from training.workers import Presence, name_this_process

log = logging.getLogger(__name__)


@shared_task
def run_job(job_id: int) -> None:
    """Claims a job and stays with it until its attempt ends. Of a message delivered twice one does nothing."""
    if run_claimed(job_id):
        keep_going()


@shared_task
def tend() -> None:
    """Rings again for queued jobs that nobody took and for those whose worker is gone, and moves rounds on.

    Of these duties none is left out because another one failed.
    """
    for duty in (ring_again, keep_going, forget_old):
        try:
            duty()
        except Exception:
            log.exception("%s failed; it is tried again at the next turn", duty.__name__)
    note_tended()


@shared_task
def count_anew() -> None:
    """Every night."""
    recount()


@shared_task
def send_webhooks() -> None:
    """Sends what is due in the outbox."""
    deliver_due()


_presence: list[Presence] = []


@worker_init.connect
def take_a_name(**kwargs: Any) -> None:
    """Before the pool is forked: what its children hold is held by this worker."""
    name_this_process()


@worker_ready.connect
def be_present(sender: Any, **kwargs: Any) -> None:
    """A worker that only tends takes no jobs and is no row."""
    queues = [name for name in sender.app.amqp.queues.consume_from if name in Job.Queue.values]
    if queues:
        _presence.append(Presence(queues).__enter__())


@worker_shutdown.connect
def leave(**kwargs: Any) -> None:
    while _presence:
        _presence.pop().__exit__()


@worker_shutting_down.connect
def stop_stages(**kwargs: Any) -> None:
    """Celery would wait for its tasks to end, and a stage may take days: each supervisor is told to pause its own.

    SIGINT is what idle children of the pool ignore and a supervisor listens to.
    """
    for child in active_children():
        os.kill(child.pid, signal.SIGINT)
