"""What becomes of a job when an attempt ends: the exit-code table, the taking in of results, and who judges them."""

import logging
import signal
import time
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction

from labeling.errors import Refusal
from labeling.models import Generator, Prompt, Response
from training import jobs
from training.conditions import TOLD
from training.following import worked_seconds
from training.models import Checkpoint, Job
from training.preflight import GENERATORS
from training.rating import open_rating_campaign
from training.rlhf.contract import records
from training.rlhf.contract.exit_codes import DataRefused, ExitCode, InputMissing
from training.rlhf.contract.run_folder import (
    DataFile,
    ErrorNote,
    RunFolder,
    Status,
    file_sha256,
    model_identity,
    read_output_manifest,
)
from training.rlhf.contract.settings import WATCH
from training.rlhf.contract.strict import Refused, parse_json
from training.snapshot_rows import number_in

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
"""Without a new checkpoint in between."""
MOST_ATTEMPTS_AT_A_BUG = 2
RESPONSES_AT_ONCE = 1000
SETTLE_TRIES = 4
SETTLE_WAIT_SECONDS = 1.0


class Verdict(Enum):
    """What the supervisor does about the end of an attempt."""

    FINISH = "finish"
    FAIL = "fail"
    CANCEL = "cancel"
    PAUSE = "pause"
    REQUEUE = "requeue"
    """The attempt counts as one that brought nothing, unless there was a checkpoint since."""
    REQUEUE_UNCOUNTED = "requeue, uncounted"
    """The worker was told to stop: no fault of the stage's."""


@dataclass(frozen=True)
class Ending:
    """How an attempt ended. code: of the stage, or None where it was killed (`returncode` then says how)."""

    code: ExitCode | None
    returncode: int
    error: ErrorNote | None = None


def read_ending(returncode: int, status: Status | None) -> Ending:
    """The stage's own word first: a launcher of several processes answers 1 for all of them."""
    error = status.error if status else None
    if status is not None and status.state in ("done", "paused", "cancelled", "failed"):
        by_state = {"done": ExitCode.DONE, "paused": ExitCode.PAUSED, "cancelled": ExitCode.CANCELLED}
        code = _code_named(error.code) if error else by_state.get(status.state)
        if code is not None:
            return Ending(code, returncode, error)
    try:
        code = ExitCode(returncode)
    except ValueError:
        code = None
    # Said by nobody but the process: done without a word in status.json is not done.
    return Ending(None if code == ExitCode.DONE else code, returncode, error)


def _code_named(word: str) -> ExitCode | None:
    return ExitCode.__members__.get(word.upper())


FAILS = {
    ExitCode.WRONG_COMMAND,
    ExitCode.DATA_REFUSED,
    ExitCode.INPUT_MISSING,
    ExitCode.OUT_OF_MEMORY,
    ExitCode.CANNOT_WRITE,
    ExitCode.NOT_FINITE,
    ExitCode.CONFIG_REFUSED,
}


def what_follows(ending: Ending, *, wanted: str, stopping: bool, attempts_without_progress: int) -> Verdict:
    """The table of docs/run_folder.md.

    wanted: what a person asked for. stopping: the worker was told to stop. attempts_without_progress: since the newest
    checkpoint, this one included.
    """
    code = ending.code
    if code in (ExitCode.DONE, ExitCode.STOPPED_EARLY):
        return Verdict.FINISH
    if code == ExitCode.CANCELLED:
        return Verdict.CANCEL
    if code == ExitCode.PAUSED:
        by_wish = {Job.Wanted.PAUSE: Verdict.PAUSE, Job.Wanted.CANCEL: Verdict.CANCEL}
        return by_wish.get(Job.Wanted(wanted), Verdict.REQUEUE_UNCOUNTED)
    if code in FAILS:
        return Verdict.FAIL
    if code == ExitCode.BUG and wanted != Job.Wanted.CANCEL:
        return Verdict.REQUEUE if attempts_without_progress < MOST_ATTEMPTS_AT_A_BUG else Verdict.FAIL
    # Fenced while our claim holds: by what stands in the run folder, not by a worker of ours. Like a kill.
    return _after_a_kill(wanted=wanted, stopping=stopping, attempts_without_progress=attempts_without_progress)


def _after_a_kill(*, wanted: str, stopping: bool, attempts_without_progress: int) -> Verdict:
    if wanted == Job.Wanted.CANCEL:
        return Verdict.CANCEL
    if wanted == Job.Wanted.PAUSE:
        return Verdict.PAUSE
    if stopping:
        return Verdict.REQUEUE_UNCOUNTED
    return Verdict.REQUEUE if attempts_without_progress < MOST_ATTEMPTS else Verdict.FAIL


