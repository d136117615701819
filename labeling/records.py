"""The documented exchange format: what people import and export, one JSON object a line (docs/records.md).

Six kinds of record share one shape in memory: a prompt, responses to it, and what each labeler said of them.
read_record takes a parsed JSON value and refuses what has no meaning; write_record is its inverse. Standard library
only: no database is asked here, so whether an id or a name is free is not known yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from labeling.record_fields import (
    ABSENT,
    BadRecord,
    Fields,
    checked_list,
    checked_name,
    checked_text,
    checked_whole,
    shown,
)

ROLES = ("system", "user", "assistant")
USE_CASES = (
    *("generation", "open_qa", "brainstorming", "chat", "rewrite"),
    *("summarization", "classification", "other", "closed_qa", "extract"),
)
STYLES = ("plain", "few_shot", "user_based")
ORIGINS = ("labeler", "customer", "import", "simulated")
SPLITS = ("train", "valid", "test")
REVIEWS = ("unreviewed", "accepted", "returned")
VERDICTS = ("none_acceptable",)
FINISHES = ("stop", "length")
ASIDES = ("surplus", "withdrawn", "adjudication")
"""Why a judgment or a text does not count: beyond the overlap, taken back, or a reviewer's decision beside what the
labelers said."""
MOST_REASON = 2_000
"""Characters."""

ID_CHARACTERS = 200
COMPARISON_ID_CHARACTERS = 400
"""A comparison drawn from a ranking is named by the ranking, the labeler and the pair."""
NAME_CHARACTERS = 120
MOST_RESPONSES = 100
MOST_MESSAGES = 500
MOST_JUDGED = 1000
LOWEST_RATING, HIGHEST_RATING = 1, 7


class Kind(StrEnum):
    """What a record is; the value of its "type"."""

    PROMPT = "prompt"
    DEMONSTRATION = "demonstration"
    CANDIDATES = "candidates"
    RANKING = "ranking"
    COMPARISON = "comparison"
    RATING = "rating"


@dataclass(frozen=True, slots=True)
class PromptText:
    """A chat that waits for a response. id is "" where it has none of its own; group_key and split None: not said."""

    messages: list[dict[str, str]]
    id: str = ""
    use_case: str = "other"
    style: str = "plain"
    origin: str = "import"
    group_key: str | None = None
    language: str = "en"
    consent: str = ""
    split: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseText:
    """A text in reply, by a generator or by a labeler (exactly one of the two is named)."""

    text: str
    id: str = ""
    generator: str | None = None
    labeler: str | None = None
    simulated: bool = False
    finish_reason: str = ""
    token_count: int | None = None
    sampling: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """What one labeler said of the responses; every list is in their order and as long as they are many.

    ranks: 1 best, dense, ties share a rank, None not ranked. ratings: name -> 1 to 7. flags: name -> yes or no. What
    was not answered is absent. order: the indices of the responses as this labeler met them, () where unknown. aside:
    one of ASIDES, or "" for what counts. why: of an adjudication, its reason. guideline: what they worked by
    ("ranking 2"); margin_ranks, margin_overall: of a comparison, how far the chosen one is above the other. These three
    are known on the way out only.
    """

    labeler: str
    ranks: tuple[int | None, ...]
    ratings: tuple[dict[str, int], ...]
    flags: tuple[dict[str, bool], ...]
    notes: tuple[str, ...]
    simulated: bool = False
    order: tuple[int, ...] = ()
    verdict: str = ""
    strength: int | None = None
    note: str = ""
    active_ms: int | None = None
    submitted_at: datetime | None = None
    aside: str = ""
    why: str = ""
    guideline: str = field(default="", compare=False)
    margin_ranks: int | None = field(default=None, compare=False)
    margin_overall: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Record:
    """One line. gaps: in how many of its orders the ranks had gaps (1, 1, 3) and were made dense. aside: of a
    demonstration, one of ASIDES or "". campaign: where it was made, known on the way out only."""

    kind: Kind
    id: str
    prompt: PromptText
    responses: tuple[ResponseText, ...] = ()
    judged: tuple[Judged, ...] = ()
    review: str = "unreviewed"
    gaps: int = 0
    aside: str = ""
    campaign: str = field(default="", compare=False)


def dense(ranks: Sequence[int | None]) -> tuple[int | None, ...]:
    """The same order and ties with the ranks 1, 2, 3, … and no gaps: (1, 1, 3) becomes (1, 1, 2)."""
    place = {rank: number for number, rank in enumerate(sorted({r for r in ranks if r is not None}), start=1)}
    return tuple(None if rank is None else place[rank] for rank in ranks)


# --- in ---------------------------------------------------------------------------------------------------------------


def read_record(value: object, *, kind: Kind | None = None) -> Record:
    """The record that a parsed JSON value holds; kind is what a record without a "type" is taken for.

    Raises BadRecord with the place, the value and the remedy.
    """
    fields = Fields(value)
    kind = _kind(fields, default=kind)
    record_id = fields.name("id", most=COMPARISON_ID_CHARACTERS if kind is Kind.COMPARISON else ID_CHARACTERS)
    if kind is Kind.PROMPT:
        record = Record(kind, record_id, _prompt(fields, prompt_id=record_id))
    else:
        inner = Fields(fields.need("prompt"), where="prompt")
        prompt = _prompt(inner, prompt_id=inner.name_or_none("id", most=ID_CHARACTERS) or "")
        inner.done()
        record = _READERS[kind](fields, Record(kind, record_id, prompt))
    fields.done()
    return record


def _kind(fields: Fields, *, default: Kind | None) -> Kind:
    said = fields.choice_or_none("type", tuple(Kind))
    if said is None and default is None:
        raise BadRecord(f"type is missing; expected one of {', '.join(Kind)}, or say it for all with --kind")
    if said is not None and default is not None and said != default:
        raise BadRecord(f"type is {shown(said)}, but --kind says {default}; leave --kind out or mend the record")
    return Kind(said or str(default))


def _prompt(fields: Fields, *, prompt_id: str) -> PromptText:
    return PromptText(
        messages=_messages(fields),
        id=prompt_id,
        use_case=fields.choice_or_none("use_case", USE_CASES) or "other",
        style=fields.choice_or_none("style", STYLES) or "plain",
        origin=fields.choice_or_none("origin", ORIGINS) or "import",
        group_key=fields.name_or_none("group_key", most=ID_CHARACTERS),
        language=fields.name_or_none("language", most=20) or "en",
        consent=fields.text_or("consent", "", most=200),
        split=fields.choice_or_none("split", SPLITS),
    )


def read_prompt_text(value: object) -> PromptText:
    """A prompt without the envelope of a record; its id is optional. Raises BadRecord."""
    fields = Fields(value)
    prompt = _prompt(fields, prompt_id=fields.name_or_none("id", most=ID_CHARACTERS) or "")
    fields.done()
    return prompt


def read_response_text(value: object) -> ResponseText:
    """A response without the envelope of a record. Raises BadRecord."""
    return _response(value, where="response")


def _messages(fields: Fields) -> list[dict[str, str]]:
    messages = []
    for number, value in enumerate(fields.items("messages", least=1, most=MOST_MESSAGES)):
        message = Fields(value, where=f"{fields.place('messages')}[{number}]")
        role = message.choice_or_none("role", ROLES)
        if role is None:
            raise BadRecord(f"{message.place('role')} is missing; expected one of {', '.join(ROLES)}")
        messages.append({"role": role, "content": message.text("content").replace("\r\n", "\n")})
        message.done()
    if messages[-1]["role"] != "user":
        raise BadRecord(
            f"{fields.place('messages')} ends with the {messages[-1]['role']}; the last message is the user's, and what"
            " follows it is a response"
        )
    return messages


def _response(value: object, *, where: str, least: int = 0) -> ResponseText:
    """A response; a sampled text may be empty (least 0), a demonstration may not."""
    fields = Fields(value, where=where)
    response = ResponseText(
        text=fields.text("text", least=least).replace("\r\n", "\n"),
        id=fields.name_or_none("id", most=ID_CHARACTERS) or "",
        generator=fields.name_or_none("generator", most=NAME_CHARACTERS),
        labeler=fields.name_or_none("labeler", most=NAME_CHARACTERS),
        simulated=fields.flag("simulated"),
        finish_reason=fields.choice_or_none("finish_reason", FINISHES) or "",
        token_count=fields.whole_or_none("token_count", low=0, high=2**31 - 1),
        sampling=_sampling(fields),
    )
    fields.done()
    if (response.generator is None) == (response.labeler is None):
        found = "both" if response.generator else "neither"
        raise BadRecord(f"{where} names {found} of generator and labeler; say which one wrote the text")
    if response.simulated and response.labeler is None:
        raise BadRecord(f"{where}.simulated is true; only a labeler is simulated, a generator needs no mark")
    return response


def _sampling(fields: Fields) -> dict[str, Any]:
    value = fields.take("sampling")
    if value is ABSENT:
        return {}
    where = fields.place("sampling")
    if not isinstance(value, dict) or len(value) > 20:
        raise BadRecord(f"{where} is {shown(value)}; expected an object of at most 20 settings")
    for name, setting in value.items():
        checked_name(name, where=f"a name in {where}", most=40)
        if isinstance(setting, str):
            checked_text(setting, where=f"{where}.{name}", least=0, most=200)
        elif not isinstance(setting, bool | int | float | None):
            raise BadRecord(f"{where}.{name} is {shown(setting)}; expected a number, text, true, false or null")
        elif isinstance(setting, int | float) and not abs(setting) < 2**63:
            raise BadRecord(f"{where}.{name} is {shown(setting)}; expected a number below 2^63")
    return dict(value)


def _responses(fields: Fields, name: str, *, least: int) -> tuple[ResponseText, ...]:
    values = fields.items(name, least=least, most=MOST_RESPONSES)
    responses = tuple(_response(value, where=f"{name}[{number}]") for number, value in enumerate(values))
    _refuse_twice([response.id for response in responses if response.id], what=f"{name}: the id")
    return responses


def _refuse_twice(names: Sequence[str], *, what: str) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise BadRecord(f"{what} {shown(name)} stands there twice; each may stand there once")
        seen.add(name)


def _read_demonstration(fields: Fields, record: Record) -> Record:
    response = _response(fields.need("response"), where="response", least=1)
    if response.labeler is None:
        raise BadRecord("response.labeler is missing; a demonstration is written by a person (a pseudonym will do)")
    review = fields.choice_or_none("review", REVIEWS) or "unreviewed"
    if aside := fields.choice_or_none("aside", ASIDES):
        raise BadRecord(
            f"aside is {shown(aside)}; a text that was set aside is not to be imitated: leave the record out, or the"
            " member where it is meant to count here"
        )
    return replace(record, responses=(response,), review=review)


def _read_candidates(fields: Fields, record: Record) -> Record:
    return replace(record, responses=_responses(fields, "responses", least=1))


def _read_ranking(fields: Fields, record: Record) -> Record:
    responses = _responses(fields, "responses", least=2)
    judged, gaps = [], 0
    for number, value in enumerate(fields.items("judged", least=1, most=MOST_JUDGED)):
        inner = Fields(value, where=f"judged[{number}]")
        one, had_gaps = _judged_ranking(inner, responses=responses)
        inner.done()
        judged.append(one)
        gaps += had_gaps
    _refuse_twice([one.labeler for one in judged], what="judged: the labeler")
    return replace(record, responses=responses, judged=tuple(judged), gaps=gaps)


def _judged_ranking(fields: Fields, *, responses: tuple[ResponseText, ...]) -> tuple[Judged, bool]:
    count = len(responses)
    ranks = _ranks(fields, responses=responses)
    judged = Judged(
        **_who_and_when(fields),
        why=fields.text_or("why", "", most=MOST_REASON),
        ranks=dense(ranks),
        ratings=_each(fields, "ratings", count=count, read=_ratings, empty={}),
        flags=_each(fields, "flags", count=count, read=_flags, empty={}),
        notes=_each(fields, "notes", count=count, read=_note, empty=""),
        order=_order(fields, count=count),
        verdict=fields.choice_or_none("verdict", VERDICTS) or "",
        strength=fields.whole_or_none("strength", low=0, high=2),
    )
    if judged.strength is not None and count != 2:
        raise BadRecord(f"{fields.place('strength')} is given for {count} responses; it has a meaning for two only")
    if judged.why and judged.aside != "adjudication":
        raise BadRecord(f"{fields.place('why')} is given; only an adjudication has one: aside is to say so")
    if _says_nothing(judged):
        raise BadRecord(f"{fields.place('ranks')} ranks, rates and flags nothing; leave this labeler out")
    return judged, ranks != judged.ranks


def _says_nothing(judged: Judged) -> bool:
    ranked = any(rank is not None for rank in judged.ranks)
    return not (ranked or any(judged.ratings) or any(judged.flags) or judged.verdict)


def _who_and_when(fields: Fields, *, asides: tuple[str, ...] = ASIDES) -> dict[str, Any]:
    return {
        "labeler": fields.name("labeler", most=NAME_CHARACTERS),
        "simulated": fields.flag("simulated"),
        "note": fields.text_or("note", ""),
        "active_ms": fields.whole_or_none("active_ms", low=0, high=2**53),
        "submitted_at": fields.time_or_none("submitted_at"),
        "aside": fields.choice_or_none("aside", asides) or "",
    }


def _ranks(fields: Fields, *, responses: tuple[ResponseText, ...]) -> tuple[int | None, ...]:
    """In the order of the responses: given as a list in that order, or as an object from response id to rank."""
    value, where = fields.take("ranks"), fields.place("ranks")
    if value is ABSENT:
        return (None,) * len(responses)
    if isinstance(value, dict):
        ids = {response.id: number for number, response in enumerate(responses) if response.id}
        for response_id in value:
            if response_id not in ids:
                raise BadRecord(f"{where} ranks {shown(response_id)}, which is not among the responses of this record")
        value = [value.get(response.id) if response.id else None for response in responses]
    ranks = checked_list(value, where=where, least=len(responses), most=len(responses))
    meaning = ": 1 is the best, null is not ranked"
    return tuple(
        None if rank is None else checked_whole(rank, where=f"{where}[{n}]", low=1, high=10_000, meaning=meaning)
        for n, rank in enumerate(ranks)
    )


def _each(fields: Fields, name: str, *, count: int, read: Any, empty: Any) -> tuple[Any, ...]:
    """One entry a response; null and absent are read as empty."""
    value, where = fields.take(name), fields.place(name)
    if value is ABSENT:
        return (empty,) * count
    entries = checked_list(value, where=where, least=count, most=count)
    return tuple(empty if one is None else read(one, where=f"{where}[{n}]") for n, one in enumerate(entries))


def _ratings(value: object, *, where: str) -> dict[str, int]:
    return {
        name: checked_whole(
            rating,
            where=f"{where}.{name}",
            low=LOWEST_RATING,
            high=HIGHEST_RATING,
            meaning="; leave out what was not rated",
        )
        for name, rating in _named(value, where=where)
    }


def _flags(value: object, *, where: str) -> dict[str, bool]:
    flags = {}
    for name, flag in _named(value, where=where):
        if not isinstance(flag, bool):
            raise BadRecord(f"{where}.{name} is {shown(flag)}; expected true or false")
        flags[name] = flag
    return flags


def _named(value: object, *, where: str) -> Iterator[tuple[str, Any]]:
    """The members that hold an answer: null is no answer."""
    if not isinstance(value, dict) or len(value) > 50:
        raise BadRecord(f"{where} is {shown(value)}; expected an object of at most 50 names and answers")
    for name, answer in value.items():
        checked_name(name, where=f"a name in {where}", most=60)
        if answer is not None:
            yield name, answer


def _note(value: object, *, where: str) -> str:
    return checked_text(value, where=where, least=0)


def _order(fields: Fields, *, count: int) -> tuple[int, ...]:
    value, where = fields.take("order"), fields.place("order")
    if value is ABSENT:
        return ()
    order = tuple(
        checked_whole(place, where=f"{where}[{n}]", low=0, high=count - 1, meaning=", the index of a response")
        for n, place in enumerate(checked_list(value, where=where, least=count, most=count))
    )
    if len(set(order)) != count:
        raise BadRecord(f"{where} is {shown(order)}; each of the {count} responses was met at one place")
    return order


def _read_comparison(fields: Fields, record: Record) -> Record:
    """chosen and rejected as responses 0 and 1, with the ranks (1, 2), or (1, 1) for a tie."""
    chosen = _response(fields.need("chosen"), where="chosen")
    rejected = _response(fields.need("rejected"), where="rejected")
    _refuse_twice([response.id for response in (chosen, rejected) if response.id], what="chosen and rejected: the id")
    first = fields.choice_or_none("shown_first", ("chosen", "rejected"))
    judged = Judged(
        **_who_and_when(fields),
        ranks=(1, 1) if fields.flag("tie") else (1, 2),
        ratings=({}, {}),
        flags=({}, {}),
        notes=("", ""),
        order={"chosen": (0, 1), "rejected": (1, 0)}[first] if first else (),
        strength=fields.whole_or_none("strength", low=0, high=2),
    )
    return replace(record, responses=(chosen, rejected), judged=(judged,))


def _read_rating(fields: Fields, record: Record) -> Record:
    response = _response(fields.need("response"), where="response")
    judged = []
    for number, value in enumerate(fields.items("judged", least=1, most=MOST_JUDGED)):
        inner = Fields(value, where=f"judged[{number}]")
        ratings, flags = inner.take("ratings"), inner.take("flags")
        one = Judged(
            **_who_and_when(inner, asides=ASIDES[:2]),
            ranks=(None,),
            ratings=({} if ratings is ABSENT else _ratings(ratings, where=inner.place("ratings")),),
            flags=({} if flags is ABSENT else _flags(flags, where=inner.place("flags")),),
            notes=("",),
        )
        inner.done()
        if _says_nothing(one):
            raise BadRecord(f"{inner.place('ratings')} rates and flags nothing; leave this labeler out")
        judged.append(one)
    _refuse_twice([one.labeler for one in judged], what="judged: the labeler")
    return replace(record, responses=(response,), judged=tuple(judged))


_READERS = {
    Kind.DEMONSTRATION: _read_demonstration,
    Kind.CANDIDATES: _read_candidates,
    Kind.RANKING: _read_ranking,
    Kind.COMPARISON: _read_comparison,
    Kind.RATING: _read_rating,
}


# --- out --------------------------------------------------------------------------------------------------------------


def write_record(record: Record) -> dict[str, Any]:
    """The record as a JSON object in a fixed order of members; what is empty or not known is left out."""
    head: dict[str, Any] = {"type": str(record.kind), "id": record.id}
    if record.kind is Kind.PROMPT:
        return head | _prompt_members(record.prompt)
    head["prompt"] = _filled({"id": record.prompt.id}) | _prompt_members(record.prompt)
    if record.kind is Kind.DEMONSTRATION:
        said = {"response": _response_members(record.responses[0]), "review": record.review}
        return head | said | _filled({"aside": record.aside})
    if record.kind is Kind.COMPARISON:
        return head | _comparison_members(record)
    if record.kind is Kind.RATING:
        return head | {
            "response": _response_members(record.responses[0]),
            "judged": [_judged_rating_members(one) for one in record.judged],
        }
    head["responses"] = [_response_members(response) for response in record.responses]
    if record.kind is Kind.RANKING:
        head["judged"] = [_judged_ranking_members(one) for one in record.judged]
    return head


def _filled(members: dict[str, Any]) -> dict[str, Any]:
    """Without what is absent: None, False, "" and empty lists and objects; 0 stays."""
    return {name: value for name, value in members.items() if value or (value == 0 and value is not False)}


def _prompt_members(prompt: PromptText) -> dict[str, Any]:
    return _filled(
        {
            "messages": [{"role": turn["role"], "content": turn["content"]} for turn in prompt.messages],
            "use_case": prompt.use_case,
            "style": prompt.style,
            "origin": prompt.origin,
            "group_key": prompt.group_key,
            "language": prompt.language,
            "consent": prompt.consent,
            "split": prompt.split,
        }
    )


def _response_members(response: ResponseText) -> dict[str, Any]:
    return (
        _filled({"id": response.id})
        | {"text": response.text}
        | _filled(
            {
                "generator": response.generator,
                "labeler": response.labeler,
                "simulated": response.simulated,
                "finish_reason": response.finish_reason,
                "token_count": response.token_count,
                "sampling": response.sampling,
            }
        )
    )


def _who_and_when_members(judged: Judged) -> dict[str, Any]:
    return _filled(
        {
            "labeler": judged.labeler,
            "simulated": judged.simulated,
            "note": judged.note,
            "active_ms": judged.active_ms,
            "submitted_at": judged.submitted_at and time_text(judged.submitted_at),
            "aside": judged.aside,
        }
    )


def _judged_ranking_members(judged: Judged) -> dict[str, Any]:
    members = _who_and_when_members(judged) | {"ranks": list(judged.ranks)}
    for name, entries in (("ratings", judged.ratings), ("flags", judged.flags), ("notes", judged.notes)):
        if any(entries):
            members[name] = list(entries)
    more = {"order": list(judged.order), "verdict": judged.verdict, "strength": judged.strength, "why": judged.why}
    return members | _filled(more)


def _judged_rating_members(judged: Judged) -> dict[str, Any]:
    return _who_and_when_members(judged) | _filled({"ratings": judged.ratings[0], "flags": judged.flags[0]})


def _comparison_members(record: Record) -> dict[str, Any]:
    (judged,) = record.judged
    first = ("chosen", "rejected")[judged.order[0]] if judged.order else None
    return {
        "chosen": _response_members(record.responses[0]),
        "rejected": _response_members(record.responses[1]),
        "tie": judged.ranks[0] == judged.ranks[1],
        **_who_and_when_members(judged),
        **_filled({"shown_first": first, "strength": judged.strength}),
    }


def time_text(time: datetime) -> str:
    """In UTC, as in 2026-03-01T09:30:00Z; with microseconds where there are any."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
