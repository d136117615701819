"""Anthropic's HH, harmless-base, test split: the better of two replies in a dialogue.

Offensive on purpose. Its makers ask that nothing of it be imitated; these records are comparisons between unnamed
models, so none of them can become a demonstration. The group is the dialogue's first turn.
"""

import hashlib
import re
from collections.abc import Iterator

from bench.adapters.rows import RecordMembers, Source, prompt

SPEAKERS = {"Human": "user", "Assistant": "assistant"}
TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant): ?")


def chat(dialogue: str) -> list[dict[str, str]]:
    """ "Human: …\\n\\nAssistant: …" as messages."""
    parts = TURN.split(dialogue)[1:]
    return [{"role": SPEAKERS[speaker], "content": text} for speaker, text in zip(parts[::2], parts[1::2], strict=True)]


def pairs_hh_harmless(source: Source) -> Iterator[RecordMembers]:
    for row in source.rows("pairs_hh_harmless"):
        messages = chat(row["prompt"])
        if not all(message["content"].strip() for message in messages):
            source.leave_out("a turn of the dialogue is empty")
        elif messages[-1]["role"] != "user":
            source.leave_out("the dialogue does not end with the user")
        else:
            first_turn = hashlib.sha256(row["first_turn"].encode()).hexdigest()[:32]
            yield {
                "type": "comparison",
                "id": row["id"],
                "prompt": prompt(messages, group=f"hh first turn:{first_turn}", use_case="chat"),
                "chosen": {"text": row["chosen"], "generator": "hh unnamed"},
                "rejected": {"text": row["rejected"], "generator": "hh unnamed"},
                "labeler": "hh unnamed labelers",
            }
