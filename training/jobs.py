"""Jobs: claim, hold, end; pause, cancel, resume. The row is the truth; a queue only rings.

A claim is a compare-and-set that raises `attempt`, the fencing token: whatever an older attempt writes afterwards
changes no row. Leases are compared with the database's clock, so that a worker's own may be wrong.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from kombu.exceptions import OperationalError

from labeling.audit.recording import record
from labeling.models import AuditKind
from labeling.repeating import Repeated
from training.announcing import announce_stage, raise_alarm
from training.errors import JobRefused
from training.models import Alarm, Job, Round, Stage
from training.rlhf.contract.run_folder import Control, RunFolder, write_control
from training.run_folders import run_folder

log = logging.getLogger(__name__)

State = Job.State
Wanted = Job.Wanted

ACTIVE = (State.QUEUED, State.RUNNING)
ENDED = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a job. Only the newest attempt's hold is worth anything."""

    job_id: int
    attempt: int


class ClaimLost(Exception):
    """Another attempt owns the job, or it ended: stop, and write nothing."""


# --- the doorbell -----------------------------------------------------------------------------------------------------


def ring(job: Job, *, expires: float | None = None) -> None:
    """Tells a worker once this transaction is committed, where there is a broker. A lost ring costs time, no job.

    expires: seconds after which the message is worth nothing.
    """
    if settings.REDIS_URL:
        transaction.on_commit(lambda: _ring_now(job.pk, job.queue, expires=expires))


def _ring_now(job_id: int, queue: str, *, expires: float | None = None) -> None:
    from training.tasks import run_job  # the tasks import this module

    try:
        run_job.apply_async((job_id,), queue=queue, retry=False, expires=expires)
    except OperationalError:
        log.warning("job %s is queued, but Redis did not take the message; a sweep rings again", job_id, exc_info=True)


# --- the worker's side ------------------------------------------------------------------------------------------------


def claimable() -> QuerySet[Job]:
    """Queued jobs, and running ones whose worker was not heard of for a whole lease."""
    return Job.objects.filter(Q(state=State.QUEUED) | Q(state=State.RUNNING, lease_until__lt=Now()))


def claim(job_id: int, owner: str) -> Claim | None:
    """Takes the job for this worker, or None where another has it or it is not to be run: of many calls, one wins."""
    with transaction.atomic():
        before = Job.objects.filter(pk=job_id).values("state", "attempt", "owner").first()
        taken = claimable().filter(pk=job_id).update(
            state=State.RUNNING, attempt=F("attempt") + 1, owner=owner, lease_until=_lease(), phase="",
            attempts_without_progress=F("attempts_without_progress") + 1, started_at=Coalesce(F("started_at"), Now()),
            stepped_at=Now(),
        )  # fmt: skip
        if not taken or before is None:
            return None
        # The row is locked by the update: what is read now is what was written.
        job = Job.objects.get(pk=job_id)
        if before["state"] == State.RUNNING and job.attempt == before["attempt"] + 1:
            note_worker_gone(job, owner=before["owner"], attempt=before["attempt"])
        return Claim(job_id, job.attempt)


def note_worker_gone(job: Job, *, owner: str, attempt: int) -> None:
    """An alarm, once for the attempt. Call it in a transaction."""
    sentence = f"{owner or 'The worker'} was not heard of for {settings.JOB_LEASE_SECONDS} s, at step {job.step:,} of"
    raise_alarm(
        job, Alarm.Kind.WORKER_GONE, f"{sentence} attempt {attempt}; the job goes on with the next worker.",
        attempt=attempt,
    )  # fmt: skip


def claim_next(queues: Iterable[str], owner: str) -> Claim | None:
    """Takes the oldest job of these queues that may be taken; those of rehearsals come after everybody else's."""
    waiting = claimable().filter(queue__in=list(queues)).order_by("project__simulated", "pk")
    for job_id in waiting.values_list("pk", flat=True)[:10]:
        taken = claim(job_id, owner)
        if taken is not None:
            return taken
    return None


def _lease() -> ExpressionWrapper:
    lease = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    return ExpressionWrapper(Now() + lease, output_field=DateTimeField())


def _mine(claim: Claim) -> QuerySet[Job]:
    return Job.objects.filter(pk=claim.job_id, attempt=claim.attempt, state=State.RUNNING)


def wanted_of(claim: Claim) -> str:
    """What a person asked for. Call it inside `holding`."""
    return Job.objects.values_list("wanted", flat=True).get(pk=claim.job_id)


