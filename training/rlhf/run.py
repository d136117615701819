"""A run as its stage sees it: config, checked inputs, and the means to report, to save, to pause and to release.

A stage calls `poll` between micro-batches, `log` for its numbers, `end_step` after each optimizer step and `release` at
the end. What surrounds it (lock, heart beat, exit code) is in attempt.py.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType

import torch

from training.rlhf import checkpoints
from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.exit_codes import Cancelled, ConfigRefused, Paused
from training.rlhf.contract.records import Kind, Row, write_rows
from training.rlhf.contract.run_folder import DataFile, Phase, RunFolder, model_identity, write_json
from training.rlhf.inputs import Inputs
from training.rlhf.progress import Progress
from training.rlhf.release import ACCORD_FILE, ModelFacts, accord_facts


class Run:
    """What a stage is given."""

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

    def log(
        self, step: int, values: Mapping[str, float | int], *, split: str | None = None, always: bool = False
    ) -> None:
        """A line of metrics.jsonl, at the steps that logging.every_steps asks for and whenever there is a split."""
        due = step % self.config.logging.every_steps == 0 or step == self.progress.status.steps
        if due or always or split is not None:
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
        if damaged:
            checkpoints.set_aside_newer(self.folder, than=found.step if found else -1)
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
        # Not the remainder: steps of sample and score are prompts, and many are done at once.
        crossed = step // every.every_steps > self._last_saved_step // every.every_steps
        kept = step in self.kept_steps.union(every.keep_steps)
        return kept or late or crossed or step == self.progress.status.steps

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
