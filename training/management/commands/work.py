"""manage.py work: a worker that polls the Job table; no broker needed."""

import logging
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from labeling.sending import outbox
from labeling.transferring import transfers
from training import jobs
from training.launching import supervise
from training.models import Job
from training.simulating import work_a_portion
from training.stopping import StopSignal
from training.sweeping import sweep
from training.workers import Presence, name_this_process, own_name

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
SWEEP_SECONDS = 5.0


class Command(BaseCommand):
    help = "Run queued jobs, one after another. Ctrl-C or SIGTERM pauses the running stage and hands its job back."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--queue", action="append", choices=Job.Queue.values, help="take jobs of this queue only (may be repeated)"
        )
        parser.add_argument("--until-idle", action="store_true", help="end once no job is waiting")

    def handle(self, *args: Any, queue: list[str] | None, until_idle: bool, **options: Any) -> None:
        queues = queue or Job.Queue.values
        self.stdout.write(
            f"Worker {name_this_process()} waits for jobs of queue {' and '.join(queues)}. Ctrl-C stops it."
        )
        self.stdout.flush()
        with StopSignal() as stop, Presence(queues), outbox(), transfers():
            work(queues, stop=stop, until_idle=until_idle)


def work(queues: list[str], *, stop: StopSignal, until_idle: bool = False) -> None:
    """Takes jobs until told to stop. A database that does not answer for a while is waited for."""
    next_sweep = 0.0
    while not stop:
        claim = None
        try:
            if time.monotonic() >= next_sweep:
                next_sweep = time.monotonic() + SWEEP_SECONDS  # first: a sweep that fails keeps no job waiting
                sweep()
            claim = jobs.claim_next(queues, own_name())
            if claim is not None:
                supervise(claim, stop=stop)
                next_sweep = 0.0  # What waited for this job is started at once.
            elif work_a_portion():
                next_sweep = 0.0
                continue
        except (OperationalError, InterfaceError) as error:
            log.warning("the database does not answer: %s", error)
            connection.close()
        except Exception:  # With it the worker would end, and on a machine with one worker the whole site.
            log.exception("the worker goes on after an error of its own")
            stop.wait(POLL_SECONDS)
            continue
        if claim is None and until_idle:
            return
        if claim is None:
            stop.wait(POLL_SECONDS)
