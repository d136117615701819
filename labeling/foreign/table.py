"""CSV: a row is a record, by a mapping from our members to its columns.

What is mapped says what a row is: prompt and response a demonstration, prompt with chosen and rejected a comparison,
prompt alone a prompt.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from labeling.foreign.making import Members, Told, id_of, user_says
from labeling.record_fields import BadRecord, checked_text
from labeling.record_lines import BYTE_ORDER_MARK, MOST_LINE_BYTES, UnreadableFile, reading

PREFIX = "column_"
TARGETS = {
    "prompt": "what the user says",
    "system": "what the system message says",
    "response": "a reply that a person wrote: the rows are demonstrations",
    "chosen": "the better of two replies: the rows are comparisons",
    "rejected": "the other reply",
    "id": "the row's own id; made of its content where none is mapped",
    "group_key": "author, customer or document: one side of a split holds all of it",
    "use_case": "one of the ten use cases",
    "language": "a language tag",
    "split": "train, valid or test",
    "consent": "the words that a customer agreed to",
    "writer": "who wrote the response",
    "labeler": "who chose",
}
"""Members that a column can be mapped to, with what they mean."""
LIKELY = {
    "prompt": ("prompt", "question", "instruction", "input", "query"),
    "response": ("response", "answer", "completion", "output", "reply"),
    "chosen": ("chosen", "preferred", "winner"),
    "rejected": ("rejected", "dispreferred", "loser"),
    "id": ("id", "key"),
    "group_key": ("group_key", "group", "author", "customer"),
    "use_case": ("use_case", "category"),
    "language": ("language", "lang"),
    "split": ("split",),
    "system": ("system",),
    "consent": ("consent",),
    "writer": ("writer", "author"),
    "labeler": ("labeler", "annotator", "rater"),
}
OF_PROMPT = ("group_key", "use_case", "language", "split", "consent")


@dataclass(frozen=True)
class Row:
    """number: of the line where it ends. values None: it was refused, and reason says why."""

    number: int
    values: dict[str, str] | None
    reason: str = ""


def head_of(path: Path) -> list[str]:
    """The names of the columns. Raises UnreadableFile."""
    with reading(path) as file:
        reader = csv.reader(_text(file, path), delimiter=_delimiter(path))
        try:
            names = [name.strip() for name in next(reader, [])]
        except (csv.Error, UnicodeDecodeError) as error:
            raise UnreadableFile(_said(error, path, 1)) from None
    if not any(names):
        raise UnreadableFile(f"{path.name} has no head; its first line names the columns")
    return names


def guessed(columns: list[str]) -> dict[str, str]:
    """A mapping by the columns' names, to begin with."""
    found: dict[str, str] = {}
    lower = {name.lower().replace(" ", "_"): name for name in reversed(columns)}
    for target, names in LIKELY.items():
        name = next((lower[one] for one in names if one in lower and lower[one] not in found.values()), None)
        if name:
            found[target] = name
    return found


def mapping_of(query: Mapping[str, str], columns: list[str]) -> dict[str, str]:
    """From what was asked for (column_prompt=Question). Raises BadRecord."""
    asked = {name.removeprefix(PREFIX): value for name, value in query.items() if name.startswith(PREFIX) and value}
    for target, column in asked.items():
        if target not in TARGETS:
            raise BadRecord(f"{PREFIX}{target[:40]} is not known; a column can be one of {', '.join(TARGETS)}")
        if column not in columns:
            raise BadRecord(f"{PREFIX}{target} is {column[:60]!r}; the file has the columns {', '.join(columns)[:300]}")
    found = asked or guessed(columns)
    if "prompt" not in found:
        raise BadRecord(f"no column is the prompt; say {PREFIX}prompt=NAME, one of {', '.join(columns)[:300]}")
    if ("chosen" in found) != ("rejected" in found):
        raise BadRecord("of chosen and rejected one is mapped; a comparison needs both")
    return found


def rows_of(path: Path) -> Iterator[Row]:
    """Raises UnreadableFile where it cannot be read on."""
    names = head_of(path)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice:
        raise UnreadableFile(f"{path.name} has two columns of the name {twice[:60]!r}; which one holds is not known")
    with reading(path) as file:
        reader = csv.reader(_text(file, path), delimiter=_delimiter(path), strict=True)
        in_head = True  # which may take several lines: a name may hold a line break
        while True:
            try:
                cells = next(reader, None)
            except (csv.Error, UnicodeDecodeError) as error:
                raise UnreadableFile(_said(error, path, reader.line_num + 1)) from None
            if cells is None:
                return
            if in_head or not any(cells):
                in_head = False
                continue
            if len(cells) != len(names):
                yield Row(reader.line_num, None, f"the row has {len(cells)} cells; the head has {len(names)}")
                continue
            yield Row(reader.line_num, dict(zip(names, cells, strict=True)))


def record(values: Mapping[str, str], mapping: Mapping[str, str], told: Told) -> Members:
    said = {target: values[column] for target, column in mapping.items() if values[column].strip()}
    messages = user_says(checked_text(said.get("prompt", ""), where=f"column {mapping['prompt']}"))
    if "system" in said:
        messages.insert(0, {"role": "system", "content": said["system"]})
    prompt: Members = {"messages": messages} | {name: said[name].strip() for name in OF_PROMPT if name in said}
    own = said.get("id", "").strip() or id_of("csv", [said.get(name) for name in TARGETS if name != "id"])
    if "chosen" in mapping:
        return {
            "type": "comparison",
            "id": own,
            "prompt": prompt,
            "chosen": {"text": values[mapping["chosen"]], "generator": told.generator},
            "rejected": {"text": values[mapping["rejected"]], "generator": told.generator},
            "labeler": said.get("labeler", told.labeler).strip(),
        }
    if "response" in mapping:
        writer = said.get("writer", told.writer).strip()
        return {
            "type": "demonstration",
            "id": own,
            "prompt": prompt,
            "response": {"text": values[mapping["response"]], "labeler": writer},
        }
    return {"type": "prompt", "id": own, **prompt}


def _text(file: BinaryIO, path: Path) -> io.TextIOWrapper:
    csv.field_size_limit(MOST_LINE_BYTES)
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _delimiter(path: Path) -> str:
    """Comma, semicolon or tab: whichever the head has most of."""
    with reading(path) as file:
        head = file.readline(64 * 1024).removeprefix(BYTE_ORDER_MARK)
    return max((",", ";", "\t"), key=lambda mark: head.count(mark.encode()))


def _said(error: Exception, path: Path, number: int) -> str:
    why: Any = "it is not UTF-8; save it as UTF-8" if isinstance(error, UnicodeDecodeError) else error
    return f"{path.name} cannot be read at line {number}: {why}"
