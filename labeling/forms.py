"""The form of a task, read: flat field names to what was said, and back for a page that shows it again.

rating-B-overall, flag-B-hallucination, rank-B and note-B speak of the response under the letter B; better (A, B, equal,
neither) is the decision of a pair; the fields of a prompt that is written are named in prompt_writing.py. The same
names are the keys of a draft.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext

from labeling import prompt_writing
from labeling.checking import LETTERS, Said, Work
from labeling.errors import InvalidWork, Problem
from labeling.models import Submission, WorkKind

WHOLE = {"better", "verdict", "strength", "note", "text", "order", "meant", "active_ms"}
"""Fields about the task as a whole. order: "proposed" while the ranks are only made from the ratings. meant: pairs that
stand against their ratings on purpose, remembered by the page."""
ENVELOPE = {"csrfmiddlewaretoken", "key", "lease_token", "corrects"}
OF_A_RESPONSE = {"rating": 3, "flag": 3, "rank": 2, "note": 2}
"""Parts of a field name, by what it begins with."""

FLAG_VALUES = {"yes": True, "no": False}
BETTER = {"A": {"A": 1, "B": 2}, "B": {"A": 2, "B": 1}, "equal": {"A": 1, "B": 1}}


@dataclass(frozen=True)
class Sent:
    """A form as it was sent. fields: what to show again, and what a draft keeps."""

    work: Work
    key: UUID
    lease_token: UUID
    corrects: int
    fields: Mapping[str, str]


@dataclass
class _Reading:
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, code: str, message: str, place: str) -> None:
        self.problems.append(Problem(code, message, place))

    def whole_number(self, name: str, value: str, what: str) -> int | None:
        """None where the field is empty. Digits only: int() would also take 1_0, ٣ and " 7"."""
        if not value:
            return None
        if value.isascii() and value.isdigit() and len(value) <= 12:
            return int(value)
        says = gettext("%(what)s is %(value)s; expected a whole number.")
        self.wrong("not_a_number", says % {"what": what, "value": repr(value[:40])}, name)
        return None


def read_form(data: QueryDict) -> Sent:
    """What a labeler sent. Raises InvalidWork where a field is unknown, given twice, or of a wrong shape."""
    reading = _Reading()
    fields = fields_of(data)
    for name in data:
        if len(data.getlist(name)) > 1:
            says = gettext("%(name)s is given twice; it can have one value.") % {"name": name}
            reading.wrong("given_twice", says, name)
    work = _work(fields, reading)
    key, token = (_uuid(data, name, reading) for name in ("key", "lease_token"))
    corrects = reading.whole_number("corrects", data.get("corrects", ""), gettext("The number corrected")) or 0
    if reading.problems or key is None or token is None:
        raise InvalidWork(reading.problems)
    return Sent(work=work, key=key, lease_token=token, corrects=corrects, fields=fields)


def read_work(data: QueryDict, *, besides: Iterable[str] = ()) -> Work:
    """What was said, of a form without lease or key. besides: fields that are not the work's. Raises InvalidWork."""
    reading = _Reading()
    work = _work({name: value for name, value in fields_of(data).items() if name not in besides}, reading)
    if reading.problems:
        raise InvalidWork(reading.problems)
    return work


def fields_of(data: QueryDict) -> dict[str, str]:
    """What the labeler filled in, without the envelope."""
    return {name: str(value) for name, value in data.items() if name not in ENVELOPE and value != ""}


def _uuid(data: QueryDict, name: str, reading: _Reading) -> UUID | None:
    try:
        return UUID(data.get(name, ""))
    except ValueError:
        says = gettext("The form's %(name)s is missing or damaged. Reload the page; the draft is kept.")
        reading.wrong("bad_envelope", says % {"name": name}, "")
        return None


