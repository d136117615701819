"""Layouts: how a record is laid out in the rows of a file, and what each member of a row is.

"records" is Accord's own format (docs/records.md), which can be imported again. In every other layout each row has the
same members, null where there is nothing to say, so that any reader finds one type a column. The names of the other
layouts, and of their members, are those that trainers use.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from labeling.records import Judged, Kind, Record, ResponseText, time_text, write_record
from labeling.selecting import Selection

Type = Literal["text", "whole", "number", "flag", "time", "chat", "turns", "texts", "wholes", "responses", "judged"]
"""Of a member: chat and turns are lists of messages ({role, content}; {from, value}), texts and wholes plain lists."""
Row = dict[str, Any]
Maker = Callable[[Record, Selection], Iterator[Row]]


@dataclass(frozen=True)
class Member:
    name: str
    type: Type
    meaning: str


@dataclass(frozen=True)
class Layout:
    """rows: the rows of one record, each with the members in their order. loads: what reads it as it is."""

    kind: Kind
    name: str
    loads: str
    members: tuple[Member, ...]
    rows: Maker


RECORDS = "records"
TABLE = "table"


def line(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _json(value: object) -> str | None:
    """Answers by name as JSON text: their names differ from row to row, so a column cannot hold them otherwise."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else None


def _chat(record: Record) -> list[Row]:
    return [{"role": turn["role"], "content": turn["content"]} for turn in record.prompt.messages]


def _reply(response: ResponseText) -> list[Row]:
    return [{"role": "assistant", "content": response.text}]


# --- records ----------------------------------------------------------------------------------------------------------


def _as_record(record: Record, selection: Selection) -> Iterator[Row]:
    yield write_record(record)


# --- tables -----------------------------------------------------------------------------------------------------------

ID = Member("id", "text", "of the record; the same in every export")
CAMPAIGN = Member(
    "campaign", "text", "where it was said; null for what came from a file or is kept for a cohort filled by a rule"
)
OF_PROMPT = (
    Member("prompt_id", "text", "of the prompt"),
    Member("prompt", "chat", "the turns, the last one the user's"),
    Member("use_case", "text", "of the prompt, one of ten"),
    Member("group_key", "text", "author, customer, conversation or document that the prompt came from"),
    Member("language", "text", "of the prompt"),
    Member("split", "text", "train, valid or test"),
)
WHO_AND_WHEN = (
    Member("labeler", "text", "pseudonym, one person within the project"),
    Member("simulated", "flag", "whether the labeler is a program"),
    Member("submitted_at", "time", "when it was said"),
    Member("aside", "text", "surplus, withdrawn or adjudication; null for what counts"),
    CAMPAIGN,
    Member("guideline", "text", "what the labeler worked by: kind and version"),
)


def _of_prompt(record: Record) -> Row:
    prompt = record.prompt
    return {
        "prompt_id": prompt.id,
        "prompt": _chat(record),
        "use_case": prompt.use_case,
        "group_key": prompt.group_key,
        "language": prompt.language,
        "split": prompt.split,
    }


def _who_and_when(record: Record, judged: Judged) -> Row:
    return {
        "labeler": judged.labeler,
        "simulated": judged.simulated,
        "submitted_at": time_text(judged.submitted_at) if judged.submitted_at else None,
        "aside": judged.aside or None,
        "campaign": record.campaign or None,
        "guideline": judged.guideline,
    }


def _prompt_table(record: Record, selection: Selection) -> Iterator[Row]:
    prompt = record.prompt
    more = {"style": prompt.style, "origin": prompt.origin, "consent": prompt.consent or None}
    yield {"id": record.id} | _of_prompt(record) | more | {"campaign": record.campaign or None}


def _demonstration_table(record: Record, selection: Selection) -> Iterator[Row]:
    (response,) = record.responses
    yield (
        {"id": record.id}
        | _of_prompt(record)
        | {
            "response_id": response.id,
            "response": response.text,
            "labeler": response.labeler,
            "simulated": response.simulated,
            "review": record.review,
            "aside": record.aside or None,
            "campaign": record.campaign or None,
        }
    )


RESPONSE_NAMES = ("id", "text", "generator", "labeler", "finish_reason", "token_count", "sampling")
JUDGED_NAMES = (
    *("labeler", "simulated", "submitted_at", "aside", "guideline", "ranks", "ratings", "flags", "notes", "order"),
    *("verdict", "strength", "note", "active_ms"),
)


def _response(response: ResponseText) -> Row:
    return {
        "id": response.id,
        "text": response.text,
        "generator": response.generator,
        "labeler": response.labeler,
        "finish_reason": response.finish_reason or None,
        "token_count": response.token_count,
        "sampling": _json(response.sampling),
    }


