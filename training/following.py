"""What a running stage says of itself: metrics.jsonl taken into rows, status.json, the end of its log."""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from training.models import Metric
from training.rlhf.contract.metrics import KEY_FIELDS
from training.rlhf.contract.run_folder import RunFolder, Status, read_status
from training.rlhf.contract.strict import Refused

log = logging.getLogger(__name__)

READ_AT_ONCE_BYTES = 4 << 20
ROWS_AT_ONCE = 1000
STALL_FACTOR = 3
Line = Mapping[str, Any]


class MetricsTail:
    """Whole new lines of a growing file, from its start again where it was cut (a resume cuts it)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rewind()

    def rewind(self) -> None:
        self._offset = 0
        self._last = b""
        self._last_step = -1
        self._from_start = True
        self.more = False
        """Whether the last reading stopped at its limit, before the end of the file."""
        self.stale_after: int | None = None
        """Where the last reading was the first to reach the end since the file was begun: its last step. What was
        stored past it is of before the file was cut."""

    def read(self) -> list[Line]:
        """The lines since the last call, at most a few megabytes of them. A line that is no metric is left out."""
        self.stale_after = None
        try:
            with self.path.open("rb") as file:
                if not self._goes_on(file):
                    self.rewind()
                file.seek(self._offset)
                block = file.read(READ_AT_ONCE_BYTES)
        except FileNotFoundError:
            self.rewind()
            return []
        whole = block[: block.rfind(b"\n") + 1]
        self.more = bool(whole) and len(block) == READ_AT_ONCE_BYTES
        if whole:
            self._offset += len(whole)
            self._last = whole.splitlines(keepends=True)[-1]
        lines = [line for raw in whole.splitlines() if (line := self._line(raw)) is not None]
        self._last_step = max([self._last_step, *(line["step"] for line in lines)])
        if self._from_start and not self.more:
            self._from_start = False
            self.stale_after = self._last_step
        return lines

    def _goes_on(self, file: Any) -> bool:
        """Whether the last line taken still stands before the offset: a file may be cut, and grow past it, between
        reads."""
        file.seek(self._offset - len(self._last))
        return bool(file.read(len(self._last)) == self._last)

    def _line(self, raw: bytes) -> Line | None:
        try:
            line = json.loads(raw)
        except ValueError:
            line = None
        if not isinstance(line, dict) or not isinstance(line.get("step"), int):
            log.warning("%s holds a line that is no metric: %r", self.path, raw[:200])
            return None
        return line


class Pulse:
    """The two clocks of a stage, judged by change seen on the supervisor's own: does its process live, does its loop
    advance?"""

    def __init__(self) -> None:
        self._beat: object = None
        self._place: object = None
        self._heard_at = self._moved_at = time.monotonic()
        self._longest_seconds = 0.0
        self.step = 0

    def heed(self, status: Status | None) -> bool:
        """Whether it advanced since the last call: another step, or another phase."""
        if status is None:
            return False
        now = time.monotonic()
        if status.beat != self._beat:
            self._beat, self._heard_at = status.beat, now
        place = (status.step, status.phase)
        if place == self._place:
            return False
        if self._place is not None:
            self._longest_seconds = max(self._longest_seconds, now - self._moved_at)
        self._place, self._moved_at, self.step = place, now, status.step
        return True

    @property
    def silent_seconds(self) -> float:
        """Since its process last showed that it lives."""
        return time.monotonic() - self._heard_at

    @property
    def still_seconds(self) -> float:
        """Since its loop last advanced."""
        return time.monotonic() - self._moved_at

    @property
    def stalled(self) -> bool:
        """A stage whose steps are slow is given several times what its slowest one took."""
        return self.still_seconds > max(settings.JOB_STALL_SECONDS, STALL_FACTOR * self._longest_seconds)


def store_metrics(job_id: int, lines: Iterable[Line]) -> None:
    """Adds or replaces the rows of these lines; of one key the last line counts. Needs the job's claim held."""
    rows = {}
    for line in lines:
        split = str(line.get("split") or "train")
        values = {key: value for key, value in line.items() if key not in KEY_FIELDS}
        rows[(line["step"], split)] = Metric(job_id=job_id, step=line["step"], split=split, values=values)
    Metric.objects.bulk_create(
        rows.values(), batch_size=ROWS_AT_ONCE, update_conflicts=True, unique_fields=["job", "step", "split"],
        update_fields=["values"],
    )  # fmt: skip


def forget_metrics(job_id: int, *, after: int) -> None:
    """Deletes the rows past a step: the run went on from a checkpoint before them. Needs the job's claim held."""
    Metric.objects.filter(job=job_id, step__gt=after).delete()


def worked_seconds(job_id: int) -> float | None:
    """By the stage's own clock, which pauses and queueing do not count in; None where it wrote no metric."""
    rows = Metric.objects.filter(job=job_id, split="train").order_by("-step")
    found = rows.values_list("values__seconds", flat=True).first()
    return float(found) if isinstance(found, int | float) else None


def status_of(folder: RunFolder, *, attempt: int) -> Status | None:
    """What this attempt last said of itself; None before its first word, and for a file that cannot be read."""
    try:
        status = read_status(folder)
    except (Refused, OSError) as error:
        log.warning("status.json in %s cannot be read: %s", folder.root, error)
        return None
    return status if status is not None and status.attempt == attempt else None


def followed(status: Status | None) -> dict[str, Any]:
    """Columns of the job that mirror status.json."""
    if status is None:
        return {}
    return {
        "step": status.step,
        "steps": status.steps,
        "phase": status.phase,
        "seconds_left": status.seconds_left,
        "checkpoint_step": status.checkpoint_step,
    }


def last_lines(path: Path, *, lines: int, most_bytes: int = 32_768) -> str:
    """The end of a text file that may be long and may not be there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most_bytes))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def shown_text(text: str) -> str:
    """The text as a page can send it: half of a character pair, which JSON can carry, has no UTF-8."""
    return text.encode(errors="replace").decode()
