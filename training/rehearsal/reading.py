"""What a reader finds in a response: judged by its words alone, whoever or whatever wrote them.

A sentence says something only where it is one of the village's sentences, word by word; a garbled one is idle.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from training.rehearsal.phrases import ABOUT_NEIGHBOURS, ADVICE, CLOSINGS, GREETINGS, NAMED_FACTS, PRONOUN_FACTS, SHRUGS
from training.rehearsal.prompts import Question
from training.rehearsal.world import CREATURES, FACT_KINDS, NEIGHBOURS, REMEDIES, Creature, World

Said = Literal["right", "wrong", "beyond", "greeting", "closing", "shrug", "question", "idle", "unfinished"]


@dataclass(frozen=True)
class Reading:
    """What stands in a response.

    right: the asked thing is said, and nothing else in its place. wrong: sentences that are false.
    beyond: true sentences about the same subject that were not asked for. idle: sentences that help nobody.
    """

    right: bool
    wrong: int
    beyond: int
    greeting: bool
    closing: bool
    questions: int
    idle: int
    unfinished: bool
    words: int


@dataclass(frozen=True)
class _Claim:
    """A sentence taken apart. kind: a fact of a creature, "advice", "place" or "trade"; parts by the frame's names."""

    kind: str
    parts: dict[str, str]


def _pattern(frame: str) -> re.Pattern[str]:
    """A frame as an expression that finds what fills it, whatever stands for a value."""
    fillings = {
        "creature": "|".join(CREATURES),
        "neighbour": "|".join(NEIGHBOURS),
        "Remedy": "|".join(REMEDIES),
    }
    parts = re.split(r"\{(\w+)\}", frame)
    written = [
        re.escape(part) if place % 2 == 0 else f"(?P<{part.lower()}>{fillings.get(part, '.+')})"
        for place, part in enumerate(parts)
    ]
    return re.compile("".join(written), re.IGNORECASE)


def _patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for kind in FACT_KINDS:
        yield from ((kind, _pattern(frame)) for frame in (NAMED_FACTS[kind], *PRONOUN_FACTS[kind]))
    yield from (("advice", _pattern(frame)) for frame in ADVICE)
    yield from zip(("place", "trade"), map(_pattern, ABOUT_NEIGHBOURS), strict=True)


PATTERNS = tuple(_patterns())


def read_response(world: World, question: Question, text: str) -> Reading:
    """Reads a response to a question sentence by sentence; what is said again is idle."""
    sentences = split_sentences(text)
    said = list(_read(world, question, sentences))
    contradicted = "wrong" in said and any(
        what == "wrong" and _answers(question, _take_apart(sentence))
        for what, sentence in zip(said, sentences, strict=True)
    )
    return Reading(
        right="right" in said and not contradicted,
        wrong=said.count("wrong"),
        beyond=said.count("beyond"),
        greeting="greeting" in said,
        closing="closing" in said,
        questions=said.count("question"),
        idle=said.count("idle"),
        unfinished="unfinished" in said or not said,
        words=len(text.split()),
    )


def split_sentences(text: str) -> list[str]:
    """Sentences with their full stop, question or exclamation mark; the last one may have none."""
    found = (" ".join(sentence.split()) for sentence in re.findall(r"[^.!?\n]+[.!?]*", text))
    return [sentence for sentence in found if sentence]


def _read(world: World, question: Question, sentences: Iterable[str]) -> Iterator[Said]:
    named = question.subject
    seen: set[str] = set()
    for sentence in sentences:
        claim = _take_apart(sentence)
        named = claim.parts.get("creature", named) if claim else named
        manner = _manner(sentence)
        if sentence in seen and manner != "question":
            yield "idle"
        elif manner is not None:
            yield manner
        elif claim is not None:
            yield _weigh(world, question, claim, named=named)
        else:
            yield "idle"
        seen.add(sentence)


def _manner(sentence: str) -> Said | None:
    """What a sentence is before its content is looked at; None where the content decides."""
    if sentence[-1] not in ".!?":
        return "unfinished"
    if sentence[-1] == "?":
        return "question"
    kinds: dict[Said, tuple[str, ...]] = {"greeting": GREETINGS, "closing": CLOSINGS, "shrug": SHRUGS}
    return next((kind for kind, phrases in kinds.items() if sentence in phrases), None)


def _take_apart(sentence: str) -> _Claim | None:
    for kind, pattern in PATTERNS:
        if found := pattern.fullmatch(re.sub("!+$", ".", sentence)):
            return _Claim(kind, {name: value.lower() for name, value in found.groupdict().items()})
    return None


def _answers(question: Question, claim: _Claim | None) -> bool:
    return claim is not None and claim.kind == ("advice" if question.topic == "feeling" else question.topic)


def _weigh(world: World, question: Question, claim: _Claim, *, named: str) -> Said:
    """named: the creature that "it" stands for."""
    if question.topic == "feeling":
        true = _is_true_of_feeling(world, question, claim)
    else:
        true = _is_true_of(world.creature(question.subject), claim) if named == question.subject else None
    if true is None:
        return "idle"
    if not true:
        return "wrong"
    return "right" if _answers(question, claim) else "beyond"


def _is_true_of(creature: Creature, claim: _Claim) -> bool | None:
    """None where the claim is about people."""
    return next((creature.fact(kind) == claim.parts["value"] for kind in FACT_KINDS if kind == claim.kind), None)


def _is_true_of_feeling(world: World, question: Question, claim: _Claim) -> bool | None:
    """None where the claim is not about this feeling or who helps against it."""
    helper = world.remedy(question.subject)
    says = claim.parts
    if claim.kind == "advice" and says.get("feeling", question.subject) == question.subject:
        return (says["neighbour"], says["remedy"]) == (helper.name.lower(), helper.remedy)
    if claim.kind in ("place", "trade") and says["neighbour"] == helper.name.lower():
        return says[claim.kind] == (helper.place if claim.kind == "place" else helper.trade)
    return None
