"""One attempt at a stage, from the command line to the exit code: lock, heart beat, signals, the telling of the end.

    def train(run: Run) -> None: ...

    if __name__ == "__main__":
        run_stage("sft", train)

The stage is given a `Run` (run.py) whose inputs are checked; it raises a StageEnd to stop for a reason that has an exit
code, and returns when it is done.
"""

import contextlib
import errno
import fcntl
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeVar, cast

import torch

from training.rlhf import checkpoints
from training.rlhf.contract.config import RunConfig, StageName, load_config
from training.rlhf.contract.exit_codes import (
    CannotWrite,
    ConfigRefused,
    ExitCode,
    Fenced,
    InputMissing,
    OutOfMemory,
    StageEnd,
)
from training.rlhf.contract.run_folder import (
    ErrorNote,
    RunFolder,
    State,
    file_sha256,
    read_control,
    read_status,
    write_json,
)
from training.rlhf.contract.strict import Refused
from training.rlhf.inputs import Inputs, check_inputs
from training.rlhf.memory import keep_freed_memory
from training.rlhf.progress import Progress
from training.rlhf.run import Run

LOCK_WAIT_SECONDS = 30.0
TRACEBACK_CHARACTERS = 8000
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
END_STATES: dict[ExitCode, State] = {
    ExitCode.PAUSED: "paused",
    ExitCode.CANCELLED: "cancelled",
    ExitCode.STOPPED_EARLY: "done",
}


def run_stage(stage: StageName, work: Callable[[Run], None], arguments: list[str] | None = None) -> None:
    """The whole of a stage's process; ends it with the exit code."""
    keep_freed_memory()
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(f"usage: python -m training.rlhf.{stage} RUN_DIR (a folder with config.json in it)", file=sys.stderr)
        sys.exit(ExitCode.WRONG_COMMAND)
    code = attempt_stage(RunFolder(Path(arguments[0]).resolve()), stage, work)
    _empty_the_streams()
    sys.exit(code)


