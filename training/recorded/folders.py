"""What pages read from a job's run folder: texts to read, what happened, the end of what was printed."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from training.following import last_lines, shown_text
from training.models import Job, Metric
from training.recorded.choosing import evenly
from training.rlhf.contract.run_folder import RunFolder
from training.rlhf.contract.strict import dump_json
from training.run_folders import run_folder

LOG_LINES = 60
"""A page shows 40."""
MOST_SAMPLES = 400
MOST_STEPS = 25
READ_BYTES = 16 << 20
SAMPLE_KEYS = ("step", "prompt", "text", "score", "kl", "finish", "ended")
"""Of a line of samples.jsonl, what a page shows."""


def run_of(job: Job) -> dict[str, Any]:
    """Samples of steps chosen evenly, the last lines of the events and of what the newest attempt printed."""
    folder = run_folder(job)
    return {
        "samples": _samples(folder),
        "events": _lines(last_lines(folder.events, lines=LOG_LINES)),
        "printed": last_lines(folder.rank_log(job.attempt), lines=LOG_LINES),
    }


def _samples(folder: RunFolder) -> list[dict[str, Any]]:
    rows = _lines(last_lines(folder.samples, lines=100_000, most_bytes=READ_BYTES))
    told = [_sample(row) for row in rows if "step" in row and "prompt" in row and "text" in row]
    steps = set(evenly(sorted({row["step"] for row in told}), MOST_STEPS))
    return evenly([row for row in told if row["step"] in steps], MOST_SAMPLES)


def _sample(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {**row, "prompt": row.get("prompt_text", row["prompt"])}
    return {key: _short(shown[key]) for key in SAMPLE_KEYS if key in shown}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return shown_text(value)
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _lines(text: str) -> list[dict[str, Any]]:
    """Those that are JSON objects; the first may be cut."""
    found = []
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


def write_run(job_id: int, attempt: int, run: Mapping[str, Any], metrics: Iterable[Metric], *, runs: Path) -> None:
    """The files that pages look for, in a folder without a config: no stage runs from it."""
    folder = RunFolder(runs / str(job_id))
    log = folder.rank_log(attempt)
    log.parent.mkdir(parents=True, exist_ok=True)
    _write_lines(folder.samples, run["samples"])
    _write_lines(folder.events, run["events"])
    _write_lines(folder.metrics, ({"step": one.step, "split": one.split, **one.values} for one in metrics))
    log.write_text(run["printed"], encoding="utf-8", errors="replace")


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(f"{dump_json(row)}\n" for row in rows), encoding="utf-8", errors="replace")
