"""What the adapters share: reading the rows of a file, counting what is left out, and the shape of a chat."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
RecordMembers = dict[str, Any]


@dataclass
class Source:
    """One file of the trial data as it is read: rows in, and rows left out by reason."""

    data: Path
    rows_in: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    """What was changed or not carried over, by what it is; these rows are not left out."""

    def rows(self, name: str) -> Iterator[Row]:
        for row in read_rows(self.data, name):
            self.rows_in += 1
            yield row

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] += 1

    def note(self, what: str, count: int = 1) -> None:
        self.notes[what] += count


def read_rows(data: Path, name: str) -> Iterator[Row]:
    # Lines end at \n only: some texts hold U+2028.
    with gzip.open(data / f"{name}.jsonl.gz", "rb") as file:
        for line in file:
            yield json.loads(line)


Adapter = Callable[[Source], Iterator[RecordMembers]]


def user_says(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def prompt(messages: list[dict[str, str]], *, group: str | None = None, use_case: str | None = None) -> RecordMembers:
    members: RecordMembers = {"messages": messages}
    if group:
        members["group_key"] = group
    if use_case:
        members["use_case"] = use_case
    return members


def ranks_of_choice(choice: int | str) -> list[int]:
    """Of two responses: the index of the better one, or "tie"."""
    return [1, 1] if choice == "tie" else [1, 2] if choice == 0 else [2, 1]
