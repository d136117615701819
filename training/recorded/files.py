"""The file of recorded rounds: a header, a line a table, a line a run folder; JSON lines, compressed.

The same rounds give the same bytes. The header says of which version the file is, and holds a hash of what follows,
so that a file that was cut or changed is refused before anything is read from it.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import RecordingRefused
from training.recorded.columns import NoColumn, in_one_line, packed, unpacked
from training.rlhf.contract.strict import shown

FORMAT, VERSION = "accord recorded rounds", 1
RECORDED = Path(__file__).parents[1] / "rehearsal" / "recorded" / "rounds.jsonl.gz"
"""The rounds that come with Accord."""

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Recording:
    """tables: columns by table. runs: what pages read from the folders of jobs, by the place of the job."""

    header: Mapping[str, Any]
    tables: Mapping[str, Columns]
    runs: Mapping[int, Mapping[str, Any]]

    def rows(self, table: str) -> int:
        return len(next(iter(self.tables[table].values())))


def write_recording(path: Path, recording: Recording) -> int:
    """Returns the bytes of the file. Whole or not at all."""
    lines = [_table_line(name, columns) for name, columns in recording.tables.items()]
    lines += [{"run": place, **_run_line(run)} for place, run in sorted(recording.runs.items())]
    body = "".join(f"{in_one_line(line)}\n" for line in lines).encode()
    header = {"format": FORMAT, "version": VERSION, "sha256": hashlib.sha256(body).hexdigest(), **recording.header}
    written = gzip.compress(f"{in_one_line(header)}\n".encode() + body, compresslevel=9, mtime=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(written)
    temporary.replace(path)
    return len(written)


def _table_line(name: str, columns: Columns) -> dict[str, Any]:
    rows = len(next(iter(columns.values())))
    return {"table": name, "rows": rows, "columns": {key: packed(values) for key, values in columns.items()}}


def _run_line(run: Mapping[str, Any]) -> dict[str, Any]:
    return {**run, "samples": {"rows": len(run["samples"]), "column": packed(run["samples"])}}


def read_recording(path: Path) -> Recording:
    """Raises RecordingRefused with one sentence."""
    try:
        first, _, body = gzip.decompress(path.read_bytes()).partition(b"\n")
        header = json.loads(first)
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise RecordingRefused(f"{path.name} holds no recorded rounds. Choose a file that record_rehearsal wrote.")
        _check_version(path, header.get("version"))
        if hashlib.sha256(body).hexdigest() != header.get("sha256"):
            raise RecordingRefused(f"{path.name} was changed since it was recorded. Record it anew, or fetch it again.")
        lines = [json.loads(line) for line in body.splitlines()]
        tables = {line["table"]: _columns(line) for line in lines if "table" in line}
        runs = {line["run"]: _run(line) for line in lines if "run" in line}
    except FileNotFoundError:
        raise RecordingRefused(f"There is no file {path.name}.") from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise RecordingRefused(f"{path.name} cannot be read ({reason}). Record it anew, or fetch it again.") from error
    return Recording(header, tables, runs)


def _check_version(path: Path, version: object) -> None:
    if version != VERSION:
        raise RecordingRefused(
            f"{path.name} is of version {shown(version)}; this Accord reads version {VERSION}. "
            f"Update Accord, or record the rounds anew."
        )


def _columns(line: Mapping[str, Any]) -> Columns:
    try:
        return {key: unpacked(column, line["rows"]) for key, column in line["columns"].items()}
    except NoColumn as error:
        raise ValueError(f"table {line['table']}: {error}") from error


def _run(line: Mapping[str, Any]) -> dict[str, Any]:
    samples: Sequence[Any] = unpacked(line["samples"]["column"], line["samples"]["rows"])
    return {**line, "samples": samples}