def _judged(judged: Judged) -> Row:
    return {
        "labeler": judged.labeler,
        "simulated": judged.simulated,
        "submitted_at": time_text(judged.submitted_at) if judged.submitted_at else None,
        "aside": judged.aside or None,
        "guideline": judged.guideline,
        "ranks": list(judged.ranks),
        "ratings": [_json(one) for one in judged.ratings],
        "flags": [_json(one) for one in judged.flags],
        "notes": [one or None for one in judged.notes],
        "order": list(judged.order) or None,
        "verdict": judged.verdict or None,
        "strength": judged.strength,
        "note": judged.note or None,
        "active_ms": judged.active_ms,
    }


def _candidates_table(record: Record, selection: Selection) -> Iterator[Row]:
    said = {"responses": [_response(response) for response in record.responses], "campaign": record.campaign or None}
    yield {"id": record.id} | _of_prompt(record) | said


def _ranking_table(record: Record, selection: Selection) -> Iterator[Row]:
    (row,) = _candidates_table(record, selection)
    yield row | {"judged": [_judged(one) for one in record.judged]}


def _comparison_table(record: Record, selection: Selection) -> Iterator[Row]:
    (judged,), (chosen, rejected) = record.judged, record.responses
    first = ("chosen", "rejected")[judged.order[0]] if judged.order else None
    yield (
        {"id": record.id}
        | _of_prompt(record)
        | {
            "chosen_id": chosen.id,
            "chosen": chosen.text,
            "chosen_generator": chosen.generator,
            "chosen_labeler": chosen.labeler,
            "rejected_id": rejected.id,
            "rejected": rejected.text,
            "rejected_generator": rejected.generator,
            "rejected_labeler": rejected.labeler,
            "tie": judged.ranks[0] == judged.ranks[1],
            "margin_ranks": margin(judged, "ranks"),
            "margin_overall": margin(judged, "overall"),
            "strength": judged.strength,
            "shown_first": first,
        }
        | _who_and_when(record, judged)
    )


def margin(judged: Judged, by: str) -> int | None:
    """How far the chosen response is above the rejected one: in ranks, in the overall rating (None unless both were
    rated; below 0 where a ranking says otherwise), or as the labeler said of two (0 to 2)."""
    return {"ranks": judged.margin_ranks, "overall": judged.margin_overall, "strength": judged.strength}[by]


def _rating_table(record: Record, selection: Selection) -> Iterator[Row]:
    (response,) = record.responses
    for judged in record.judged:
        yield (
            {"id": f"{record.id}:{judged.labeler}"}
            | _of_prompt(record)
            | {
                "response_id": response.id,
                "response": response.text,
                "generator": response.generator,
                "writer": response.labeler,
                "ratings": _json(judged.ratings[0]),
                "flags": _json(judged.flags[0]),
                "overall": judged.ratings[0].get("overall"),
                "note": judged.note or None,
                "active_ms": judged.active_ms,
            }
            | _who_and_when(record, judged)
        )


# --- what trainers load -----------------------------------------------------------------------------------------------


def _prompt_only(record: Record, selection: Selection) -> Iterator[Row]:
    yield {"prompt": _chat(record)}


def _prompt_completion(record: Record, selection: Selection) -> Iterator[Row]:
    yield {"prompt": _chat(record), "completion": _reply(record.responses[0])}


def _messages(record: Record, selection: Selection) -> Iterator[Row]:
    yield {"messages": _chat(record) + _reply(record.responses[0])}


SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def _sharegpt(record: Record, selection: Selection) -> Iterator[Row]:
    turns = _chat(record) + _reply(record.responses[0])
    said = [{"from": SPEAKERS[turn["role"]], "value": turn["content"]} for turn in turns]
    yield {"id": record.id, "conversations": said}


def _preference(record: Record, selection: Selection) -> Iterator[Row]:
    chosen, rejected = record.responses
    row = {"prompt": _chat(record), "chosen": _reply(chosen), "rejected": _reply(rejected)}
    if selection.margin == "none":
        yield row
    else:
        found = margin(record.judged[0], selection.margin)
        yield row | {"margin": None if found is None else float(found)}


def _unpaired(record: Record, selection: Selection) -> Iterator[Row]:
    for response, label in zip(record.responses, (True, False), strict=True):
        yield {"prompt": _chat(record), "completion": _reply(response), "label": label}


# --- all of them ------------------------------------------------------------------------------------------------------

CHAT = Member("prompt", "chat", "the turns, the last one the user's")
COMPLETION = Member("completion", "chat", "the response, as one turn of the assistant")
ASIDE = Member("aside", "text", "surplus or withdrawn; null for what counts")
RESPONSES = Member("responses", "responses", f"each with {', '.join(RESPONSE_NAMES)}; sampling is JSON text")