@contextmanager
def holding(claim: Claim, **changes: Any) -> Iterator[None]:
    """A transaction in which the claim holds for certain: the lease is renewed, and no other attempt can begin before
    it ends. changes: columns of the job. Raises ClaimLost.
    """
    with transaction.atomic():
        if not _mine(claim).update(lease_until=_lease(), **changes):
            raise ClaimLost(f"attempt {claim.attempt} of job {claim.job_id} is no longer the one that counts")
        yield


@contextmanager
def kept(claim: Claim) -> Iterator[None]:
    """Renews the lease from a thread of its own while the block runs, for work that has no beat: hashing a model."""

    def renew() -> bool:
        """A claim that is lost is noticed by whoever writes next."""
        try:
            with holding(claim):
                return True
        except ClaimLost:
            return False

    with Repeated(renew, every=settings.JOB_LEASE_SECONDS / 4, name=f"lease of job {claim.job_id}"):
        yield


def end(claim: Claim, state: str, *, error: dict[str, Any] | None = None, **changes: Any) -> None:
    """The end of an attempt, and what follows for the job's stage. Call it inside `holding`. Raises ClaimLost."""
    ended = state in ENDED
    if ended:
        changes["finished_at"] = Now()
    changes |= {"state": state, "error": error, "lease_until": None, "owner": "", "phase": "", "seconds_left": None}
    if not _mine(claim).update(**changes):
        raise ClaimLost(f"attempt {claim.attempt} of job {claim.job_id} is no longer the one that counts")
    if ended:
        job = Job.objects.select_related("stage__round").get(pk=claim.job_id)
        if state == State.FAILED:
            _note_failure(job)
        _end_stage(job)


def _note_failure(job: Job) -> None:
    error = job.error or {}
    kind = Alarm.Kind.NOT_FINITE if error.get("code") == "not_finite" else Alarm.Kind.FAILED
    raise_alarm(job, kind, error.get("message") or "The stage failed without a word.", attempt=job.attempt)


def requeue(claim: Claim, *, counted: bool, error: dict[str, Any] | None = None) -> None:
    """Back into the queue, to go on from the newest good checkpoint. Call it inside `holding`.

    counted: whether the attempt counts as one that brought nothing; not where the worker was told to stop.
    """
    changes: dict[str, Any] = {} if counted else {"attempts_without_progress": 0}
    end(claim, State.QUEUED, error=error, **changes)
    ring(Job.objects.get(pk=claim.job_id))


STAGE_STATE = {
    State.DONE: Stage.State.DONE,
    State.FAILED: Stage.State.FAILED,
    State.CANCELLED: Stage.State.CANCELLED,
}


def _end_stage(job: Job) -> None:
    """Hands a job's end on to its stage, if it is still the stage's job, and moves the round on.

    Where people are to be asked of what it made, the stage goes on until they are done. A run again that failed or was
    cancelled takes nothing back: what an earlier job made is still there, and the stage is done as it was.
    """
    from training.rounds import advance  # rounds import this module

    if job.stage is None:
        return
    # The round before its stages, as everybody who locks both does.
    round_ = Round.objects.select_for_update(of=("self",)).select_related("project").get(pk=job.stage.round_id)
    stage = round_.stages.select_for_update().get(pk=job.stage.pk)
    if stage.job_id != job.pk:
        return
    people_go_on = job.state == State.DONE and bool(job.asks)
    stage.state = Stage.State.RUNNING if people_go_on else STAGE_STATE[State(job.state)]
    if not people_go_on:
        announce_stage(stage)
    if job.state != State.DONE:
        earlier = newest_done(stage)
        if earlier is not None:
            stage.job, stage.state = earlier, Stage.State.DONE
    stage.save(update_fields=["job", "state"])
    advance(round_)


def newest_done(stage: Stage) -> Job | None:
    """Whose results are those of the stage."""
    return Job.objects.filter(stage=stage, state=State.DONE).order_by("-pk").first()


def followed_by(job: Job) -> Job | None:
    """The newest job of its stage, where that is another one."""
    return Job.objects.filter(stage=job.stage_id, pk__gt=job.pk).order_by("-pk").first() if job.stage_id else None


# --- the researcher's side --------------------------------------------------------------------------------------------


def ask_pause(job: Job) -> None:
    """A running stage writes a checkpoint and stops; a queued job waits, and one whose worker is gone. Raises
    JobRefused."""
    with transaction.atomic():
        now = _lock(job)
        if now.state == State.QUEUED:
            _set(now, state=State.PAUSED)
        elif now.state != State.RUNNING:
            raise JobRefused(f"Job {now.pk} is {now.state}; only a queued or running job can be paused.")
        elif _is_lapsed(now):
            _end_without_worker(now, Wanted.PAUSE)
        elif now.wanted != Wanted.RUN:
            raise JobRefused(f"Job {now.pk} was asked to {now.wanted} already; it ends its step first.")
        else:
            _set(now, wanted=Wanted.PAUSE)
        _note(AuditKind.CANCEL, now, "paused")