def settle(claim: jobs.Claim, folder: RunFolder, ending: Ending, *, stopping: bool) -> Verdict:
    """Writes down what follows, all of it or nothing. Raises ClaimLost.

    Tried again where the database gave up on it, as on one of two transactions that wait for each other: what an
    attempt made is not thrown away for that.
    """
    for left in range(SETTLE_TRIES - 1, -1, -1):
        try:
            return _settled(claim, folder, ending, stopping=stopping)
        except (OperationalError, InterfaceError) as error:
            if not left or connection.in_atomic_block:
                raise
            log.warning("job %s could not be settled, it is tried again: %s", claim.job_id, error)
            connection.close_if_unusable_or_obsolete()
            time.sleep(SETTLE_WAIT_SECONDS)
    raise AssertionError("unreachable")


def _settled(claim: jobs.Claim, folder: RunFolder, ending: Ending, *, stopping: bool) -> Verdict:
    with jobs.holding(claim):
        job = Job.objects.select_related("stage__round", "project").get(pk=claim.job_id)
        verdict = what_follows(
            ending, wanted=job.wanted, stopping=stopping, attempts_without_progress=job.attempts_without_progress
        )
        error = error_of(ending, job)
        if verdict is Verdict.FINISH:
            _finish(claim, job, folder, ending)
        elif verdict is Verdict.FAIL:
            jobs.end(claim, Job.State.FAILED, error=error)
        elif verdict is Verdict.CANCEL:
            jobs.end(claim, Job.State.CANCELLED)
        elif verdict is Verdict.PAUSE:
            jobs.end(claim, Job.State.PAUSED)
        elif verdict is Verdict.REQUEUE:
            jobs.requeue(claim, counted=True, error=error)
        elif verdict is Verdict.REQUEUE_UNCOUNTED:
            jobs.requeue(claim, counted=False)
    return verdict


def error_of(ending: Ending, job: Job) -> dict[str, Any]:
    """{"code", "message"} for the page."""
    if ending.error is not None:
        message = ending.error.message
        if ending.code == ExitCode.BUG:
            message += ". The traceback is in the log."
        told: dict[str, Any] = {"code": ending.error.code, "message": message}
        return told | ({"traceback": ending.error.traceback} if ending.error.traceback else {})
    if ending.code is not None:
        return {
            "code": ending.code.name.lower(),
            "message": f"The stage ended with exit code {ending.code:d}; see the log.",
        }
    return {"code": "killed", "message": _killed_sentence(ending.returncode, job)}


def _killed_sentence(returncode: int, job: Job) -> str:
    number = -returncode if returncode < 0 else returncode - 128
    try:
        how = f"was killed by {signal.Signals(number).name}"
    except ValueError:
        how = f"ended with exit code {returncode} and without a word"
    hint = " (often the system, when memory runs out)" if number == signal.SIGKILL else ""
    return f"The stage {how}{hint} at step {job.step}, in attempt {job.attempt}; see the log."


# --- results ----------------------------------------------------------------------------------------------------------

CHECKPOINT_KIND = {
    Job.Kind.PRETRAIN: Checkpoint.Kind.BASE,
    Job.Kind.SFT: Checkpoint.Kind.SFT,
    Job.Kind.REWARD: Checkpoint.Kind.REWARD,
    Job.Kind.PPO: Checkpoint.Kind.POLICY,
    Job.Kind.DPO: Checkpoint.Kind.POLICY,
}


def _finish(claim: jobs.Claim, job: Job, folder: RunFolder, ending: Ending) -> None:
    """Takes in what the stage made: a checkpoint with its generator, or responses. Needs the claim held."""
    try:
        with transaction.atomic():
            report = _read_report(folder)
            if job.kind in CHECKPOINT_KIND:
                register_checkpoint(job, folder, report)
            elif job.kind == Job.Kind.SAMPLE:
                take_in_responses(job, folder)
                if job.asks:
                    report["rating"] = open_rating_campaign(job)
    except (ValueError, DataRefused, InputMissing, OSError, Refusal) as error:
        message = f"The stage said that it is done, but its results cannot be taken in: {error}."
        jobs.end(claim, Job.State.FAILED, error={"code": "results_refused", "message": message})
    else:
        worked = worked_seconds(job.pk)
        if worked is not None:
            report["worked_seconds"] = worked
        early = ending.code == ExitCode.STOPPED_EARLY
        note = {"code": "stopped_early", "message": ending.error.message} if early and ending.error else None
        jobs.end(claim, Job.State.DONE, report=report, stopped_early=early, error=note)


def _read_report(folder: RunFolder) -> dict[str, Any]:
    report = parse_json(folder.report.read_bytes())
    if not isinstance(report, dict):
        raise Refused(folder.report.name, "is not an object")
    return report