_TABLES: dict[Kind, tuple[Maker, tuple[Member, ...]]] = {
    Kind.PROMPT: (
        _prompt_table,
        (
            Member("style", "text", "plain, few_shot or user_based"),
            Member("origin", "text", "labeler, customer, import or simulated"),
            Member("consent", "text", "the words that a customer agreed to"),
            CAMPAIGN,
        ),
    ),
    Kind.DEMONSTRATION: (
        _demonstration_table,
        (
            Member("response_id", "text", "of the response"),
            Member("response", "text", "what the person wrote"),
            Member("labeler", "text", "pseudonym of the person, one within the project"),
            Member("simulated", "flag", "whether the labeler is a program"),
            Member("review", "text", "unreviewed, accepted or returned"),
            ASIDE,
            CAMPAIGN,
        ),
    ),
    Kind.CANDIDATES: (_candidates_table, (RESPONSES, CAMPAIGN)),
    Kind.RANKING: (
        _ranking_table,
        (
            RESPONSES,
            CAMPAIGN,
            Member("judged", "judged", f"each labeler's {', '.join(JUDGED_NAMES)}; lists are in the responses' order"),
        ),
    ),
    Kind.COMPARISON: (
        _comparison_table,
        (
            Member("chosen_id", "text", "of the better response"),
            Member("chosen", "text", "the better response"),
            Member("chosen_generator", "text", "the model that wrote it, or null"),
            Member("chosen_labeler", "text", "the person who wrote it, or null"),
            Member("rejected_id", "text", "of the other response"),
            Member("rejected", "text", "the other response"),
            Member("rejected_generator", "text", "the model that wrote it, or null"),
            Member("rejected_labeler", "text", "the person who wrote it, or null"),
            Member("tie", "flag", "true: neither is better, and which one is chosen means nothing"),
            Member("margin_ranks", "whole", "ranks between the two, 0 for a tie"),
            Member("margin_overall", "whole", "difference of their overall ratings; null unless both were rated"),
            Member("strength", "whole", "0 to 2, of two responses only"),
            Member("shown_first", "text", "chosen or rejected: which one stood on the left; null where unknown"),
            *WHO_AND_WHEN,
        ),
    ),
    Kind.RATING: (
        _rating_table,
        (
            Member("response_id", "text", "of the response"),
            Member("response", "text", "what was rated"),
            Member("generator", "text", "the model that wrote it, or null"),
            Member("writer", "text", "the person who wrote it, or null"),
            Member("ratings", "text", "names and whole numbers from 1 to 7, as JSON text"),
            Member("flags", "text", "names and true or false, as JSON text"),
            Member("overall", "whole", "the overall rating, 1 to 7"),
            Member("note", "text", "what the labeler noted"),
            Member("active_ms", "whole", "milliseconds at work"),
            *WHO_AND_WHEN,
        ),
    ),
}

_OF_TRAINERS = (
    Layout(Kind.PROMPT, "prompt_only", "TRL: prompt-only", (CHAT,), _prompt_only),
    Layout(Kind.DEMONSTRATION, "prompt_completion", "TRL: SFTTrainer", (CHAT, COMPLETION), _prompt_completion),
    Layout(
        Kind.DEMONSTRATION,
        "messages",
        "TRL: SFTTrainer, and whatever takes chats",
        (Member("messages", "chat", "the prompt's turns and the response"),),
        _messages,
    ),
    Layout(
        Kind.DEMONSTRATION,
        "sharegpt",
        "programs that take ShareGPT's turns",
        (ID, Member("conversations", "turns", "from is system, human or gpt")),
        _sharegpt,
    ),
    Layout(
        Kind.COMPARISON,
        "preference",
        "TRL: RewardTrainer, DPOTrainer",
        (
            CHAT,
            Member("chosen", "chat", "the better response, as one turn of the assistant"),
            Member("rejected", "chat", "the other response, as one turn of the assistant"),
        ),
        _preference,
    ),
    Layout(
        Kind.COMPARISON,
        "unpaired",
        "TRL: KTOTrainer",
        (CHAT, COMPLETION, Member("label", "flag", "whether it is the better one of its pair")),
        _unpaired,
    ),
)
MARGIN = Member("margin", "number", "how far the chosen response is above the other, by what was asked for")

LAYOUTS: dict[tuple[Kind, str], Layout] = {
    (layout.kind, layout.name): layout
    for layout in (
        *(Layout(kind, RECORDS, "Accord: import_records", (), _as_record) for kind in Kind),
        *(
            Layout(kind, TABLE, "whatever reads rows of the same columns", (ID, *OF_PROMPT, *members), maker)
            for kind, (maker, members) in _TABLES.items()
        ),
        *_OF_TRAINERS,
    )
}


def layouts_of(kind: Kind) -> list[str]:
    return [name for of_kind, name in LAYOUTS if of_kind is kind]


def members_of(layout: Layout, selection: Selection) -> tuple[Member, ...]:
    """With the margin, where it is asked for."""
    asked = layout.name == "preference" and selection.margin != "none"
    return (*layout.members, MARGIN) if asked else layout.members
