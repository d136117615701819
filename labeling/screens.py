"""What a work screen shows: texts as safe HTML, and every field with what was filled in.

A response appears under a letter and nothing else: no id, no generator, no order but the one drawn for this assignment.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import get_language_info, gettext, gettext_lazy

from labeling.checking import LETTERS, scales_of
from labeling.errors import Problem
from labeling.models import Assignment, Guideline, Prompt, Response, WorkKind
from labeling.prepared import Prepared
from labeling.prompt_screen import Writing, writing_of
from labeling.rendering import render_all

SUMMARY_CHARACTERS = 160
MARKS = re.compile(r"`+|\*\*|__|^\s*(?:#{1,6}|>|[-*])\s+", re.MULTILINE)
"""Of markdown, that a line of plain text is better without."""
QUESTION_CHARACTERS = 240
LONG_PROMPT = 900
"""Characters from which a prompt stands beside the responses: above them it would scroll in a strip."""
STRENGTHS = (("0", gettext_lazy("slightly")), ("1", gettext_lazy("clearly")), ("2", gettext_lazy("much")))
"""By how much one of two is better: (value, in words). The key of each is its place, from 1."""
ROLES = {"system": gettext_lazy("system"), "user": gettext_lazy("user"), "assistant": gettext_lazy("assistant")}


@dataclass(frozen=True)
class ShownScale:
    """One scale of one response. chosen: "1" to "7", or empty."""

    field: str
    name: str
    label: str
    low: str
    high: str
    chosen: str
    words: Mapping[str, str]
    """The guideline's, for some of the steps."""

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """(value, how it is read aloud where that is more than the number, its words)."""
        said = {"1": self.low, "7": self.high} | dict(self.words)
        return [(step, f"{step}, {said[step]}" if step in said else "", self.words.get(step, "")) for step in "1234567"]

    @property
    def anchors(self) -> list[tuple[str, str]]:
        """The steps that have words, the best first."""
        return sorted(self.words.items(), reverse=True)


@dataclass(frozen=True)
class ShownFlag:
    """One flag of one response. before, key, after: the label around the letter that answers it by keyboard."""

    field: str
    label: str
    before: str
    key: str
    after: str
    chosen: str

    @property
    def letter(self) -> str:
        return self.key.lower()

    @property
    def states(self) -> list[tuple[str, str, str, str]]:
        """(value, class, how it is read aloud, what is shown)."""
        no, yes = gettext("no"), gettext("yes")
        return [("", "open", gettext("not answered"), "–"), ("no", "no", no, no), ("yes", "yes", yes, yes)]


@dataclass(frozen=True)
class ShownResponse:
    """A response under its letter, with its fields as filled in. problems: what is wrong with them."""

    letter: str
    html: SafeString
    scales: Sequence[ShownScale]
    flags: Sequence[ShownFlag]
    rank: str
    note: str
    problems: Sequence[str]

    @property
    def note_field(self) -> str:
        return f"note-{self.letter}"

    @property
    def is_fresh(self) -> bool:
        """Whether it has a text and nothing is filled in, and so nothing wrong."""
        answered = any(one.chosen for one in self.scales) or any(one.chosen for one in self.flags)
        return bool(self.html) and not (answered or self.rank or self.note or self.problems)


@dataclass(frozen=True)
class ShownTurn:
    role: str
    html: SafeString

    @property
    def role_in_words(self) -> str:
        return str(ROLES.get(self.role, self.role))


@dataclass(frozen=True)
class ShownPrompt:
    turns: Sequence[ShownTurn]
    facts: str
    summary: str
    is_long: bool = False
    asks_last: bool = False
    """Whether it is long and ends with a question: that is what the rest is read for, and stays in view."""

    @property
    def is_conversation(self) -> bool:
        return len(self.turns) > 1


@dataclass(frozen=True)
class Screen:
    """Everything a work screen shows; the fields of the whole (note, text, order, verdict) are in fields.

    prompt: None where one is to be written; writing: None where none is.
    """

    prompt: ShownPrompt | None
    responses: Sequence[ShownResponse]
    guideline: SafeString
    fields: Mapping[str, str]
    problems: Sequence[Problem]
    writing: Writing | None = None

    @property
    def better(self) -> str:
        """A pair's decision, as its page asks for it: A, B, equal, neither or empty."""
        if self.fields.get("verdict"):
            return "neither"
        a, b = (self.fields.get(f"rank-{letter}", "") for letter in "AB")
        if not (a and b):
            return self.fields.get("better", "")
        return "equal" if a == b else "A" if a < b else "B"

    @property
    def strengths(self) -> list[tuple[str, int, str]]:
        """(value, its key, in words)."""
        return [(value, key, str(words)) for key, (value, words) in enumerate(STRENGTHS, start=1)]

    @property
    def ranks(self) -> list[str]:
        return [str(rank) for rank in range(1, len(self.responses) + 1)]


