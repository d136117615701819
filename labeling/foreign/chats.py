"""TRL's and ShareGPT's rows: what is in a row says what it is.

TRL: messages, or prompt and completion, is a demonstration; chosen and rejected a comparison; prompt alone a prompt;
each text is a string or a list of messages. ShareGPT: conversations with from and value is a demonstration of the last
turn. Whose texts they are is not in such files: it is said by whoever imports them.
"""

from collections.abc import Iterator

from labeling.foreign.making import Members, Told, asked_and_reply, given_id, id_of, messages_of, user_says
from labeling.record_fields import BadRecord, checked_text, shown


def trl(row: Members, told: Told) -> Iterator[Members]:
    if "chosen" in row and "rejected" in row:
        yield _comparison(row, told)
    elif "completion" in row and "prompt" in row:
        if "label" in row:
            raise BadRecord(
                "label is given: an unpaired preference says of one response whether it is good; import pairs"
            )
        yield _demonstration(row, "trl", _asked(row["prompt"]), _reply(row["completion"], where="completion"), told)
    elif "messages" in row:
        asked, reply = asked_and_reply(messages_of(row["messages"], where="messages"), where="messages")
        yield _demonstration(row, "trl", asked, reply, told)
    elif "prompt" in row:
        messages = _asked(row["prompt"])
        yield {"type": "prompt", "id": given_id(row, "trl", "id") or id_of("trl", messages), "messages": messages}
    else:
        named = ", ".join(sorted(row)[:8]) or "nothing"
        raise BadRecord(f"the row has {named}; expected messages, prompt and completion, or chosen and rejected")


def sharegpt(row: Members, told: Told) -> Iterator[Members]:
    turns = row.get("conversations", row.get("conversation"))
    if turns is None:
        raise BadRecord("conversations is missing; expected a list of turns with from and value")
    messages = messages_of(turns, where="conversations", role="from", text="value")
    if isinstance(row.get("system"), str) and row["system"].strip():
        messages = [{"role": "system", "content": row["system"]}, *messages]
    asked, reply = asked_and_reply(messages, where="conversations")
    yield _demonstration(row, "sharegpt", asked, reply, told)


def _demonstration(row: Members, source: str, asked: list[Members], reply: str, told: Told) -> Members:
    own = given_id(row, source, "id", "conversation_id")
    return {
        "type": "demonstration",
        "id": own or id_of(source, asked, reply),
        "prompt": {"messages": asked},
        "response": {"text": reply, "labeler": told.writer},
    }


def _comparison(row: Members, told: Told) -> Members:
    if "prompt" in row:
        asked = _asked(row["prompt"])
        chosen, rejected = (_reply(row[name], where=name) for name in ("chosen", "rejected"))
    else:
        both = [asked_and_reply(messages_of(row[name], where=name), where=name) for name in ("chosen", "rejected")]
        (asked, chosen), (other, rejected) = both
        if asked != other:
            raise BadRecord("chosen and rejected differ before their last turn; they answer different prompts")
    return {
        "type": "comparison",
        "id": given_id(row, "trl", "id") or id_of("trl", asked, chosen, rejected),
        "prompt": {"messages": asked},
        "chosen": {"text": chosen, "generator": told.generator},
        "rejected": {"text": rejected, "generator": told.generator},
        "labeler": told.labeler,
    }


def _asked(prompt: object) -> list[Members]:
    """A prompt is a string, or messages that end with the user's."""
    if isinstance(prompt, str):
        return user_says(checked_text(prompt, where="prompt"))
    messages = messages_of(prompt, where="prompt")
    if messages[-1]["role"] != "user":
        raise BadRecord(f"prompt ends with {shown(messages[-1]['role'])}; expected the user's turn last")
    return messages


def _reply(value: object, *, where: str) -> str:
    """A completion is a string, or one message of the assistant."""
    if isinstance(value, str):
        return value
    messages = messages_of(value, where=where)
    if len(messages) != 1 or messages[0]["role"] != "assistant":
        raise BadRecord(f"{where} has {len(messages)} turns; expected one, the assistant's")
    return str(messages[0]["content"])
