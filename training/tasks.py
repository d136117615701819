"""Celery doors, a few lines each. What is to be done stands in the Job table; a message only says where to look."""

import os
import signal
from typing import Any

from billiard.process import active_children
from celery import shared_task
from celery.signals import worker_shutting_down

from training.launching import run_claimed
from training.sweeping import ring_again, sweep


@shared_task
def run_job(job_id: int) -> None:
    """Claims a job and stays with it until its attempt ends. Of a message delivered twice one does nothing."""
    run_claimed(job_id)


@shared_task
def tend() -> None:
    """Moves rounds on, and rings again for queued jobs that nobody took and for those whose worker is gone."""
    sweep()
    ring_again()


@worker_shutting_down.connect
def stop_stages(**kwargs: Any) -> None:
    """Celery would wait for its tasks to end, and a stage may take days: each supervisor is told to pause its own.

    SIGINT is what idle children of the pool ignore and a supervisor listens to.
    """
    for child in active_children():
        os.kill(child.pid, signal.SIGINT)
