"""Anthropic's HH text: two dialogues, chosen and rejected, that part at the assistant's last turn.

Its makers ask that nothing of it be imitated: these are comparisons between unnamed models, and none of it becomes a
demonstration. The group is the dialogue's first turn. Rows that have the shared part as prompt are taken too.
"""

import re
from collections.abc import Iterator

from labeling.foreign.making import Members, Told, given_id, id_of
from labeling.record_fields import BadRecord, checked_text

SPEAKERS = {"Human": "user", "Assistant": "assistant"}
TURN = re.compile(r"(?:\A|\n\n)\s*(Human|Assistant): ?")
SHOWN_CHARACTERS = 60


def records(row: Members, told: Told) -> Iterator[Members]:
    if "prompt" in row:
        dialogue = checked_text(row["prompt"], where="prompt")
        replies = [checked_text(row.get(name), where=name, least=0) for name in ("chosen", "rejected")]
    else:
        dialogue, replies = _parted(*(checked_text(row.get(name), where=name) for name in ("chosen", "rejected")))
    messages = chat(dialogue)
    if not messages or messages[-1]["role"] != "user":
        raise BadRecord(f"the dialogue does not end with Human: {dialogue[-SHOWN_CHARACTERS:]!r}")
    empty = next((number for number, turn in enumerate(messages) if not turn["content"].strip()), None)
    if empty is not None:
        raise BadRecord(f"turn {empty + 1} of the dialogue is empty; leave the row out")
    yield {
        "type": "comparison",
        "id": given_id(row, "hh", "id") or id_of("hh", dialogue, replies),
        "prompt": {"messages": messages, "group_key": id_of("hh first turn", messages[0]), "use_case": "chat"},
        "chosen": {"text": replies[0], "generator": told.generator},
        "rejected": {"text": replies[1], "generator": told.generator},
        "labeler": told.labeler,
    }


def chat(dialogue: str) -> list[Members]:
    """ "Human: …\\n\\nAssistant: …" as messages."""
    parts = TURN.split(dialogue)[1:]
    return [{"role": SPEAKERS[speaker], "content": text} for speaker, text in zip(parts[::2], parts[1::2], strict=True)]


def _parted(chosen: str, rejected: str) -> tuple[str, list[str]]:
    """The dialogue up to the assistant's last turn, which both share, and the two turns."""
    shared = []
    for name, text in (("chosen", chosen), ("rejected", rejected)):
        before, mark, reply = text.rpartition("\n\nAssistant:")
        if not mark:
            raise BadRecord(f"{name} has no turn that begins with Assistant: {text[:SHOWN_CHARACTERS]!r}")
        shared.append((before, reply.strip()))
    if shared[0][0] != shared[1][0]:
        raise BadRecord("chosen and rejected differ before the assistant's last turn; they answer different dialogues")
    return shared[0][0], [reply for _, reply in shared]
