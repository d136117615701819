"""The files of a run folder: their names, and how the small ones are read and written. docs/run_folder.md tells it
in words.

The launcher writes config, data, models and control; the stage writes everything else; nobody writes both.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from training.rlhf.contract.records import Kind, Row, write_rows
from training.rlhf.contract.settings import AtLeastOne, Name, NotNegative
from training.rlhf.contract.strict import Refused, Section, Written, dump_json, parse_json

HASH_BLOCK_BYTES = 1 << 20

State = Literal["starting", "running", "pausing", "paused", "cancelled", "done", "failed"]
Phase = Literal["load", "train", "generate", "score", "validate", "checkpoint", "export"]
Request = Literal["run", "pause", "cancel"]


def is_sha256(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


Sha256 = Annotated[str, Written(as_="a sha256 of 64 hexadecimal digits", if_=is_sha256)]


@dataclass(frozen=True)
class RunFolder:
    """Where each file of a run is."""

    root: Path

    # written by the launcher

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def data_manifest(self) -> Path:
        return self.root / "data" / "manifest.json"

    def data(self, name: str) -> Path:
        return self.root / "data" / f"{name}.jsonl"

    @property
    def models_manifest(self) -> Path:
        return self.root / "models" / "manifest.json"

    def model_input(self, path: str) -> Path:
        """The folder (or link to one) that a config names, such as "models/sft"."""
        return self.root / path

    @property
    def control(self) -> Path:
        return self.root / "control.json"

    # written by the stage

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def samples(self) -> Path:
        return self.root / "samples.jsonl"

    @property
    def output_manifest(self) -> Path:
        return self.root / "output" / "manifest.json"

    def output(self, name: str) -> Path:
        return self.root / "output" / f"{name}.jsonl"

    @property
    def report(self) -> Path:
        return self.root / "report.json"

    def log(self, attempt: int) -> Path:
        return self.root / "log" / f"attempt-{attempt}"

    def rank_log(self, attempt: int, rank: int = 0) -> Path:
        """stdout and stderr of one rank; the launcher opens it."""
        return self.log(attempt) / f"rank-{rank}.log"

    def error(self, attempt: int) -> Path:
        return self.log(attempt) / "error.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:08d}"

    @property
    def latest(self) -> Path:
        return self.checkpoints / "latest.json"

    @property
    def model(self) -> Path:
        """The released weights; there only when the run is done."""
        return self.root / "model"


@dataclass(frozen=True, kw_only=True)
class DataFile(Section):
    """An entry of data/manifest.json and output/manifest.json."""

    name: Name
    kind: Kind
    rows: NotNegative
    bytes: NotNegative
    sha256: Sha256
    split: str | None = None
    snapshot: str | None = None
    """Id of the snapshot it is a copy of."""


@dataclass(frozen=True, kw_only=True)
class ModelEntry(Section):
    """An entry of models/manifest.json."""

    path: str
    """As the config names it: "models/sft"."""
    sha256: Sha256
    """`model_identity` of the folder."""


@dataclass(frozen=True, kw_only=True)
class Control(Section):
    """control.json: the one file that the launcher may replace while a stage runs."""

    request: Request = "run"
    attempt: AtLeastOne = 1
    """The attempt that owns the run; a stage with a smaller number writes nothing more."""
    micro_batch_tokens: AtLeastOne | None = None
    """In place of hardware.micro_batch_tokens."""


@dataclass(frozen=True, kw_only=True)
class ErrorNote(Section):
    """Why an attempt ended other than by being done."""

    code: str
    """A stable word: "not_finite"."""
    message: str
    rank: NotNegative = 0
    traceback: str | None = None
    """Of a bug, its end where it is long; the whole of it is in the log."""


@dataclass(frozen=True, kw_only=True)
class Status(Section):
    """status.json: where a stage stands."""

    attempt: AtLeastOne
    pid: int
    host: str
    state: State
    phase: Phase
    step: NotNegative
    steps: NotNegative | None
    """Of the whole run; null while it is not known."""
    beat: str
    """When the process last showed that it lives (its own clock, UTC)."""
    step_at: str | None
    """When its loop last advanced."""
    seconds_left: float | None = None
    checkpoint_step: NotNegative | None = None
    error: ErrorNote | None = None
    format: Literal[1] = 1


S = TypeVar("S", bound=Section)


def write_json(path: Path, value: object) -> None:
    """Replaces a file whole: a reader meets the old one or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(dump_json(value) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _read_section_file(path: Path, section: type[S]) -> S | None:
    """None where the file is not there. Raises Refused, naming the file."""
    try:
        return section.from_json(parse_json(path.read_bytes()))
    except FileNotFoundError:
        return None
    except Refused as refused:
        raise Refused(path.name, f"cannot be read: {refused}") from None


def read_status(folder: RunFolder) -> Status | None:
    return _read_section_file(folder.status, Status)


def write_status(folder: RunFolder, status: Status) -> None:
    write_json(folder.status, status.to_json())


def read_control(folder: RunFolder) -> Control | None:
    return _read_section_file(folder.control, Control)


def write_control(folder: RunFolder, control: Control) -> None:
    write_json(folder.control, control.to_json())


def read_error(folder: RunFolder, attempt: int) -> ErrorNote | None:
    return _read_section_file(folder.error(attempt), ErrorNote)


def _read_entries(path: Path, section: type[S]) -> list[S]:
    """Raises Refused; FileNotFoundError where the manifest is not there."""
    try:
        entries = parse_json(path.read_bytes())
        if not isinstance(entries, list):
            raise Refused("", "is not a list")
        return [section.from_json(entry) for entry in entries]
    except Refused as refused:
        raise Refused(f"{path.parent.name}/{path.name}", f"cannot be read: {refused}") from None


def read_data_manifest(folder: RunFolder) -> list[DataFile]:
    return _read_entries(folder.data_manifest, DataFile)


def read_models_manifest(folder: RunFolder) -> list[ModelEntry]:
    return _read_entries(folder.models_manifest, ModelEntry)


def read_output_manifest(folder: RunFolder) -> list[DataFile]:
    return _read_entries(folder.output_manifest, DataFile)


def write_data_file(
    folder: RunFolder,
    name: str,
    kind: Kind,
    rows: Iterable[Row],
    *,
    split: str | None = None,
    snapshot: str | None = None,
) -> DataFile:
    """Writes data/<name>.jsonl and describes it; the caller collects the entries for `write_data_manifest`."""
    path = folder.data(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = write_rows(path, rows)
    return DataFile(name=name, kind=kind, split=split, snapshot=snapshot, **written.to_json())


def write_data_manifest(folder: RunFolder, files: Iterable[DataFile]) -> None:
    write_json(folder.data_manifest, [file.to_json() for file in files])


def write_models_manifest(folder: RunFolder, entries: Iterable[ModelEntry]) -> None:
    write_json(folder.models_manifest, [entry.to_json() for entry in entries])


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def model_identity(folder: Path) -> str:
    """What a model is: the sha256 of the sorted list of (path, sha256) of its files, whatever its folder is called.

    Raises FileNotFoundError if there is no such folder or it is empty.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise FileNotFoundError(f"no files in {folder}")
    listed = [[path.relative_to(folder).as_posix(), file_sha256(path)] for path in files]
    return hashlib.sha256(dump_json(sorted(listed)).encode()).hexdigest()
