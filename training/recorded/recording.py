"""Writes the finished rounds of a rehearsal to one file: every task with all that was said of it, and no weights."""

import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models

from labeling.models import Project, Response, Submission, Task
from training.errors import RecordingRefused, RoundRefused
from training.models import Checkpoint, Job, Metric, Round, Stage
from training.recorded.choosing import Rows, rows_to_record
from training.recorded.files import Columns, Recording, write_recording
from training.recorded.folders import run_of
from training.recorded.tables import TABLES, Table, milliseconds
from training.rehearsing import default_settings
from training.rlhf.contract.strict import dump_json
from training.run_folders import run_folder

DIGITS = 5
"""Significant ones, of a metric."""
THINNED = (
    "Of a curve with more than 300 points 300 are here, evenly chosen, to five digits.",
    "Of the samples of a job those of 25 steps are here, evenly chosen, 400 at most; of its log the last 60 lines.",
    "Token ids of sampled responses, weights, and the files of snapshots are not here.",
)


@dataclass(frozen=True)
class Recorded:
    """What was written: bytes of the file, and rows by table."""

    bytes: int
    rows: Mapping[str, int]


def record_rehearsal(project: Project, path: Path, *, note: str) -> Recorded:
    """Writes the file. note: the machine in words. Raises RecordingRefused, and nothing was written."""
    rows = rows_to_record(project)
    places = {model: _places(found) for model, found in rows.items()}
    tables = {table.name: _columns(table, rows, places) for table in TABLES}
    runs = {places[Job][job.pk]: run_of(job) for job in rows[Job]}
    recording = Recording(_header(project, rows, note), tables, runs)
    check_it_names_no_place(recording)
    return Recorded(
        write_recording(path, recording), {name: len(next(iter(one.values()))) for name, one in tables.items()}
    )


def _places(rows: models.QuerySet[Any]) -> dict[int, int]:
    return {pk: place for place, pk in enumerate(rows.values_list("pk", flat=True))}


# --- columns ----------------------------------------------------------------------------------------------------------


def _columns(table: Table, rows: Rows, places: Mapping[type[models.Model], Mapping[int, int]]) -> Columns:
    def to(model: type[models.Model], number: int) -> int:
        if number not in places[model]:
            raise RecordingRefused(_missing(table, model, number))
        return places[model][number]

    names = [table.field(column).attname for column in table.columns]
    written = list(rows[table.model].values_list(*names))
    return {
        column: [_value(table, column, row[at], to) for row in _finished(table, column, written, rows)]
        for at, column in enumerate(table.columns)
    }


def _finished(table: Table, column: str, written: Sequence[Any], rows: Rows) -> Sequence[Any]:
    """The free slots of a task, once what people said of it is left out."""
    if table.model is not Task or column != "open_slots":
        return written
    counted = rows[Submission].filter(counted=True, assignment__current_submission=models.F("pk"))
    taken = Counter(counted.values_list("assignment__task", flat=True))
    at = table.columns.index(column)
    found = rows[Task].values_list("pk", "overlap")
    return [
        (*row[:at], max(0, overlap - taken[pk]), *row[at + 1 :])
        for row, (pk, overlap) in zip(written, found, strict=True)
    ]


def _value(table: Table, column: str, value: Any, to: Callable[[type[models.Model], int], int]) -> Any:
    link = table.link(column)
    if value is None:
        return None
    if link is not None:
        return to(link, value)
    if isinstance(value, datetime):
        whole_seconds = column == "created_at" and table.model is not Job
        return milliseconds(value.replace(microsecond=0) if whole_seconds else value)
    if table.model is Response and column == "sampling":
        value = {key: _rounded(one) for key, one in value.items() if key != "token_ids"}
    if table.model is Metric and column == "values":
        value = {key: _rounded(one) for key, one in value.items()}
    return table.numbers[column](value, to) if column in table.numbers else value


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _missing(table: Table, model: type[models.Model], number: int) -> str:
    return (
        f"A {table.model._meta.verbose_name} belongs to {model._meta.verbose_name} {number}, which is of no finished "
        f"round. Finish that round first."
    )


# --- header -----------------------------------------------------------------------------------------------------------


def _header(project: Project, rows: Rows, note: str) -> dict[str, Any]:
    rounds: list[Round] = list(rows[Round])
    newest: Job = rows[Job].exclude(checkpoint=None).latest("finished_at")
    made = newest.finished_at.date().isoformat() if newest.finished_at else None
    return {
        "machine": note, "made": made, "code": code_version(newest),
        "thinned": list(THINNED), "rounds": [_round(project, one, rows) for one in rounds],
    }  # fmt: skip


def _round(project: Project, round_: Round, rows: Rows) -> dict[str, Any]:
    jobs = rows[Job].filter(stage__round=round_)
    seconds = {job.kind if job.stage is None else job.stage.kind: _seconds(job) for job in jobs.select_related("stage")}
    return {"number": round_.number, "command": command_of(project, round_), "seconds": seconds}


def _seconds(job: Job) -> float:
    assert job.started_at is not None
    assert job.finished_at is not None
    return round((job.finished_at - job.started_at).total_seconds(), 1)


def command_of(project: Project, round_: Round) -> str:
    """The command that opens such a round; a worker runs it."""
    words = ["python manage.py rehearse", project.slug]
    recipe = round_.recipe.get("name", "")
    try:
        usual = default_settings(recipe)
    except RoundRefused as refused:
        raise RecordingRefused(f"Round {round_.number} is no rehearsal: {refused}") from None
    if round_.stages.filter(kind=Stage.Kind.PRETRAIN).exists():
        return "python manage.py start"  # It founds the rehearsal, whose first round trains the base model.
    sample = round_.recipe["stages"]["sample"]["sample"]
    told = {
        "--prompts": (sample["limit_prompts"], usual.prompts),
        "--responses": (sample["responses_per_prompt"], usual.responses),
        "--judges": (round_.recipe["overlap"] // (usual.overlap // usual.judges), usual.judges),
        "--by-hand": (round_.recipe["by_hand"], usual.by_hand),
    }
    words += ["--recipe", recipe] if recipe != "rehearsal" else []
    for option, (value, default) in told.items():
        words += [option, str(value)] if value != default else []
    policy = round_.recipe.get("policy")
    if policy is not None:
        words += ["--policy", Checkpoint.objects.get(pk=policy).name]
    return " ".join(words)


def code_version(job: Job) -> dict[str, Any]:
    """The commit and the libraries that a job's model was made by, as far as it is there to say so."""
    try:
        told = json.loads((run_folder(job).model / "accord.json").read_bytes())["code"]
    except (OSError, ValueError, KeyError):
        return {}
    return {key: told[key] for key in ("git", "torch", "transformers") if key in told}


def check_it_names_no_place(recording: Recording) -> None:
    """Raises RecordingRefused where a path or the name of this machine stands in what is written."""
    text = dump_json([recording.header, recording.tables, list(recording.runs.values())])
    folders = {str(path) for path in (settings.BASE_DIR, settings.STATE_DIR, settings.RUNS_DIR, Path.home())}
    names = [re.escape(place) for place in sorted(folders - {"/"})] + [rf"\b{re.escape(socket.gethostname())}\b"]
    found = re.search("|".join(names), text)
    if found:
        near = text[max(0, found.start() - 60) : found.end() + 60]
        raise RecordingRefused(f"The rounds name this machine, or a place on it, and are not recorded so: {near!r}.")
