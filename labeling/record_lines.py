"""Reading and writing files of records: JSON lines, gzip or not, with bounds on what one line may cost.

Lines end at \\n only, since texts may hold other line separators (U+2028). Standard library only.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from labeling.record_fields import BadRecord, shown
from labeling.records import Kind, Record, read_record, write_record

MOST_LINE_BYTES = 8 * 1024 * 1024
MOST_DEPTH = 20
"""Levels of lists and objects within each other; a record needs six."""
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class UnreadableFile(ValueError):
    """A file that cannot be read to its end: nothing of it is taken."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that holds something. record is None where it was refused, and then reason says why."""

    number: int
    size_bytes: int
    record: Record | None
    reason: str = ""


def read_file(path: Path, *, kind: Kind | None = None) -> Iterator[Line]:
    """Every line of the file that is not blank, in order, with its number from 1.

    Holds one line at a time. Raises UnreadableFile where the file is missing, is a folder or its gzip data are damaged.
    """
    try:
        with _opened(path) as file:
            yield from _lines(file, kind=kind)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFile(f"{path} is cut or damaged: {error}; copy or make it again") from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror or error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where it begins like a gzip file, whatever its name."""
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == GZIP_MAGIC
        yield gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[misc]


def _lines(file: BinaryIO, *, kind: Kind | None) -> Iterator[Line]:
    reader = io.BufferedReader(file) if isinstance(file, gzip.GzipFile) else file
    number = 0
    while raw := reader.readline(MOST_LINE_BYTES + 1):
        number += 1
        if len(raw) > MOST_LINE_BYTES:
            size = len(raw) + (0 if raw.endswith(b"\n") else _pass_over_the_rest(reader))
            yield Line(number, size, None, f"the line has {size:,} bytes; at most {MOST_LINE_BYTES:,} are taken")
            continue
        if number == 1:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        if raw.strip():
            yield _line(raw, number=number, kind=kind)


def _pass_over_the_rest(reader: BinaryIO) -> int:
    """Reads on to the end of the line in pieces and answers how many bytes that were."""
    size = 0
    while piece := reader.readline(1024 * 1024):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size


def _line(raw: bytes, *, number: int, kind: Kind | None) -> Line:
    try:
        return Line(number, len(raw), read_record(parse_json(raw), kind=kind))
    except BadRecord as error:
        return Line(number, len(raw), None, str(error))


def parse_json(raw: bytes) -> Any:
    """The JSON value of a line, by the strict reading: UTF-8, no name twice in an object, no NaN, bounded depth."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadRecord(
            f"byte {error.start + 1} ({raw[error.start]:#04x}) is not UTF-8; save the file as UTF-8"
        ) from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise BadRecord(f"this is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise BadRecord(f"lists and objects are nested deeper than {MOST_DEPTH}") from None
    except BadRecord:
        raise
    except ValueError as error:
        raise BadRecord(f"this is not JSON that can be read: {error}") from None
    if raw.count(b"[") + raw.count(b"{") > MOST_DEPTH:
        _check_depth(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen = set()
        for name, _ in pairs:
            if name in seen:
                raise BadRecord(f"the name {shown(name)} stands twice in one object; which one holds is not known")
            seen.add(name)
    return members


def _constant(name: str) -> Any:
    raise BadRecord(f"{name} is not a JSON value; write null or a number")


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [
        inner
        for outer in level
        if isinstance(outer, list | dict)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        depth += 1
        if depth > MOST_DEPTH:
            raise BadRecord(f"lists and objects are nested deeper than {MOST_DEPTH}")


def line_of(record: Record) -> bytes:
    """The record as one line, with its line end."""
    return json.dumps(write_record(record), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
