"""What a file may hold, by name, and how each is read: lines of records, with the number of the line they came from."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeling.foreign import chats, hh, oasst, table
from labeling.foreign.making import Members, Told, told
from labeling.record_fields import BadRecord, shown
from labeling.record_lines import MOST_DEPTH, Line, Raw, UnreadableFile, parse_json, raw_lines, read_file, reading
from labeling.records import Kind, read_record

Made = Callable[[Members, Told], Iterator[Members]]
MOST_LIST_BYTES = 64 * 1024 * 1024
"""Of a file that is one JSON list, which has to be read whole."""
RECORDS = "records"
CSV = "csv"


@dataclass(frozen=True)
class Source:
    """says: what such a file is. made: the records of a row; none for records of ours and for CSV. deepest: how far the
    lists and objects of a row may nest; a reply to a message nests in it."""

    name: str
    says: str
    made: Made | None = None
    deepest: int = MOST_DEPTH


SOURCES = {
    source.name: source
    for source in (
        Source(RECORDS, "Accord's own records"),
        Source("oasst", "Open-Assistant: message trees", oasst.records, deepest=2 * oasst.DEEPEST),
        Source("hh", "Anthropic HH: chosen and rejected dialogues", hh.records),
        Source("trl", "TRL: messages, prompt and completion, or chosen and rejected", chats.trl),
        Source("sharegpt", "ShareGPT: conversations", chats.sharegpt),
        Source(CSV, "CSV with a head: columns are mapped"),
    )
}


def lines_of(path: Path, source: Source, query: Mapping[str, str]) -> Iterator[Line]:
    """Raises UnreadableFile; BadRecord where what was said of the file has no meaning."""
    if source.name == RECORDS:
        kind = query.get("kind")
        yield from read_file(path, kind=Kind(kind) if kind else None)
        return
    said = told(query, source=source.name)
    if source.made is None:
        mapping = table.mapping_of(query, table.head_of(path))
        for row in table.rows_of(path):
            values = row.values
            if values is None:
                yield Line(row.number, 0, None, row.reason)
            else:
                yield from _checked(row.number, sum(map(len, values.values())), _one(values, mapping, said))
        return
    for raw in _values(path, source):
        if raw.data is None:
            yield Line(raw.number, raw.size_bytes, None, raw.reason)
        else:
            yield from _checked(raw.number, raw.size_bytes, _made(raw.data, source, said))


def _one(values: dict[str, str], mapping: dict[str, str], said: Told) -> Iterator[Members]:
    yield table.record(values, mapping, said)


def _made(data: bytes, source: Source, said: Told) -> Iterator[Members]:
    assert source.made is not None
    value = parse_json(data, deepest=source.deepest)
    if not isinstance(value, dict):
        raise BadRecord(f"the line is {shown(value)}; expected an object in braces")
    yield from source.made(value, said)


def _checked(number: int, size: int, records: Iterator[Members]) -> Iterator[Line]:
    """A line of a file becomes all of its records, or none and the reason."""
    try:
        found = [read_record(record) for record in records]
    except BadRecord as error:
        yield Line(number, size, None, str(error))
        return
    for place, record in enumerate(found):
        yield Line(number, size if place == 0 else 0, record)


def _values(path: Path, source: Source) -> Iterator[Raw]:
    """The lines; or, of a file that is one JSON list, its entries, numbered in the same way."""
    with reading(path) as file:
        begins = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if begins != b"[":
        yield from raw_lines(path)
        return
    with reading(path) as file:
        data = file.read(MOST_LIST_BYTES + 1)
    if len(data) > MOST_LIST_BYTES:
        raise UnreadableFile(
            f"{path.name} is one JSON list of more than {MOST_LIST_BYTES:,} bytes; write one entry a line instead"
        )
    try:
        entries: Any = parse_json(data.removeprefix(b"\xef\xbb\xbf"), deepest=source.deepest + 1)
    except BadRecord as error:
        raise UnreadableFile(f"{path.name}: {error}") from None
    for number, entry in enumerate(entries, start=1):
        text = json.dumps(entry, ensure_ascii=False).encode(errors="surrogatepass")
        yield Raw(number, len(text), text)