def ask_cancel(job: Job) -> None:
    """A running stage stops without a checkpoint; a waiting job ends at once, and one whose worker is gone. Raises
    JobRefused."""
    with transaction.atomic():
        now = _lock(job)
        if now.state in (State.QUEUED, State.PAUSED):
            _set(now, state=State.CANCELLED, finished_at=Now())
            _end_stage(now)
        elif now.state != State.RUNNING:
            raise JobRefused(f"Job {now.pk} is {now.state}; there is nothing left to cancel.")
        elif _is_lapsed(now):
            _end_without_worker(now, Wanted.CANCEL)
        elif now.wanted == Wanted.CANCEL:
            raise JobRefused(f"Job {now.pk} is being cancelled already.")
        else:
            _set(now, wanted=Wanted.CANCEL)
        _note(AuditKind.CANCEL, now, "cancelled")


def end_what_was_asked(job: Job) -> None:
    """Pauses or cancels a job that was asked to while its worker lived, and whose worker is gone since. Call it with
    the job's row locked."""
    if job.state == State.RUNNING and job.wanted != Wanted.RUN and _is_lapsed(job):
        _end_without_worker(job, Wanted(job.wanted))


def _is_lapsed(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists()


def _end_without_worker(job: Job, wanted: Wanted) -> None:
    """Nobody holds it, so nobody has to be asked: it ends now, and need not wait for another worker to come.

    The attempt grows, as with a claim: a worker that comes back after all changes no row, and its stage, which reads
    control.json, writes nothing more.
    """
    ended: dict[str, Any] = {"state": State.PAUSED}
    if wanted == Wanted.CANCEL:
        ended = {"state": State.CANCELLED, "finished_at": Now()}
    _set(
        job, attempt=F("attempt") + 1, wanted=wanted, lease_until=None, owner="", phase="", seconds_left=None, **ended
    )  # fmt: skip
    folder, control = run_folder(job), Control.from_json({"request": wanted.value, "attempt": job.attempt})
    transaction.on_commit(lambda: _tell_stage(folder, control), robust=True)
    if wanted == Wanted.CANCEL:
        _end_stage(job)


def _tell_stage(folder: RunFolder, control: Control) -> None:
    """Where its folder is here: the worker may have had it on a disk of its own."""
    if folder.config.exists():
        with suppress(OSError):
            write_control(folder, control)


def resume(job: Job) -> None:
    """Queues a paused or failed job again; it goes on from its newest good checkpoint. Raises JobRefused."""
    with transaction.atomic():
        now = _lock(job)
        if now.state not in (State.PAUSED, State.FAILED):
            raise JobRefused(f"Job {now.pk} is {now.state}; only a paused or failed job can be resumed.")
        if now.inputs.exclude(snapshot=None).exclude(snapshot__first_sha256="").exists():
            raise JobRefused(
                f"Job {now.pk} reads words that somebody had erased since it began, so that it cannot go on to "
                "the same numbers. Launch the stage anew."
            )
        stage = now.stage
        if stage is not None:
            later = followed_by(now)
            if later is not None:
                raise JobRefused(f"Job {now.pk} was followed by job {later.pk}; that one counts now.")
            if stage.round.recorded:
                raise JobRefused(f"Round {stage.round.number} was run elsewhere; its jobs stay as they are.")
            if stage.round.state == stage.round.State.CLOSED:
                raise JobRefused(f"Round {stage.round.number} is closed; its jobs stay as they are.")
            # It counts again, where an earlier job was the stage's since it had failed.
            Stage.objects.filter(pk=stage.pk).update(job=now, state=Stage.State.RUNNING)
        _set(now, state=State.QUEUED, wanted=Wanted.RUN, attempts_without_progress=0, error=None, finished_at=None)
        _note(AuditKind.LAUNCH, now, "resumed")
        ring(now)


def _note(kind: AuditKind, job: Job, act: str) -> None:
    record(kind, project=job.project_id, facts={"act": act, "job": job.pk, "kind": job.kind})


def _lock(job: Job) -> Job:
    return Job.objects.select_for_update(of=("self",)).select_related("stage__round").get(pk=job.pk)


def _set(job: Job, **changes: Any) -> None:
    Job.objects.filter(pk=job.pk).update(**changes)
    job.refresh_from_db(fields=[*changes])