def screen_of(assignment: Assignment, fields: Mapping[str, str], problems: Sequence[Problem] = ()) -> Screen:
    """The screen of an assignment (one query for the responses; the cache for the rendered texts)."""
    guideline, prompt = assignment.campaign.guideline, assignment.task.prompt
    texts = texts_of(assignment)
    contents = [str(message["content"]) for message in prompt.messages] if prompt else []
    html = render_all([*texts, *contents, guideline.body])
    responses = [
        _shown(letter, html[place], guideline, fields, problems) for place, letter in enumerate(LETTERS[: len(texts)])
    ]
    turns = html[len(texts) : -1]
    writing = None if prompt else writing_of(fields, problems)
    return Screen(shown_prompt(prompt, turns) if prompt else None, responses, html[-1], fields, problems, writing)


def texts_of(assignment: Assignment) -> list[str]:
    """The responses' texts in the order shown (one query, unless it was handed out just now)."""
    if not assignment.order:
        return []
    by_id = assignment.texts or dict(_TEXTS.rows([assignment.task_id]))
    return [by_id[pk] for pk in assignment.order]


def _texts_asked(task: int) -> QuerySet[Response, tuple[int, str]]:
    return Response.objects.filter(shown_in__task=task).values_list("pk", "text")


_TEXTS = Prepared(_texts_asked, int)


def shown_prompt(prompt: Prompt, html: Sequence[SafeString]) -> ShownPrompt:
    turns = [ShownTurn(str(message["role"]), rendered) for message, rendered in zip(prompt.messages, html, strict=True)]
    facts = [language_in_words(prompt.language)]
    if prompt.use_case != Prompt.UseCase.OTHER:
        use_case = str(prompt.get_use_case_display())
        facts.insert(0, use_case[0].lower() + use_case[1:])
    size = sum(len(str(message["content"])) for message in prompt.messages)
    summary = " ".join(MARKS.sub("", prompt.last_turn[: 4 * SUMMARY_CHARACTERS]).split())[:SUMMARY_CHARACTERS]
    question = question_at_end(prompt.last_turn) if size > LONG_PROMPT else ""
    return ShownPrompt(
        turns, ", ".join(facts), question or summary, is_long=size > LONG_PROMPT, asks_last=bool(question)
    )


def question_at_end(text: str) -> str:
    """The last paragraph of a text, if it is a short question on one line; else empty."""
    last = text.rstrip().rpartition("\n\n")[2].strip()
    is_question = last.endswith(("?", "？", "؟")) and "\n" not in last and len(last) <= QUESTION_CHARACTERS
    return MARKS.sub("", last) if is_question else ""


def language_in_words(code: str) -> str:
    """ "English" for "en"; the code itself where the language is not known."""
    try:
        return str(get_language_info(code)["name"])
    except KeyError:
        return code


def _shown(
    letter: str, html: SafeString, guideline: Guideline, fields: Mapping[str, str], problems: Sequence[Problem]
) -> ShownResponse:
    places = tuple(f"{kind}-{letter}" for kind in ("rating", "flag", "rank", "note"))
    return ShownResponse(
        letter=letter,
        html=html,
        scales=[_scale(scale, letter, fields) for scale in scales_of(guideline)],
        flags=[_flag(flag, letter, fields) for flag in guideline.flags],
        rank=fields.get(f"rank-{letter}", ""),
        note=fields.get(f"note-{letter}", ""),
        problems=[problem.message for problem in problems if problem.place.startswith(places)],
    )


def questions_of(guideline: Guideline) -> tuple[list[ShownScale], list[ShownFlag]]:
    """What a labeler is asked of one response under the guideline, nothing filled in."""
    scales = [_scale(scale, "A", {}) for scale in scales_of(guideline)]
    return scales, [_flag(flag, "A", {}) for flag in guideline.flags]


def _scale(scale: Mapping[str, Any], letter: str, fields: Mapping[str, str]) -> ShownScale:
    place = f"rating-{letter}-{scale['name']}"
    return ShownScale(
        field=place,
        name=scale["name"],
        label=scale["label"],
        low=scale.get("low") or gettext("worst"),
        high=scale.get("high") or gettext("best"),
        chosen=fields.get(place, ""),
        words=scale.get("steps", {}),
    )


def _flag(flag: Mapping[str, Any], letter: str, fields: Mapping[str, str]) -> ShownFlag:
    field, label, key = f"flag-{letter}-{flag['name']}", str(flag["label"]), str(flag.get("letter", ""))
    at = label.lower().find(key.lower()) if key else -1
    before, shown_key, after = (label[:at], label[at], label[at + 1 :]) if at >= 0 else (label, "", "")
    return ShownFlag(field, label, before, shown_key, after, fields.get(field, ""))


def template_of(assignment: Assignment) -> str:
    """The screen for a task: pairs that ask for nothing but an order are decided by one key."""
    campaign = assignment.campaign
    if campaign.kind == WorkKind.PROMPT:
        return "labeling/write_prompt.html"
    if campaign.kind == WorkKind.DEMONSTRATION:
        return "labeling/demonstrate.html"
    if campaign.kind == WorkKind.RATING:
        return "labeling/rate.html"
    asks_for_more = {"ratings", "flags"} & set(campaign.required)
    return "labeling/pair.html" if len(assignment.order) == 2 and not asks_for_more else "labeling/rank.html"
