"""The log of a job as people read it: what happened and what was measured, step by step, then what was printed."""

import json
from collections.abc import Iterator
from typing import Any

from training.following import last_lines, shown_text
from training.models import Job
from training.run_folders import run_folder
from training.views.curves import CURVES

READ_BYTES = 128 * 1024
NOT_SHOWN = {"kind", "attempt", "at", "step"}


def log_of(job: Job, *, lines: int) -> str:
    """The last lines of events.jsonl and metrics.jsonl in one order, and of the newest attempt's printed words."""
    folder = run_folder(job)
    told = [(row.get("step") or 0, _event_line(row)) for row in _rows(last_lines(folder.events, lines=lines))]
    measured = _rows(last_lines(folder.metrics, lines=lines, most_bytes=READ_BYTES))
    told += [(row.get("step") or 0, _metric_line(job.kind, row)) for row in measured]
    story = [line for _, line in sorted(told, key=lambda one: one[0])]
    printed = last_lines(folder.rank_log(job.attempt), lines=lines).splitlines() if job.attempt else []
    return shown_text("\n".join([*story, *printed][-lines:]))


def printed_of(job: Job, *, lines: int) -> str:
    """What the stage printed in its newest attempt, whole but for the length."""
    return last_lines(run_folder(job).rank_log(job.attempt), lines=lines, most_bytes=1 << 20) if job.attempt else ""


def _rows(text: str) -> Iterator[dict[str, Any]]:
    """The lines that are JSON objects; the first may be cut."""
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(row.get("step", 0), int | None):
            yield row


def _event_line(row: dict[str, Any]) -> str:
    step = f"step {row['step']}  " if row.get("step") is not None else ""
    rest = "  ".join(f"{key} {value}" for key, value in row.items() if key not in NOT_SHOWN)
    return f"{str(row.get('at', ''))[11:19]}  {step}{str(row.get('kind', '')).replace('_', ' ')}  {rest}".rstrip()


def _metric_line(kind: str, row: dict[str, Any]) -> str:
    keys = [curve.key for curve in CURVES.get(kind, ())] + ["tokens_per_second"]
    values = [f"{key} {row[key]:.4g}" for key in keys if isinstance(row.get(key), int | float)]
    held_out = "held out  " if row.get("split") == "valid" else ""
    return f"          step {row['step']}  {held_out}{'  '.join(values)}"
