"""Reading and writing files of records: JSON lines, packed or not, with bounds on what a line and a file may cost.

Lines end at \\n only, since texts may hold other line separators (U+2028). pyarrow is loaded for zstd only.
"""

import gzip
import hashlib
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
MOST_UNPACKED_BYTES = 8 * 1024**3
FREELY_UNPACKED_BYTES = 64 * 1024 * 1024
MOST_TIMES_UNPACKED = 100
"""Of a packed file larger than FREELY_UNPACKED_BYTES when unpacked. Texts shrink to a third or a tenth."""
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
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


@dataclass(frozen=True, slots=True)
class Raw:
    """A line as it stands in the file. data is None where it is too long, and then reason says so."""

    number: int
    size_bytes: int
    data: bytes | None
    reason: str = ""


def read_file(path: Path, *, kind: Kind | None = None) -> Iterator[Line]:
    """Every line of the file that is not blank, in order, with its number from 1.

    Holds one line at a time. Raises UnreadableFile where the file is missing, is a folder, is no text, is damaged, or
    unpacks to more than is taken.
    """
    for raw in raw_lines(path):
        yield _line(raw, kind=kind)


def raw_lines(path: Path) -> Iterator[Raw]:
    """The lines that are not blank; see read_file."""
    with reading(path) as file:
        yield from _lines(file)


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where it begins like gzip or zstd, whatever its name. Raises UnreadableFile."""
    try:
        with path.open("rb") as raw:
            begins = raw.peek(4)[:4]
            if begins.startswith(ZIP_MAGICS):
                raise UnreadableFile(f"{path.name} is a ZIP archive; unpack it and give the file that is in it")
            size = path.stat().st_size
            if begins.startswith(GZIP_MAGIC):
                yield io.BufferedReader(_Unpacked(gzip.GzipFile(fileobj=raw), packed_bytes=size, name=path.name))
            elif begins == ZSTD_MAGIC:
                yield io.BufferedReader(_Unpacked(_zstd(raw), packed_bytes=size, name=path.name))
            else:
                yield raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFile(f"{path} is cut or damaged: {error}; copy or make it again") from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror or error}") from None


def _zstd(raw: BinaryIO) -> Any:
    import pyarrow as pa  # loaded by those who need it

    return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")


class _Unpacked(io.RawIOBase):
    """What comes out of a packed file, counted: a few bytes that unpack to gigabytes are an attack or a mistake."""

    def __init__(self, source: Any, *, packed_bytes: int, name: str) -> None:
        self._source = source
        self._most = min(MOST_UNPACKED_BYTES, max(FREELY_UNPACKED_BYTES, packed_bytes * MOST_TIMES_UNPACKED))
        self._name = name
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        self._size += len(data)
        if self._size > self._most:
            raise UnreadableFile(
                f"{self._name} unpacks to more than {self._most:,} bytes; a packed file may grow {MOST_TIMES_UNPACKED}"
                f" times and to {MOST_UNPACKED_BYTES:,} bytes: divide it"
            )
        return len(data)


def _lines(reader: BinaryIO) -> Iterator[Raw]:
    number = 0
    while raw := reader.readline(MOST_LINE_BYTES + 1):
        number += 1
        if len(raw) > MOST_LINE_BYTES:
            size = len(raw) + (0 if raw.endswith(b"\n") else _pass_over_the_rest(reader))
            yield Raw(number, size, None, f"the line has {size:,} bytes; at most {MOST_LINE_BYTES:,} are taken")
            continue
        if number == 1:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        if raw.strip():
            yield Raw(number, len(raw), raw)


def _pass_over_the_rest(reader: BinaryIO) -> int:
    """Reads on to the end of the line in pieces and answers how many bytes that were."""
    size = 0
    while piece := reader.readline(1024 * 1024):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size


def _line(raw: Raw, *, kind: Kind | None) -> Line:
    if raw.data is None:
        return Line(raw.number, raw.size_bytes, None, raw.reason)
    try:
        return Line(raw.number, raw.size_bytes, read_record(parse_json(raw.data), kind=kind))
    except BadRecord as error:
        return Line(raw.number, raw.size_bytes, None, str(error))


def parse_json(raw: bytes, *, deepest: int = MOST_DEPTH) -> Any:
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
        raise BadRecord(f"lists and objects are nested deeper than {deepest}") from None
    except BadRecord:
        raise
    except ValueError as error:
        raise BadRecord(f"this is not JSON that can be read: {error}") from None
    if raw.count(b"[") + raw.count(b"{") > deepest:
        _check_depth(value, deepest)
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


def _check_depth(value: Any, deepest: int) -> None:
    level, depth = [value], 0
    while level := [
        inner
        for outer in level
        if isinstance(outer, list | dict)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        depth += 1
        if depth > deepest:
            raise BadRecord(f"lists and objects are nested deeper than {deepest}")


def digest_of(record: Record) -> str:
    """sha256 of the record in its written form: another one means that its content changed."""
    return hashlib.sha256(line_of(record)).hexdigest()


def line_of(record: Record) -> bytes:
    """The record as one line, with its line end."""
    return json.dumps(write_record(record), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