def register_checkpoint(job: Job, folder: RunFolder, report: dict[str, Any]) -> Checkpoint:
    """The released model as a row: named after its round and stage, with its identity, parents and generator."""
    kind = CHECKPOINT_KIND[Job.Kind(job.kind)]
    released = report.get("model") or {}
    name = _free_name(job)
    generator = None
    if kind != Checkpoint.Kind.REWARD:
        generator = Generator.objects.create(project=job.project, name=name, kind=kind)
    checkpoint = Checkpoint.objects.create(
        project=job.project, kind=kind, name=name, uri=folder.model.relative_to(folder.root.parent).as_posix(), job=job,
        sha256=released.get("sha256") or model_identity(folder.model), generator=generator, metrics=report,
        code=code_of(folder),
    )  # fmt: skip
    went_in = job.inputs.filter(checkpoint__isnull=False).exclude(role__startswith=WATCH)
    checkpoint.parents.set(went_in.values_list("checkpoint", flat=True))
    return checkpoint


def code_of(folder: RunFolder) -> dict[str, Any]:
    """The version that made the model, as it says itself; empty where it does not."""
    try:
        told = parse_json((folder.model / "accord.json").read_bytes())
    except (OSError, Refused):
        return {}
    code = told.get("code") if isinstance(told, dict) else None
    return dict(code) if isinstance(code, dict) else {}


def _free_name(job: Job) -> str:
    """r3-sft, or r3-sft-17 (with the job's number) where that is taken by a checkpoint or a generator."""
    name = f"r{job.stage.round.number}-{job.kind}" if job.stage else f"{job.kind}-{job.pk}"
    taken = (
        Checkpoint.objects.filter(project=job.project, name=name).exists()
        or Generator.objects.filter(project=job.project, name=name).exists()
    )
    return f"{name}-{job.pk}" if taken else name


def take_in_responses(job: Job, folder: RunFolder) -> int:
    """Rows of Response for what was sampled; returns how many. Raises if a file is not what its manifest says."""
    generators = _generators_of(job)
    taken = 0
    for file in read_output_manifest(folder):
        if file.kind == "response":
            taken += _take_in_file(job, folder, file, generators)
    return taken


def _generators_of(job: Job) -> dict[str, Generator]:
    """By the name in the config; a base model that has no generator yet gets one."""
    found = {}
    for one in job.inputs.select_related("checkpoint__generator").filter(role__startswith="generators"):
        checkpoint = one.checkpoint
        assert checkpoint is not None
        if checkpoint.generator is None:
            checkpoint.generator, _ = Generator.objects.get_or_create(
                project=job.project, name=checkpoint.name, defaults={"kind": Generator.Kind.BASE}
            )
            checkpoint.save(update_fields=["generator"])
        several = one.role.startswith(GENERATORS)
        found[one.role.removeprefix(GENERATORS) if several else checkpoint.generator.name] = checkpoint.generator
    return found


def _take_in_file(job: Job, folder: RunFolder, file: DataFile, generators: dict[str, Generator]) -> int:
    path = folder.output(file.name)
    if file_sha256(path) != file.sha256:
        raise InputMissing(f"output/{file.name}.jsonl is not the file that its manifest describes")
    rows = records.read_rows(path, records.Response)
    taken = 0
    while batch := list(islice(rows, RESPONSES_AT_ONCE)):
        ids = {number_in(row.prompt) for row in batch}
        known = set(Prompt.objects.filter(project=job.project, pk__in=ids).values_list("pk", flat=True))
        if ids - known:
            raise DataRefused(f"output/{file.name}.jsonl answers prompt {min(ids - known)}, which this project has not")
        Response.objects.bulk_create(_response(row, job, generators) for row in batch)
        taken += len(batch)
    return taken


def _told(row: records.Response, job: Job) -> str | None:
    """The condition as the checkpoint itself calls it; in an evaluation its key may have been written with a number."""
    asked: dict[str, str] = job.asks.get("told", {})
    return asked.get(row.generator, row.condition)


def _response(row: records.Response, job: Job, generators: dict[str, Generator]) -> Response:
    if row.generator not in generators:
        raise DataRefused(f"response {row.id} is by {row.generator!r}, which the job has no model of")
    return Response(
        prompt_id=number_in(row.prompt),
        generator=generators[row.generator],
        # A byte-level model may sample NUL, which PostgreSQL stores in no text.
        text=row.text.replace("\x00", "\N{REPLACEMENT CHARACTER}"),
        token_count=len(row.token_ids),
        finish_reason=row.finish,
        sampling={
            "job": job.pk,
            **({TOLD: told} if (told := _told(row, job)) else {}),
            "temperature": job.config["sample"]["temperature"],
            "seed": job.config["seed"],
            "token_ids": list(row.token_ids),
            "logprob": row.logprob,
        },
    )
