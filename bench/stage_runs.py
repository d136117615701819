"""Stages run from folders made by hand, as docs/run_folder.md tells: no database, a process each."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.rlhf.contract.records import Kind, Row
from training.rlhf.contract.run_folder import (
    ModelEntry,
    RunFolder,
    model_identity,
    write_data_file,
    write_data_manifest,
    write_json,
    write_models_manifest,
)
from training.rlhf.contract.strict import parse_json

ROOT = Path(__file__).resolve().parent.parent


class StageFailed(Exception):
    """A stage did not end well; the sentence is its own."""


@dataclass(frozen=True)
class Ended:
    """A run that is done."""

    folder: RunFolder

    @property
    def report(self) -> dict[str, Any]:
        found = parse_json(self.folder.report.read_bytes())
        assert isinstance(found, dict)
        return found

    @property
    def seconds(self) -> float:
        """From the config to the report, starting Python and loading torch included."""
        return self.folder.report.stat().st_mtime - self.folder.config.stat().st_mtime


def start_process(folder: RunFolder, stage: str, threads: int) -> None:
    """The stage in a process of its own, to its end. Raises StageFailed with the last line of its log."""
    done = subprocess.run(
        [sys.executable, "-m", f"training.rlhf.{stage}", str(folder.root)], cwd=ROOT, text=True,
        capture_output=True, check=False, env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word on why"])[-1]
        raise StageFailed(f"{stage} in {folder.root.name} ended with {done.returncode}: {last}")


Start = Callable[[RunFolder, str, int], None]


def run_stage(
    root: Path,
    config: Mapping[str, Any],
    *,
    data: Mapping[str, tuple[Kind, Iterable[Row]]],
    models: Mapping[str, Path] | None = None,
    start: Start = start_process,
) -> Ended:
    """Makes the run folder and runs the stage that its config names; a folder whose run is done is taken as it is.

    models: by the name under models/. start: as start_process. Raises FileExistsError for a folder whose run was cut
    off: what it was given then is not known to be the same.
    """
    folder = RunFolder(root)
    if folder.report.exists():
        return Ended(folder)
    (root / "models").mkdir(parents=True)
    for name, path in (models or {}).items():
        (root / "models" / name).symlink_to(path.resolve())
    entries = [ModelEntry(path=f"models/{name}", sha256=model_identity(path)) for name, path in (models or {}).items()]
    write_models_manifest(folder, entries)
    files = [write_data_file(folder, name, kind, rows) for name, (kind, rows) in data.items()]
    write_data_manifest(folder, files)
    write_json(folder.config, config)
    start(folder, config["stage"], config["hardware"]["threads"])
    return Ended(folder)
