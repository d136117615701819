"""The launcher's half of a run folder: config, data, models, control. The stage's half is only read.

Everything but control.json is written once, config.json last: a folder with a config is whole. Data files are hard
links to the snapshots where the file system allows; the stage checks their hashes.
"""

import errno
import os
import shutil
from pathlib import Path

from django.conf import settings

from training.base_models import folder_of
from training.models import Checkpoint, Job, JobInput, Snapshot
from training.rlhf.contract.run_folder import (
    Control,
    DataFile,
    ModelEntry,
    RunFolder,
    model_identity,
    write_control,
    write_data_manifest,
    write_json,
    write_models_manifest,
)
from training.snapshots import KIND_OF_ROWS, path_of


class FolderProblem(Exception):
    """The run folder cannot be made ready. code: as in exit_codes; str() is the sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def run_folder(job: Job) -> RunFolder:
    return RunFolder(Path(settings.RUNS_DIR) / str(job.pk))


def prepare(job: Job, *, attempt: int) -> RunFolder:
    """The job's folder, ready for this attempt: made by the first one, given a new control.json by every one.

    Raises FolderProblem where an input is gone or nothing can be written.
    """
    folder = run_folder(job)
    try:
        if not folder.config.exists():
            folder.root.mkdir(parents=True, exist_ok=True)
            inputs = list(job.inputs.select_related("snapshot", "checkpoint"))
            write_data_manifest(folder, [_place_data(folder, one) for one in inputs if one.snapshot])
            write_models_manifest(folder, [entry for one in inputs if (entry := _place_model(folder, one))])
            write_json(folder.config, job.config)
        write_control(folder, Control(attempt=attempt))
    except OSError as error:
        raise FolderProblem("cannot_write", _disk_sentence(error, folder)) from error
    return folder


def _place_data(folder: RunFolder, one: JobInput) -> DataFile:
    snapshot = one.snapshot
    assert snapshot is not None
    source, target = path_of(snapshot), folder.data(one.role)
    if not source.is_file():
        raise FolderProblem(
            "input_missing", f"The file of {snapshot} is not at {source}. Put it back, or launch the stage anew."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return _entry(snapshot, name=one.role)


def _entry(snapshot: Snapshot, *, name: str) -> DataFile:
    return DataFile(
        name=name, kind=KIND_OF_ROWS[snapshot.kind], rows=snapshot.rows, bytes=snapshot.bytes, sha256=snapshot.sha256,
        split=snapshot.query.get("split"), snapshot=str(snapshot.pk),
    )  # fmt: skip


def _place_model(folder: RunFolder, one: JobInput) -> ModelEntry | None:
    """A link to the checkpoint's folder; None for a hub name, which the stage fetches, and for data."""
    if one.checkpoint is None or (source := folder_of(one.checkpoint)) is None:
        return None
    if not (source / "config.json").is_file():
        raise FolderProblem(
            "input_missing",
            f"The checkpoint {one.checkpoint.name!r} is not at {source}. Put it back, or train it again.",
        )
    path = f"models/{one.role}"
    link = folder.model_input(path)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(source.resolve(), target_is_directory=True)
    return ModelEntry(path=path, sha256=_identity(one.checkpoint, source))


def _identity(checkpoint: Checkpoint, source: Path) -> str:
    """A base model's is taken when it is used for the first time; from then on it must stay the same."""
    if not checkpoint.sha256:
        checkpoint.sha256 = model_identity(source)
        checkpoint.save(update_fields=["sha256"])
    return checkpoint.sha256


def _disk_sentence(error: OSError, folder: RunFolder) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no space left for the run folder {folder.root}. Free some, then resume the job."
    return f"The run folder {folder.root} cannot be written: {error.strerror}. Mend that, then resume the job."
