"""Parquet: JSON lines are parsed by Arrow into columns of the layout's types and written in row groups.

pyarrow is loaded by those who ask for Parquet; a web process that nobody asks for it does without.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from labeling.exporting.formats import Outbox
from labeling.exporting.layouts import Member

GROUP_BYTES = 12 * 1024 * 1024
"""Of JSON, in a row group: what is held at once is a few times this."""
FIRST_GROUP_BYTES = 1024 * 1024
BLOCK_BYTES = 4 * 1024 * 1024
LONGEST_LINE_BYTES = 256 * 1024 * 1024

_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
_RESPONSE = pa.struct(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("generator", pa.string()),
        ("labeler", pa.string()),
        ("finish_reason", pa.string()),
        ("token_count", pa.int64()),
        ("sampling", pa.string()),
    ]
)
TIME = pa.timestamp("us", tz="UTC")
_JUDGED = pa.struct(
    [
        ("labeler", pa.string()),
        ("simulated", pa.bool_()),
        ("submitted_at", TIME),
        ("aside", pa.string()),
        ("guideline", pa.string()),
        ("ranks", pa.list_(pa.int64())),
        ("ratings", pa.list_(pa.string())),
        ("flags", pa.list_(pa.string())),
        ("notes", pa.list_(pa.string())),
        ("order", pa.list_(pa.int64())),
        ("verdict", pa.string()),
        ("strength", pa.int64()),
        ("note", pa.string()),
        ("active_ms", pa.int64()),
    ]
)
_TYPES: dict[str, Any] = {
    "text": pa.string(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "time": TIME,
    "chat": pa.list_(_MESSAGE),
    "turns": pa.list_(_TURN),
    "texts": pa.list_(pa.string()),
    "wholes": pa.list_(pa.int64()),
    "responses": pa.list_(_RESPONSE),
    "judged": pa.list_(_JUDGED),
}


REPEATED = (
    *("use_case", "language", "split", "style", "origin", "review", "aside", "campaign", "guideline", "labeler"),
    *("chosen_generator", "rejected_generator", "chosen_labeler", "rejected_labeler", "generator", "writer"),
    *("shown_first", "consent", "group_key"),
)
"""Columns whose few values are kept once and referred to. Tried on texts it costs a third of the time, for nothing."""


def schema_of(members: tuple[Member, ...]) -> pa.Schema:
    return pa.schema([pa.field(member.name, _TYPES[member.type]) for member in members])


def parquet_of(lines: Iterator[bytes], members: tuple[Member, ...]) -> Iterator[bytes]:
    schema, sink = schema_of(members), Outbox()
    repeated = [member.name for member in members if member.name in REPEATED]
    file = pa.PythonFile(sink, mode="w")
    with (
        pq.ParquetWriter(
            file, schema, compression="zstd", compression_level=1, use_dictionary=repeated or False
        ) as writer,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="parquet") as maker,
    ):
        yield sink.take()
        # One group is made into columns while the next one is read, or each of the two would wait for the other.
        made: Future[None] | None = None
        for number, group in enumerate(_groups(lines)):
            if made is not None:
                made.result()
                yield sink.take()
            made = maker.submit(_write, writer, group, schema)
            if number == 0:  # which a reader waits for
                made.result()
                made = None
                yield sink.take()
        if made is not None:
            made.result()
    yield sink.take()


def _write(writer: pq.ParquetWriter, group: bytes, schema: pa.Schema) -> None:
    """In a thread: Arrow's work holds no lock of Python's."""
    writer.write_table(_table(group, schema))


def _groups(lines: Iterator[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size, enough = 0, FIRST_GROUP_BYTES
    for chunk in lines:
        waiting.append(chunk)
        size += len(chunk)
        if size >= enough:
            yield b"".join(waiting)
            waiting, size, enough = [], 0, GROUP_BYTES
    if waiting:
        yield b"".join(waiting)


def _table(group: bytes, schema: pa.Schema) -> pa.Table:
    """Every line must fit into a block, so a block is as long as the longest needs."""
    longest = max(map(len, group.split(b"\n"))) if len(group) < BLOCK_BYTES else BLOCK_BYTES
    return pa_json.read_json(
        pa.BufferReader(group),
        read_options=pa_json.ReadOptions(block_size=max(BLOCK_BYTES, longest + 1), use_threads=False),
        parse_options=pa_json.ParseOptions(
            explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior="error"
        ),
    )
