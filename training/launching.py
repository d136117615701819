"""The supervisor: runs a stage as a process, follows what it says, forwards what people want, settles its end.

It never imports torch. One supervisor stays with one attempt. It owns the stage's process group, and the stage ends
with it: the kernel (Linux) sends the stage SIGTERM when the supervisor dies, however it dies.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from labeling.traces import at_job
from training import jobs
from training.alarms import Lookout
from training.announcing import raise_alarm
from training.following import Line, MetricsTail, Pulse, followed, forget_metrics, status_of, store_metrics
from training.jobs import Claim, ClaimLost
from training.models import Alarm, Job
from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.run_folder import Control, ErrorNote, RunFolder, write_control
from training.rlhf.contract.strict import Refused
from training.run_folders import FolderProblem, prepare, run_folder
from training.settling import MOST_ATTEMPTS, Ending, Verdict, read_ending, settle
from training.stopping import StopSignal
from training.workers import own_name

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""How often the supervisor looks whether the stage has ended, or it was told to stop itself."""
BEAT_SECONDS = 1.0
"""How often it reads what the stage wrote, renews the lease and asks what people want."""
OF_NO_USE_TO_A_STAGE = ("ACCORD_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "CELERY_")
"""Beginnings of environment variables that are kept from stages: secrets are among them."""


def run_claimed(job_id: int) -> bool:
    """Claims one job and stays with its attempt; False where another worker has it. What a queue's message does."""
    with StopSignal() as stop:
        claim = jobs.claim(job_id, own_name())
        if claim is not None:
            supervise(claim, stop=stop)
    return claim is not None


def supervise(claim: Claim, *, stop: StopSignal) -> None:
    """One attempt at a job, from its run folder to what follows from its end. A lost claim ends it in silence.

    An error of the supervisor's own ends the attempt as a bug would; only the database's not answering is raised.
    """
    job = Job.objects.select_related("project").get(pk=claim.job_id)
    with at_job(claim.job_id):
        try:
            verdict = _attempted(job, claim, stop)
            log.info("job %s, attempt %s: %s", claim.job_id, claim.attempt, verdict.value)
        except ClaimLost as lost:
            log.warning("%s; nothing more is written for it", lost)


def _attempted(job: Job, claim: Claim, stop: StopSignal) -> Verdict:
    folder = run_folder(job)
    try:
        return settle(claim, folder, _reason_not_to_start(job) or _run(job, claim, stop), stopping=bool(stop))
    except (ClaimLost, OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("job %s, attempt %s: the supervisor failed", claim.job_id, claim.attempt)
        note = ErrorNote(code="bug", message=f"The worker failed around the stage: {type(error).__name__}: {error}")
        return settle(claim, folder, Ending(ExitCode.BUG, 1, note), stopping=bool(stop))


def _reason_not_to_start(job: Job) -> Ending | None:
    """What a person asked for while nobody had the job, or that too many workers were lost with it."""
    if job.wanted == Job.Wanted.CANCEL:
        return Ending(ExitCode.CANCELLED, 0)
    if job.wanted == Job.Wanted.PAUSE:
        return Ending(ExitCode.PAUSED, 0)
    if job.attempts_without_progress > MOST_ATTEMPTS:
        sentence = f"{MOST_ATTEMPTS} workers were lost with this job, one after another, without a new checkpoint"
        return Ending(None, -signal.SIGKILL, ErrorNote(code="workers_lost", message=f"{sentence}."))
    return None


def _run(job: Job, claim: Claim, stop: StopSignal) -> Ending:
    try:
        config = RunConfig.from_json(job.config)
        with jobs.kept(claim):
            folder = prepare(job, attempt=claim.attempt)
        process = start(folder, config, attempt=claim.attempt)
    except Refused as refused:  # It was made by another version.
        sentence = f"This version refuses the config of the job: {refused}. To go on, launch the stage anew."
        return Ending(ExitCode.CONFIG_REFUSED, 1, ErrorNote(code="config_refused", message=sentence))
    except FolderProblem as problem:
        return Ending(ExitCode[problem.code.upper()], 1, ErrorNote(code=problem.code, message=str(problem)))
    attempt = Attempt(job, claim, folder, process, stop)
    try:
        returncode = attempt.follow()
    finally:
        _kill_group(process)
    ending = read_ending(returncode, status_of(folder, attempt=claim.attempt))
    if ending.code is None and attempt.silent_seconds:
        sentence = f"The stage's process gave no sign of life for {attempt.silent_seconds:.0f} s and was ended"
        return Ending(None, returncode, ErrorNote(code="silent", message=f"{sentence}, at step {job.step:,}."))
    return ending


# --- the process ------------------------------------------------------------------------------------------------------


def stage_command(config: RunConfig, folder: RunFolder) -> list[str]:
    """How a stage is run: as a module; through torchrun where there are several processes."""
    stage = ["-m", f"training.rlhf.{config.stage}", str(folder.root)]
    processes: int = config.hardware.processes
    if processes == 1:
        return [sys.executable, *stage]
    # Its own 30 s before SIGKILL are too few for a large checkpoint.
    patience = f"--shutdown-timeout={settings.JOB_STOP_SECONDS}"
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        patience,
    ]
    return [*torchrun, *stage]


def start(folder: RunFolder, config: RunConfig, *, attempt: int) -> subprocess.Popen[bytes]:
    """The stage in a process group of its own, its words going to the attempt's log. Raises FolderProblem."""
    try:
        log_file = folder.rank_log(attempt)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as words:
            return subprocess.Popen(
                stage_command(config, folder),
                cwd=settings.BASE_DIR,
                env=_environment(config),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
                preexec_fn=_end_with_parent(os.getpid()),
            )
    except OSError as error:
        raise FolderProblem(
            "cannot_write", f"The stage cannot be started in {folder.root}: {error.strerror}."
        ) from error


def _environment(config: RunConfig) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_NO_USE_TO_A_STAGE)}
    # Threads that wait for each other sleep instead of spinning: on two shared cores the spinning of two threads cost
    # two thirds of the tokens a second, and the numbers are the same.
    threads = {"OMP_NUM_THREADS": str(config.hardware.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    return kept | threads | {"PYTHONUNBUFFERED": "1"}


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """To be run in the child before it becomes the stage. None where the kernel cannot do it."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)  # loaded here: between fork and exec nothing may be

    def ask() -> None:
        pr_set_pdeathsig = 1
        library.prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:  # It died in between.
            os._exit(128 + signal.SIGTERM)

    return ask


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Ends whatever is left of the stage. Its group has its number, also after it is gone itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# --- following --------------------------------------------------------------------------------------------------------


class Attempt:
    """A running stage under its supervisor's eyes."""

    def __init__(
        self, job: Job, claim: Claim, folder: RunFolder, process: subprocess.Popen[bytes], stop: StopSignal
    ) -> None:
        self.claim = claim
        self.folder = folder
        self.process = process
        self.stop = stop
        self.tail = MetricsTail(folder.metrics)
        self.wanted: str = Job.Wanted.RUN
        self.checkpoint_step = -1 if job.checkpoint_step is None else job.checkpoint_step
        self.heard_at = time.monotonic()
        """When the database last answered."""
        self.kill_at: float | None = None
        self.job = job
        self.lookout = Lookout(job.config)
        self.pulse = Pulse()
        self.silent_seconds = 0.0
        """For how long the stage's process had given no sign of life when it was ended for that."""

    def follow(self) -> int:
        """Stays with the stage until it ends, and answers its exit status. Raises ClaimLost."""
        next_beat = 0.0
        while True:
            returncode = self.process.poll()  # before the reading: what an ended stage wrote is all there
            self._pass_on_stop()
            all_in = False
            if returncode is not None or time.monotonic() >= next_beat:
                all_in = self._beat()
                next_beat = time.monotonic() + BEAT_SECONDS
            if returncode is not None:
                if all_in:
                    return returncode
            elif self.kill_at is not None and time.monotonic() >= self.kill_at:
                log.warning("job %s did not stop in %s s; killed", self.claim.job_id, settings.JOB_STOP_SECONDS)
                _kill_group(self.process)
            elif self.pulse.silent_seconds > settings.JOB_STALL_SECONDS and not self.silent_seconds:
                self.silent_seconds = self.pulse.silent_seconds
                log.warning("job %s gave no sign of life for %.0f s; ended", self.claim.job_id, self.silent_seconds)
                _kill_group(self.process)
            time.sleep(LOOK_SECONDS)

    def _pass_on_stop(self) -> None:
        """To the stage itself, not to its group: torchrun hands a signal on, and a second one ends a stage at once."""
        if self.stop and self.kill_at is None and self.process.returncode is None:
            self.process.terminate()
            self._be_patient()

    def _be_patient(self) -> None:
        self.kill_at = time.monotonic() + settings.JOB_STOP_SECONDS

    def _beat(self) -> bool:
        """Takes in what is new and passes on what people want; whether all that was written is in.

        Raises ClaimLost without the database for too long.
        """
        try:
            wanted = self._take_in()
        except (OperationalError, InterfaceError) as error:
            log.warning("job %s: the database does not answer: %s", self.claim.job_id, error)
            connection.close()
            self.tail.rewind()  # What was read may not be stored; storing it twice changes nothing.
            if time.monotonic() - self.heard_at > settings.JOB_LEASE_SECONDS:
                raise ClaimLost(f"job {self.claim.job_id}: no database for a whole lease") from error
            return False
        self.heard_at = time.monotonic()
        if wanted != self.wanted:
            self._pass_on(wanted)
        return not self.tail.more

    def _take_in(self) -> str:
        status = status_of(self.folder, attempt=self.claim.attempt)
        lines = self.tail.read()
        changes = followed(status)
        if self.pulse.heed(status):
            changes["stepped_at"] = Now()
        saved = status.checkpoint_step if status else None
        if saved is not None and saved > self.checkpoint_step:
            self.checkpoint_step = saved
            changes["attempts_without_progress"] = 0
        with jobs.holding(self.claim, **changes):
            if self.tail.stale_after is not None:
                forget_metrics(self.claim.job_id, after=self.tail.stale_after)
            store_metrics(self.claim.job_id, lines)
            self._look_out(lines)
            return jobs.wanted_of(self.claim)

    def _look_out(self, lines: Sequence[Line]) -> None:
        """Needs the claim held."""
        for sounding in self.lookout.heed(lines):
            raise_alarm(self.job, sounding.kind, sounding.message, step=sounding.step)
        if self.pulse.stalled:
            step = self.pulse.step
            sentence = f"No step since step {step:,} for {self.pulse.still_seconds / 60:.0f} min, in attempt"
            message = f"{sentence} {self.claim.attempt}; the process lives. Read the log, or cancel it."
            raise_alarm(self.job, Alarm.Kind.STALLED, message, step=step, attempt=self.claim.attempt)

    def _pass_on(self, wanted: str) -> None:
        """Tried again with the next beat where it cannot be written: the disk may be full just now."""
        control = Control.from_json({"request": wanted, "attempt": self.claim.attempt})
        if wanted == Job.Wanted.CANCEL and self.kill_at is None:
            self._be_patient()
        try:
            write_control(self.folder, control)
        except OSError as error:
            log.warning("job %s: its stage cannot be told to %s yet: %s", self.claim.job_id, wanted, error)
        else:
            self.wanted = wanted