def _empty_the_streams() -> None:
    """Whatever the log cannot take any more is given up. Python would end with another exit code for it, and a launcher
    that cannot tell a full disk from a bug starts the stage again in vain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def attempt_stage(folder: RunFolder, stage: StageName, work: Callable[[Run], None]) -> ExitCode:
    """Runs the stage, and tells its end in status.json, error.json, one line on stderr and the exit code."""
    progress = Progress(folder, attempt=_attempt_number(folder))
    lock: TextIO | None = None
    try:
        lock = _take_lock(folder, progress)  # first: whoever does not hold it writes nothing, not even a refusal
        config = _load_config_of(folder, stage)
        progress.start()
        _remember_config(lock, folder)
        _prepare_torch(config)
        checkpoints.remove_leftovers(folder)
        inputs = check_inputs(folder, config)
        _remember_inputs(lock, inputs)
        run = Run(folder, config, progress, inputs)
        run.listen_to_signals()
        work(run)
    except Exception as error:  # noqa: BLE001 (the process's door: every failure becomes an exit code and a sentence)
        return _tell_end(progress, error)
    else:
        progress.end("done")
        return ExitCode.DONE
    finally:
        if lock is not None:
            lock.close()


def _attempt_number(folder: RunFolder) -> int:
    """From control.json; run by hand without one, the last attempt + 1."""
    try:
        control = read_control(folder)
        if control is not None:
            return control.attempt
        status = read_status(folder)
        return status.attempt + 1 if status else 1
    except Refused as refused:
        print(f"{refused}; counting from attempt 1", file=sys.stderr)
        return 1


def _load_config_of(folder: RunFolder, stage: StageName) -> RunConfig:
    config = load_config(folder.config)
    if config.stage != stage:
        raise ConfigRefused(f'stage is "{config.stage}", but this is training.rlhf.{stage}')
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size != 1:
        raise ConfigRefused(f"WORLD_SIZE is {world_size}; this version runs a stage in one process")
    return config


def _take_lock(folder: RunFolder, progress: Progress) -> TextIO | None:
    """Locks the run for this process, where the file system can.

    An older attempt that still holds it is given time to notice that it was replaced. If it never lets go (stopped,
    or on a host that lost touch), the attempt named in control.json goes on: the older one is fenced at its next write.
    Run by hand, without control.json, nothing fences the other one, and it is left alone.
    """
    lock = folder.lock.open("a+", encoding="utf-8")
    launched = folder.control.exists()
    waited_until = time.monotonic() + (LOCK_WAIT_SECONDS if launched else 0)
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() >= waited_until:
                break
            time.sleep(0.2)
        except OSError:
            return lock  # a file system without locks: fencing by attempt is what is left
    holder = read_status(folder)
    if not launched or holder is None or holder.attempt >= progress.attempt:
        lock.close()
        raise Fenced(f"another process works in {folder.root}; attempt {progress.attempt} leaves it alone")
    return lock


def _remember_config(lock: TextIO | None, folder: RunFolder) -> None:
    """Raises ConfigRefused if config.json is not the one that the run began with."""
    if lock is None:
        return
    sha256 = file_sha256(folder.config)
    if _remembered(lock, "config_sha256", sha256) != sha256:
        raise ConfigRefused(
            "config.json was changed since the run began; a changed config is a new run, in a new folder"
        )


def _remember_inputs(lock: TextIO | None, inputs: Inputs) -> None:
    """Raises InputMissing if a data file or a model is not the one that the run began with, whatever its manifest says
    by now: a run that went on with others would have learned from something that nobody wrote down."""
    if lock is None:
        return
    identities = {f"data/{name}.jsonl": file.sha256 for name, file in inputs.data.items()}
    identities |= {f"the model of role {role}": model.sha256 for role, model in inputs.models.items()}
    first = _remembered(lock, "inputs_sha256", identities)
    changed = sorted(name for name, sha256 in identities.items() if first.get(name) != sha256)
    if changed:
        raise InputMissing(
            f"{changed[0]} was changed since the run began; a run with other inputs is a new run, in a new folder"
        )


T = TypeVar("T")


def _remembered(lock: TextIO, name: str, now: T) -> T:
    """What the first attempt wrote under this name into the lock, a line of its own; written now if none did."""
    lock.seek(0)
    for line in lock:
        said = json.loads(line)
        if name in said:
            return cast(T, said[name])
    lock.write(json.dumps({name: now}, sort_keys=True) + "\n")
    lock.flush()
    return now


def _prepare_torch(config: RunConfig) -> None:
    """Same seed, same threads, same numbers."""
    torch.set_num_threads(config.hardware.threads)
    torch.manual_seed(config.seed)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _tell_end(progress: Progress, error: Exception) -> ExitCode:
    end = _as_stage_end(error)
    if end is None:
        told = "".join(traceback.format_exception(error))
        _say(told.rstrip())
        told = told[-TRACEBACK_CHARACTERS:]
        note = ErrorNote(code="bug", message=f"{type(error).__name__}: {error}", traceback=told)
        code = ExitCode.BUG
    else:
        code, note = end.exit_code, ErrorNote(code=end.code, message=str(end))
        _say(str(end))
    try:
        if code not in (
            ExitCode.FENCED,
            ExitCode.PAUSED,
            ExitCode.CANCELLED,
            ExitCode.STOPPED_EARLY,
            ExitCode.CONFIG_REFUSED,
        ):
            write_json(progress.folder.error(progress.attempt), note.to_json())
        if code != ExitCode.FENCED:
            progress.end(END_STATES.get(code, "failed"), None if code == ExitCode.PAUSED else note)
    except Fenced:
        return ExitCode.FENCED
    except OSError as trouble:
        _say(f"the end could not be told in {progress.folder.root}: {trouble}")
    return code


def _say(words: str) -> None:
    """Into the log, if its disk has room."""
    with contextlib.suppress(OSError):
        print(words, file=sys.stderr)


def _as_stage_end(error: Exception) -> StageEnd | None:
    """The failure as one of those that have an exit code; None for a bug."""
    if isinstance(error, StageEnd):
        return error
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OutOfMemory(f"out of memory: {error}; a smaller hardware.micro_batch_tokens needs less")
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return CannotWrite(f"{error.filename or 'a file'} cannot be written: {error.strerror}")
    return None
