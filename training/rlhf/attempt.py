"""One attempt at a stage: from the command line to the exit code. What all stages share, so that a stage is a story.

    def train(run: Run) -> None: ...

    if __name__ == "__main__":
        run_stage("sft", train)

The stage is given a `Run` whose inputs are checked. It calls `run.poll()` between micro-batches, `run.log()` for its
numbers, `run.end_step()` after each optimizer step, and `run.release()` at the end; it raises a StageEnd to stop for a
reason that has an exit code. Everything else (lock, heart beat, signals, fencing, error.json) happens here.
"""

import errno
import fcntl
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import TextIO

import torch

from training.rlhf import checkpoints
from training.rlhf.contract.config import RunConfig, StageName, load_config
from training.rlhf.contract.exit_codes import (
    Cancelled,
    CannotWrite,
    ConfigRefused,
    ExitCode,
    Fenced,
    OutOfMemory,
    Paused,
    StageEnd,
)
from training.rlhf.contract.records import Kind, Row, write_rows
from training.rlhf.contract.run_folder import (
    DataFile,
    ErrorNote,
    Phase,
    RunFolder,
    State,
    file_sha256,
    model_identity,
    read_control,
    read_status,
    write_json,
)
from training.rlhf.contract.strict import Refused
from training.rlhf.inputs import Inputs, check_inputs
from training.rlhf.progress import Progress
from training.rlhf.release import ACCORD_FILE, ModelFacts, accord_facts

LOCK_WAIT_SECONDS = 30.0
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)
END_STATES: dict[ExitCode, State] = {
    ExitCode.PAUSED: "paused",
    ExitCode.CANCELLED: "cancelled",
    ExitCode.STOPPED_EARLY: "done",
}


class Run:
    """What a stage is given: its config, its checked inputs, and the means to report, save and release."""

    def __init__(self, folder: RunFolder, config: RunConfig, progress: Progress, inputs: Inputs) -> None:
        self.folder = folder
        self.config = config
        self.inputs = inputs
        self.progress = progress
        self.device = choose_device(config)
        self.kept_steps: set[int] = set()
        """Steps whose checkpoints are saved and kept, beside those of checkpoints.keep_steps: the stage's to change."""
        self.model_facts: ModelFacts | None = None
        """What accord.json is to say of the model; set before the first checkpoint."""
        self._signals = 0
        self._last_step = 0
        self._last_saved_step = 0
        self._last_saved_at = time.monotonic()
        self._outputs: list[DataFile] = []

    # where it stands

    def plan(self, steps: int) -> None:
        """How many steps there will be in all; from here on the run counts as running."""
        self.progress.plan(steps)

    def phase(self, phase: Phase) -> None:
        self.progress.phase(phase)
        self.poll()

    @property
    def micro_batch_tokens(self) -> int:
        """Tokens of one forward pass; the launcher may ask for fewer than the config."""
        return self.progress.control.micro_batch_tokens or self.config.hardware.micro_batch_tokens

    def poll(self) -> None:
        """Call it between micro-batches. Raises Cancelled or Fenced at once, and Paused if no finished step is unsaved;
        otherwise a pause waits for the end of the step.
        """
        if self.progress.read_control().request == "cancel":
            raise Cancelled(f"cancelled at step {self._last_step}")
        if self._pause_wanted:
            self.progress.pausing()
            if self._last_step == self._last_saved_step:
                raise Paused(f"paused at step {self._last_step}")

    @property
    def _pause_wanted(self) -> bool:
        return self._signals > 0 or self.progress.control.request == "pause"

    # what it says

    def log(self, step: int, values: Mapping[str, float | int], *, split: str | None = None) -> None:
        """A line of metrics.jsonl, at the steps that logging.every_steps asks for and whenever there is a split."""
        if split is not None or step % self.config.logging.every_steps == 0 or step == self.progress.status.steps:
            self.progress.log(step, values, split=split)

    def event(self, kind: str, **facts: object) -> None:
        self.progress.event(kind, **facts)

    def sample(self, step: int, **facts: object) -> None:
        self.progress.sample(step, **facts)

    # checkpoints

    def resume(self) -> checkpoints.Checkpoint | None:
        """The newest good checkpoint, with the three line files cut to it; None to start at step 0 with empty ones."""
        damaged: list[str] = []
        found = checkpoints.newest_good(self.folder, damaged=damaged.append)
        self.progress.cut(found.offsets if found else {})
        for sentence in damaged:
            self.event("checkpoint_damaged", message=sentence)
        if found:
            self._last_step = self._last_saved_step = found.step
            self.progress.seconds_before = found.manifest.seconds
            self.progress.step_done(found.step)
            self.progress.checkpoint_saved(found.step)
        self.event("resume" if found else "start", step=self._last_step, threads=torch.get_num_threads(),
                   device=str(self.device), processes=1)  # fmt: skip
        return found

    def end_step(self, step: int, save: Callable[[Path], None]) -> None:
        """After each step: saves if a checkpoint is due, and pauses if that is wanted.

        save: writes what is to be kept into a folder: `model/` and, with checkpoints.save_trainer, `trainer/`.
        """
        self._last_step = step
        self.progress.step_done(step)
        if self._is_due(step) or self._pause_wanted:
            self.save(step, save)
        self.poll()

    def _is_due(self, step: int) -> bool:
        every = self.config.checkpoints
        late = time.monotonic() - self._last_saved_at >= every.every_seconds
        kept = step in self.kept_steps.union(every.keep_steps)
        return kept or late or step % every.every_steps == 0 or step == self.progress.status.steps

    def save(self, step: int, save: Callable[[Path], None]) -> None:
        """Saves the checkpoint of a step now, in place of one that is there."""
        phase = self.progress.status.phase
        self.progress.phase("checkpoint")
        settings = self.config.checkpoints

        def write(folder: Path) -> None:
            save(folder)
            if self.model_facts is not None:
                facts = accord_facts(self.folder, self.config, self.inputs, self.model_facts, step=step)
                write_json(folder / "model" / ACCORD_FILE, facts)

        checkpoints.save(
            self.folder, step=step, attempt=self.progress.attempt, write=write, offsets=self.progress.offsets(),
            seconds=self.progress.seconds, fence=self.progress.read_control,
        )  # fmt: skip
        self._last_saved_step, self._last_saved_at = step, time.monotonic()
        self.progress.checkpoint_saved(step)
        self.event("checkpoint", step=step)
        checkpoints.prune(self.folder, keep=settings.keep, keep_steps=self.kept_steps.union(settings.keep_steps))
        self.progress.phase(phase)

    # results

    def write_output(self, name: str, kind: Kind, rows: Iterable[Row]) -> None:
        """Writes output/<name>.jsonl."""
        path = self.folder.output(name)
        path.parent.mkdir(exist_ok=True)
        self.progress.read_control()
        self._outputs.append(DataFile(name=name, kind=kind, **write_rows(path, rows).to_json()))

    def release(self, step: int | None, report: Mapping[str, object]) -> None:
        """Puts the results in place: model/ as a copy of the checkpoint of `step`, output/manifest.json, report.json.

        step: None where the stage makes no model.
        """
        self.progress.phase("export")
        told = dict(report)
        if step is not None:
            self._release_model(checkpoints.read(self.folder.checkpoint(step)))
            told["model"] = {"step": step, "sha256": model_identity(self.folder.model)}
        if self._outputs:
            write_json(self.folder.output_manifest, [file.to_json() for file in self._outputs])
        write_json(self.folder.report, told)

    def _release_model(self, checkpoint: checkpoints.Checkpoint) -> None:
        temporary = self.folder.root / f"tmp-{self.progress.attempt}-model"
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(checkpoint.model, temporary, copy_function=_link_or_copy)
        self.progress.read_control()
        shutil.rmtree(self.folder.model, ignore_errors=True)
        os.replace(temporary, self.folder.model)

    # signals

    def listen_to_signals(self) -> None:
        """The first SIGTERM or SIGINT asks for a pause; the second ends the process at once."""

        def hear(number: int, frame: FrameType | None) -> None:
            self._signals += 1
            if self._signals > 1:
                os._exit(128 + number)

        signal.signal(signal.SIGTERM, hear)
        signal.signal(signal.SIGINT, hear)


