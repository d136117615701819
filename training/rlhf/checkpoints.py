"""Checkpoints that are good or are not there: atomic save, verified resume, careful pruning.

A checkpoint is written into a temporary folder, its files are hashed and flushed to the disk, the manifest comes last,
and one rename makes it visible. It is good exactly when its manifest is there and all hashes hold. What a checkpoint
holds is the stage's affair: `model/` is what would be released, `trainer/` what is needed to go on.
"""

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors import SafetensorError

from training.rlhf.contract.exit_codes import CannotWrite
from training.rlhf.contract.run_folder import RunFolder, Sha256, file_sha256, write_json
from training.rlhf.contract.settings import NotNegative
from training.rlhf.contract.strict import Refused, Section, Within, parse_json

MANIFEST = "manifest.json"
TRAINER_STATE = "state.pt"


@dataclass(frozen=True, kw_only=True)
class FileEntry(Section):
    """What a file has to be."""

    bytes: NotNegative
    sha256: Sha256


@dataclass(frozen=True, kw_only=True)
class Manifest(Section):
    """manifest.json of a checkpoint."""

    step: NotNegative
    attempt: NotNegative
    files: Mapping[str, FileEntry]
    metrics_bytes: NotNegative
    samples_bytes: NotNegative
    events_bytes: NotNegative
    seconds: Annotated[float, Within(at_least=0)]
    """Worked on the run so far."""


@dataclass(frozen=True)
class Checkpoint:
    """A good one, found on the disk."""

    path: Path
    manifest: Manifest

    @property
    def step(self) -> int:
        return self.manifest.step

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def trainer(self) -> Path:
        return self.path / "trainer"

    @property
    def offsets(self) -> dict[str, int]:
        manifest = self.manifest
        return {name: getattr(manifest, name) for name in ("metrics_bytes", "samples_bytes", "events_bytes")}


def save(
    folder: RunFolder,
    *,
    step: int,
    attempt: int,
    write: Callable[[Path], None],
    offsets: Mapping[str, int],
    seconds: float,
    fence: Callable[[], object],
) -> Checkpoint:
    """Writes the checkpoint of a step; one of the same step is replaced.

    write: fills an empty folder. fence: raises if the run is no longer ours; called just before the rename.
    Raises CannotWrite, leaving nothing behind, if the disk is full or refuses.
    """
    temporary = folder.checkpoints / f"tmp-{attempt}-{step:08d}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        write(temporary)
        manifest = Manifest(step=step, attempt=attempt, files=_describe(temporary), seconds=seconds, **offsets)
        write_json(temporary / MANIFEST, manifest.to_json())
        fence()
        _put_in_place(temporary, folder.checkpoint(step))
        latest = {"step": step, "manifest_sha256": file_sha256(folder.checkpoint(step) / MANIFEST)}
        write_json(folder.latest, latest)
    except (OSError, SafetensorError) as error:
        raise CannotWrite(
            f"the checkpoint of step {step} cannot be written: {error}; the last good one is kept"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Checkpoint(folder.checkpoint(step), manifest)


def _describe(folder: Path) -> dict[str, FileEntry]:
    """Every file with its size and hash, flushed to the disk."""
    entries = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        entries[path.relative_to(folder).as_posix()] = FileEntry(bytes=path.stat().st_size, sha256=file_sha256(path))
    return entries


def _put_in_place(temporary: Path, final: Path) -> None:
    if final.exists():
        (final / MANIFEST).unlink(missing_ok=True)  # from here on the old one counts as not there
        shutil.rmtree(final)
    os.replace(temporary, final)
    parent = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(parent)  # the rename itself must survive a power cut
    finally:
        os.close(parent)


def read(path: Path) -> Checkpoint:
    """Raises Refused if the checkpoint is not good: its manifest or a file is missing, or a hash does not hold."""
    try:
        manifest = Manifest.from_json(parse_json((path / MANIFEST).read_bytes()))
        for name, entry in manifest.files.items():
            if file_sha256(path / name) != entry.sha256:
                raise Refused(f"{path.name}/{name}", "is not the file that was saved: its sha256 differs")
    except FileNotFoundError as error:
        raise Refused(path.name, f"is not whole: {Path(str(error.filename)).name} is missing") from error
    return Checkpoint(path, manifest)


def newest_good(folder: RunFolder, *, damaged: Callable[[str], object] = lambda sentence: None) -> Checkpoint | None:
    """The good checkpoint with the most steps; `damaged` hears a sentence about each newer one that is not good."""
    for path in sorted(folder.checkpoints.glob("step-*"), reverse=True):
        try:
            return read(path)
        except Refused as refused:
            damaged(str(refused))
    return None


def set_aside_newer(folder: RunFolder, *, than: int) -> None:
    """Renames the checkpoints of later steps, found to be damaged, so that they count as kept ones no more."""
    for path in list(folder.checkpoints.glob("step-*")):
        if int(path.name.removeprefix("step-")) > than:
            aside = path.with_name(f"damaged-{path.name}")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)


def remove_leftovers(folder: RunFolder) -> None:
    """What attempts that were killed left half-written. Call it only while holding the run's lock."""
    for path in [*folder.checkpoints.glob("tmp-*"), *folder.root.glob("tmp-*-model")]:
        shutil.rmtree(path, ignore_errors=True)
    for path in [*folder.output_manifest.parent.glob("*.tmp*"), *folder.checkpoints.glob("*.json.tmp-*")]:
        path.unlink(missing_ok=True)


def prune(folder: RunFolder, *, keep: int, keep_steps: Collection[int] = ()) -> None:
    """Removes all but the newest `keep` checkpoints and those of `keep_steps`."""
    older = sorted(folder.checkpoints.glob("step-*"))[:-keep]
    for path in older:
        step = int(path.name.removeprefix("step-"))
        if step not in keep_steps:
            (path / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(path)


def save_trainer(folder: Path, state: dict[str, Any]) -> None:
    """Writes trainer/ of a checkpoint: tensors, numbers, texts, lists and dicts; the random state is added.

    folder: the one that `write` of `save` was given.
    Raises OSError if the disk is full: torch's own writer says it as a RuntimeError.
    """
    trainer = folder / "trainer"
    trainer.mkdir()
    try:
        torch.save({**state, "random": random_state()}, trainer / TRAINER_STATE)
    except RuntimeError as error:
        raise OSError(f"torch could not write {TRAINER_STATE}: {error}") from error


def load_trainer(checkpoint: Checkpoint) -> dict[str, Any]:
    """What `save_trainer` was given, on the CPU; the random state is set again. Loads data only, never code."""
    state: dict[str, Any] = torch.load(checkpoint.trainer / TRAINER_STATE, map_location="cpu", weights_only=True)
    set_random_state(state.pop("random"))
    return state


def random_state() -> dict[str, Any]:
    """Of torch on the CPU and on every GPU. No other generator is used in the learning."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def set_random_state(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
