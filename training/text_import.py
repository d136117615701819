"""Text for pretraining comes in from JSON lines and becomes two snapshots: what is trained on, and what is held out.

A document goes to one side or the other by the hash of its words, so that the same file gives the same two files.
The file is held in memory once: it is for the small base models that are trained here from scratch.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.db import transaction

from labeling.models import Project
from training.errors import SnapshotRefused
from training.models import Snapshot
from training.rlhf.contract.records import ROW_LIMIT_BYTES, Text
from training.rlhf.contract.strict import Refused, parse_json, shown
from training.snapshots import register, write_file

HELD_OUT_ONE_IN = 20
BAD_LINES_NAMED = 20


@dataclass(frozen=True)
class BadLine:
    number: int
    reason: str


class BadLines(SnapshotRefused):
    """Lines that are no documents; nothing was imported."""

    code = "bad_lines"

    def __init__(self, path: Path, lines: list[BadLine], total: int) -> None:
        named = "\n".join(f"  line {line.number}: {line.reason}" for line in lines)
        more = f"\n  and {total - len(lines)} more" if total > len(lines) else ""
        super().__init__(f"{path.name}: {total} bad lines, and nothing was imported:\n{named}{more}")


def import_text(project: Project, path: Path) -> list[Snapshot]:
    """The snapshots of a file of {"text": …} lines (gzip or not): split train, and valid where there are enough.

    All or nothing. Raises SnapshotRefused. The same file again gives the same snapshots.
    """
    documents, repeated = _read_documents(path)
    report = {"left_out": {"the same words again": repeated}} if repeated else {}
    if not documents:
        raise SnapshotRefused(
            f'{path.name} holds no document; expected lines such as {{"text": "Once upon a time …"}}.'
        )
    sides = {"train": documents, "valid": {}} if len(documents) < HELD_OUT_ONE_IN else _divide(documents)
    made = []
    with transaction.atomic():
        for split, texts in sides.items():
            if texts:
                rows = (Text(id=row_id, text=texts[row_id]) for row_id in sorted(texts))
                written = write_file(project, Snapshot.Kind.TEXT, rows)
                query = {"file": path.name, "split": split}
                made.append(register(project, written, query=query, report=report))
    return made


def _divide(documents: dict[str, str]) -> dict[str, dict[str, str]]:
    sides: dict[str, dict[str, str]] = {"train": {}, "valid": {}}
    for row_id, text in documents.items():
        sides["valid" if int(row_id[1:], 16) % HELD_OUT_ONE_IN == 0 else "train"][row_id] = text
    return sides


def _read_documents(path: Path) -> tuple[dict[str, str], int]:
    """Id (a hash of the words) -> text, so that the same words count once, and how many lines repeated some.

    Raises SnapshotRefused, BadLines.
    """
    documents: dict[str, str] = {}
    bad: list[BadLine] = []
    total = repeated = 0
    for number, line in _lines(path):
        try:
            text = _text_of(line)
        except Refused as refused:
            total += 1
            if len(bad) < BAD_LINES_NAMED:
                bad.append(BadLine(number, str(refused)))
        else:
            row_id = f"t{hashlib.sha256(text.encode()).hexdigest()[:24]}"
            repeated += row_id in documents
            documents[row_id] = text
    if total:
        raise BadLines(path, bad, total)
    return documents, repeated


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines from 1 on, empty ones left out. Split on line feeds only: some texts hold U+2028."""
    try:
        with _opened(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(ROW_LIMIT_BYTES + 1), b""), start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SnapshotRefused(f"{path} cannot be read: {reason}.") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, unpacked where it begins as gzip does, whatever its name says."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if packed:
            with gzip.open(raw, "rb") as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield raw


def _text_of(line: bytes) -> str:
    """Raises Refused. Keys other than "text" are left alone: files of text come with notes of their own."""
    if len(line) > ROW_LIMIT_BYTES:
        raise Refused("", f"has more than {ROW_LIMIT_BYTES} bytes; cut it into several documents")
    row = parse_json(line)
    if not isinstance(row, dict):
        raise Refused("", f'is {shown(row)}; expected an object such as {{"text": "…"}}')
    if "text" not in row:
        raise Refused("text", "is missing")
    text = row["text"]
    if not isinstance(text, str) or not text.strip():
        raise Refused("text", f"is {shown(text)}; expected words")
    return Text(id="t", text=text).text