def _link_or_copy(source: str, target: str) -> None:
    """A hard link costs no space; some file systems have none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def choose_device(config: RunConfig) -> torch.device:
    """Raises ConfigRefused if a GPU is asked for and there is none."""
    wanted = config.hardware.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigRefused('hardware.device is "cuda", but torch sees no GPU here; expected "auto" or "cpu"')
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def run_stage(stage: StageName, work: Callable[[Run], None], arguments: list[str] | None = None) -> None:
    """The whole of a stage's process; ends it with the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(f"usage: python -m training.rlhf.{stage} RUN_DIR (a folder with config.json in it)", file=sys.stderr)
        sys.exit(ExitCode.WRONG_COMMAND)
    sys.exit(attempt_stage(RunFolder(Path(arguments[0]).resolve()), stage, work))


def attempt_stage(folder: RunFolder, stage: StageName, work: Callable[[Run], None]) -> ExitCode:
    """Runs the stage, and tells its end in status.json, error.json, one line on stderr and the exit code."""
    progress = Progress(folder, attempt=_attempt_number(folder))
    lock: TextIO | None = None
    try:
        config = _load_config_of(folder, stage)
        lock = _take_lock(folder, progress)
        progress.start()
        _remember_config(lock, folder)
        _prepare_torch(config)
        checkpoints.remove_leftovers(folder)
        run = Run(folder, config, progress, check_inputs(folder, config))
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
    launched = read_control(folder) is not None
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
    lock.seek(0)
    first = lock.read().strip()
    if not first:
        lock.write(json.dumps({"config_sha256": sha256}) + "\n")
        lock.flush()
    elif json.loads(first)["config_sha256"] != sha256:
        raise ConfigRefused(
            "config.json was changed since the run began; a changed config is a new run, in a new folder"
        )


def _prepare_torch(config: RunConfig) -> None:
    """Same seed, same threads, same numbers."""
    torch.set_num_threads(config.hardware.threads)
    torch.manual_seed(config.seed)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _tell_end(progress: Progress, error: Exception) -> ExitCode:
    end = _as_stage_end(error)
    if end is None:
        traceback.print_exception(error)
        code, note = ExitCode.BUG, ErrorNote(code="bug", message=f"{type(error).__name__}: {error}")
    else:
        code, note = end.exit_code, ErrorNote(code=end.code, message=str(end))
        print(end, file=sys.stderr)
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
        print(f"the end could not be told in {progress.folder.root}: {trouble}", file=sys.stderr)
    return code


def _as_stage_end(error: Exception) -> StageEnd | None:
    """The failure as one of those that have an exit code; None for a bug."""
    if isinstance(error, StageEnd):
        return error
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OutOfMemory(f"out of memory: {error}; a smaller hardware.micro_batch_tokens needs less")
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return CannotWrite(f"{error.filename or 'a file'} cannot be written: {error.strerror}")
    return None
