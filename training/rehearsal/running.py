"""Runs one stage in a run folder, as a person would: `python -m training.rlhf.STAGE RUN_DIR`. No database.

A folder whose stage is done is not run again, so that a study that was interrupted goes on where it stopped.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.records import Kind, Response, Row, read_rows
from training.rlhf.contract.run_folder import (
    ModelEntry,
    RunFolder,
    model_identity,
    read_output_manifest,
    write_data_file,
    write_data_manifest,
    write_json,
    write_models_manifest,
)

ROOT = Path(__file__).resolve().parents[2]
COST = "cost.json"
LOG_TAIL_CHARACTERS = 2_000


class StageFailed(Exception):
    """A stage ended with another exit code than 0; the end of what it said is in the message."""


@dataclass(frozen=True)
class Done:
    """A stage that is done, and what it cost."""

    folder: RunFolder
    wall_seconds: float
    cpu_seconds: float

    @property
    def report(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.folder.report.read_text())
        return read

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.folder.metrics.read_text().splitlines()]

    @property
    def responses(self) -> list[Response]:
        """Of `sample` and `score`: every response in every output file."""
        names = [file.name for file in read_output_manifest(self.folder)]
        return [row for name in names for row in read_rows(self.folder.output(name), Response)]


def run_stage(
    root: Path,
    config: Mapping[str, Any],
    *,
    data: Mapping[str, tuple[Kind, Iterable[Row]]],
    models: Mapping[str, Path] | None = None,
) -> Done:
    """Writes the run folder (config, data, links to models) and runs the stage to its end.

    models: path inside the folder -> folder of the model. Raises StageFailed; Refused for a config that is none.
    """
    folder, written = RunFolder(root), RunConfig.from_json(config)
    if not (root / COST).exists():
        _write_inputs(folder, written, data=data, models=models or {})
        _write_cost(root, _run(folder, written))
    cost = json.loads((root / COST).read_text())
    return Done(folder, wall_seconds=cost["wall_seconds"], cpu_seconds=cost["cpu_seconds"])


def _write_inputs(
    folder: RunFolder,
    config: RunConfig,
    *,
    data: Mapping[str, tuple[Kind, Iterable[Row]]],
    models: Mapping[str, Path],
) -> None:
    write_data_manifest(folder, [write_data_file(folder, name, kind, rows) for name, (kind, rows) in data.items()])
    for path, target in models.items():
        link = folder.model_input(path)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target.resolve(), target_is_directory=True)
    entries = [ModelEntry(path=path, sha256=model_identity(target)) for path, target in models.items()]
    write_models_manifest(folder, entries)
    write_json(folder.config, config.to_json())


def _run(folder: RunFolder, config: RunConfig) -> tuple[float, float]:
    """Wall and CPU seconds."""
    environment = os.environ | {"OMP_NUM_THREADS": str(config.hardware.threads)}
    log = folder.root / "stage.log"
    began = time.monotonic()
    with log.open("wb") as words:
        stage = subprocess.Popen(
            [sys.executable, "-m", f"training.rlhf.{config.stage}", str(folder.root)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
        )
        _, status, used = os.wait4(stage.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        tail = log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
        raise StageFailed(f"{config.stage} in {folder.root} ended with exit code {code}:\n{tail}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime


def _write_cost(root: Path, seconds: tuple[float, float]) -> None:
    write_json(root / COST, {"wall_seconds": seconds[0], "cpu_seconds": seconds[1]})