def _work(fields: Mapping[str, str], reading: _Reading) -> Work:
    said: dict[str, dict[str, Any]] = {}
    for name, value in fields.items():
        kind, *rest = name.split("-", 2)
        if name in WHOLE or name in prompt_writing.FIELDS:
            continue
        if kind not in OF_A_RESPONSE or len(rest) + 1 != OF_A_RESPONSE[kind]:
            says = gettext("%(name)s is not a field of this form.") % {"name": repr(name[:60])}
            reading.wrong("unknown_field", says, "")
            continue
        letter = rest[0]
        if letter not in LETTERS or len(letter) != 1:
            says = gettext("There is no response %(letter)s here.") % {"letter": repr(letter[:20])}
            reading.wrong("unknown_response", says, name)
            continue
        _read_field(said.setdefault(letter, {"ratings": {}, "flags": {}}), name, value, reading)
    work = Work(
        responses={letter: Said(**one) for letter, one in said.items()},
        verdict=fields.get("verdict", ""),
        strength=reading.whole_number("strength", fields.get("strength", ""), gettext("The strength")),
        note=_lines(fields.get("note", "")),
        text=_lines(fields.get("text", "")),
        writing={name: _lines(value) for name, value in fields.items() if name in prompt_writing.FIELDS},
        order_is_proposed=fields.get("order") == "proposed",
        active_ms=reading.whole_number("active_ms", fields.get("active_ms", ""), gettext("The time at work")),
    )
    return _decide_pair(work, fields.get("better", ""), reading)


def _lines(text: str) -> str:
    """Browsers send line ends as CR LF; the text has LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_field(one: dict[str, Any], name: str, value: str, reading: _Reading) -> None:
    kind, letter, *rest = name.split("-", 2)
    if kind == "note":
        one["note"] = _lines(value)
    elif kind == "rank":
        what = gettext("The rank of response %(letter)s") % {"letter": letter}
        one["rank"] = reading.whole_number(name, value, what)
    elif kind == "rating":
        what = gettext("The %(scale)s rating of response %(letter)s") % {"scale": rest[0][:40], "letter": letter}
        rating = reading.whole_number(name, value, what)
        if rating is not None:
            one["ratings"][rest[0]] = rating
    elif value in FLAG_VALUES:
        one["flags"][rest[0]] = FLAG_VALUES[value]
    else:
        says = gettext("The flag is %(value)s; expected yes, no, or no answer.") % {"value": repr(value[:40])}
        reading.wrong("not_yes_or_no", says, name)


def _decide_pair(work: Work, better: str, reading: _Reading) -> Work:
    """The decision of a pair as ranks, or as the verdict that neither is acceptable."""
    if not better:
        return work
    if better in ("neither", "equal"):
        work = replace(work, strength=None)  # It says by how much one of the two is better.
    if better == "neither":
        return replace(work, verdict=Submission.Verdict.NONE_ACCEPTABLE)
    if better not in BETTER:
        says = gettext("%(value)s is no decision; expected A, B, equal or neither.") % {"value": repr(better[:40])}
        reading.wrong("unknown_decision", says, "better")
        return work
    ranks = BETTER[better]
    responses = {letter: replace(work.responses.get(letter, Said()), rank=rank) for letter, rank in ranks.items()}
    return replace(work, responses={**work.responses, **responses})


def fields_said(submission: Submission, order: Iterable[int], kind: str) -> dict[str, str]:
    """The fields that a submission was sent with, for a page that shows or corrects it (one or two queries)."""
    fields = {"note": submission.note, "verdict": submission.verdict}
    if submission.strength is not None:
        fields["strength"] = str(submission.strength)
    if kind == WorkKind.PROMPT:
        prompt = submission.prompts.first()
        return prompt_writing.fields_of_prompt(prompt, use_line=submission.note) if prompt else {}
    if kind == WorkKind.DEMONSTRATION:
        written = submission.responses.first()
        return fields | {"text": written.text if written else ""}
    judgments = {judgment.response_id: judgment for judgment in submission.judgments.all()}
    for letter, response_id in zip(LETTERS, order, strict=False):
        judgment = judgments[response_id]
        fields[f"note-{letter}"] = judgment.note
        if judgment.rank is not None:
            fields[f"rank-{letter}"] = str(judgment.rank)
        for scale, rating in judgment.ratings.items():
            fields[f"rating-{letter}-{scale}"] = str(rating)
        for flag, answer in judgment.flags.items():
            fields[f"flag-{letter}-{flag}"] = "yes" if answer else "no"
    return {name: value for name, value in fields.items() if value}
