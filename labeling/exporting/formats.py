"""Formats: JSON lines, plain or packed, Parquet and CSV, made of JSON lines while they come.

Each is a generator from chunks of JSON lines to bytes, and holds a bounded part of them. Whoever reads slowly slows the
database's reading down, and nothing piles up.
"""

import csv
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labeling.cells import neutral
from labeling.exporting.layouts import RECORDS, Layout, Member

GZIP_LEVEL = 1
"""Texts shrink to about a third at 1, a tenth more at 6, for four times the time."""
ENOUGH_BYTES = 64 * 1024

Writer = Callable[[Iterator[bytes], tuple[Member, ...]], Iterator[bytes]]


@dataclass(frozen=True)
class Format:
    """media_type and ending: of the file. typed: needs a layout whose rows have the same members. broken_off(words): an
    end that every reader refuses, of a file that got no further; packed ones and Parquet lack their own end then."""

    name: str
    ending: str
    media_type: str
    write: Writer
    typed: bool = False
    broken_off: Callable[[str], bytes] = lambda words: b""

    def takes(self, layout: Layout) -> bool:
        return not (self.typed and layout.name == RECORDS)


def _plain(lines: Iterator[bytes], members: tuple[Member, ...]) -> Iterator[bytes]:
    return lines


def _no_json(words: str) -> bytes:
    return f"\n!! {words}\n".encode()


def _gzip(lines: Iterator[bytes], members: tuple[Member, ...]) -> Iterator[bytes]:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    waiting: list[bytes] = []
    for number, chunk in enumerate(lines):
        waiting.append(packer.compress(chunk))
        if number == 0:  # a reader of the first rows does not wait for a full block
            waiting.append(packer.flush(zlib.Z_SYNC_FLUSH))
        if number == 0 or sum(map(len, waiting)) >= ENOUGH_BYTES:
            yield b"".join(waiting)
            waiting = []
    waiting.append(packer.flush())
    yield b"".join(waiting)


def _zstd(lines: Iterator[bytes], members: tuple[Member, ...]) -> Iterator[bytes]:
    import pyarrow as pa  # loaded by those who ask for it: it takes a tenth of a second and 40 MB

    sink = Outbox()
    with pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), "zstd") as packer:
        for number, chunk in enumerate(lines):
            packer.write(chunk)
            if number == 0:
                packer.flush()
            if data := sink.take(at_least=1 if number == 0 else ENOUGH_BYTES):
                yield data
    if data := sink.take():
        yield data


def _parquet(lines: Iterator[bytes], members: tuple[Member, ...]) -> Iterator[bytes]:
    from labeling.exporting.parquet import parquet_of

    return parquet_of(lines, members)


def _csv(lines: Iterator[bytes], members: tuple[Member, ...]) -> Iterator[bytes]:
    """Lists as JSON text. A cell that a spreadsheet would run begins with an apostrophe: this is for looking."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([member.name for member in members])
    for chunk in lines:
        for line in chunk.split(b"\n"):
            if line:
                writer.writerow([_cell(value) for value in json.loads(line).values()])
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    if rest := out.getvalue():
        yield rest.encode()


def _too_many_cells(words: str) -> bytes:
    return f'"!! {words}"{"," * 200}\r\n'.encode()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    return neutral(value) if isinstance(value, str) else value


class Outbox(io.RawIOBase):
    """A file that is written to by one side and emptied by the other."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        taken = bytes(data)  # type: ignore[call-overload]
        self._waiting.append(taken)
        self._size += len(taken)
        return len(taken)

    def take(self, *, at_least: int = 1) -> bytes:
        """What was written since; nothing while that is less than at_least bytes."""
        if self._size < at_least:
            return b""
        data = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        return data


FORMATS = {
    made.name: made
    for made in (
        Format("jsonl", ".jsonl", "application/x-ndjson", _plain, broken_off=_no_json),
        Format("jsonl.gz", ".jsonl.gz", "application/gzip", _gzip),
        Format("jsonl.zst", ".jsonl.zst", "application/zstd", _zstd),
        Format("parquet", ".parquet", "application/vnd.apache.parquet", _parquet, typed=True),
        Format("csv", ".csv", "text/csv; charset=utf-8", _csv, typed=True, broken_off=_too_many_cells),
    )
}
