"""What the readers of other tools' files share: chats, ids made of content, and records that are checked like ours.

A record without an id gets one made of what it says, so that the same file given twice is taken once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeling.record_fields import BadRecord, checked_list, checked_text, shown
from labeling.records import NAME_CHARACTERS

Members = dict[str, Any]
ROLES = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "human": "user",
    "gpt": "assistant",
    "prompter": "user",
    "bot": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "prompt": "user",
    "response": "assistant",
}
"""What others call the three roles."""


@dataclass(frozen=True)
class Told:
    """What a file does not say itself. writer: under which name its texts by people go; generator: by models."""

    writer: str
    generator: str
    labeler: str


def told(query: Mapping[str, str], *, source: str) -> Told:
    """From what was asked for, by the names writer, generator and labeler."""
    found = {
        name: query.get(name) or f"{source} {name}" for name in ("writer", "generator", "labeler")
    }  # fmt: skip
    for name, value in found.items():
        if len(value) > NAME_CHARACTERS or value != value.strip() or not value.isprintable():
            raise BadRecord(
                f"{name} is {shown(value)}; expected a name of one line, at most {NAME_CHARACTERS} characters"
            )
    return Told(**found)


def id_of(source: str, *parts: object) -> str:
    content = json.dumps(parts, ensure_ascii=False, sort_keys=True)
    return f"{source}:{hashlib.sha256(content.encode(errors='surrogatepass')).hexdigest()[:32]}"


def given_id(row: Members, source: str, *names: str) -> str | None:
    """The row's own id under one of these names: text, or a whole number."""
    for name in names:
        value = row.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{source}:{value}"
        if isinstance(value, str) and value.strip():
            return value if value.startswith(f"{source}:") else f"{source}:{value}"
    return None


def messages_of(turns: object, *, where: str, role: str = "role", text: str = "content") -> list[Members]:
    """A list of turns under other names as ours. Raises BadRecord."""
    found = []
    for number, turn in enumerate(checked_list(turns, where=where, least=1, most=500)):
        place = f"{where}[{number}]"
        if not isinstance(turn, dict) or not isinstance(turn.get(role), str):
            raise BadRecord(f"{place} is {shown(turn)}; expected an object with {role} and {text}")
        if turn[role] not in ROLES:
            raise BadRecord(f"{place}.{role} is {shown(turn[role])}; expected one of {', '.join(sorted(ROLES))}")
        found.append({"role": ROLES[turn[role]], "content": checked_text(turn.get(text), where=f"{place}.{text}")})
    return found


def asked_and_reply(messages: Sequence[Members], *, where: str) -> tuple[list[Members], str]:
    """A chat that ends with the assistant, parted before that turn. Raises BadRecord."""
    if len(messages) < 2 or messages[-1]["role"] != "assistant" or messages[-2]["role"] != "user":
        raise BadRecord(f"{where} does not end with a user's turn and the assistant's reply to it")
    return list(messages[:-1]), str(messages[-1]["content"])


def user_says(text: str) -> list[Members]:
    return [{"role": "user", "content": text}]
