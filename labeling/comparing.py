"""What changed between two versions of a guideline: line by line, within a line word by word, flag by flag."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from labeling.publishing import Content

CONTEXT_LINES = 2
WORDS_COMPARED = 3_000
"""Words of a changed passage; a longer one is shown as taken out and put in whole: comparing takes their square."""


@dataclass(frozen=True)
class Piece:
    """what: same, ins or del."""

    what: str
    text: str


@dataclass(frozen=True)
class Line:
    """pieces of one line; skipped: so many unchanged lines stand in its place and are not shown."""

    pieces: Sequence[Piece] = ()
    skipped: int = 0


@dataclass(frozen=True)
class Row:
    """A flag or a scale, before and after; empty where there is none."""

    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    lines: Sequence[Line]
    flags: Sequence[Row]
    scales: Sequence[Row]

    @property
    def is_empty(self) -> bool:
        same = all(piece.what == "same" for line in self.lines for piece in line.pieces)
        return same and not self.flags and not self.scales


def compare(before: Content, after: Content) -> Comparison:
    return Comparison(
        lines=list(_shortened(list(_lines(before.body.splitlines(), after.body.splitlines())))),
        flags=_rows(before.flags, after.flags, "{label}, key {letter}, named {name}"),
        scales=_rows(before.scales, after.scales, "{label}: 1 {low}, 7 {high}{steps}"),
    )


def _lines(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    for what, a, b, c, d in SequenceMatcher(None, before, after).get_opcodes():
        if what == "equal":
            yield from (Line([Piece("same", text)]) for text in before[a:b])
        elif what == "replace":
            yield from _changed("\n".join(before[a:b]), "\n".join(after[c:d]))
        else:
            yield from (Line([Piece("del", text)]) for text in before[a:b])
            yield from (Line([Piece("ins", text)]) for text in after[c:d])


def _changed(before: str, after: str) -> Iterator[Line]:
    """A passage that was rewritten, as lines of words that stayed, went and came."""
    old, new = (re.findall(r"\n|[^\S\n]+|[^\s]+", text) for text in (before, after))
    words = SequenceMatcher(None, old, new, autojunk=False)
    if len(old) + len(new) > WORDS_COMPARED or words.ratio() < 0.3:
        yield from (Line([Piece("del", text)]) for text in before.split("\n"))
        yield from (Line([Piece("ins", text)]) for text in after.split("\n"))
        return
    pieces: list[Piece] = []
    for what, a, b, c, d in words.get_opcodes():
        if what == "equal":
            pieces.append(Piece("same", "".join(old[a:b])))
        else:
            pieces += [Piece(kind, text) for kind, text in (("del", "".join(old[a:b])), ("ins", "".join(new[c:d])))]
    yield from _broken(pieces)


def _broken(pieces: Sequence[Piece]) -> Iterator[Line]:
    line: list[Piece] = []
    for piece in pieces:
        first, *rest = piece.text.split("\n")
        if first:
            line.append(Piece(piece.what, first))
        for text in rest:
            yield Line(line)
            line = [Piece(piece.what, text)] if text else []
    yield Line(line)


def _shortened(lines: Sequence[Line]) -> Iterator[Line]:
    """Without the unchanged lines that are far from any change; a few that stand between changes stay."""
    changed = [any(piece.what != "same" for piece in line.pieces) for line in lines]
    near = [any(changed[max(0, at - CONTEXT_LINES) : at + CONTEXT_LINES + 1]) for at in range(len(lines))]
    for shown, group in groupby(range(len(lines)), key=lambda at: near[at]):
        places = list(group)
        if shown or len(places) <= CONTEXT_LINES:
            yield from (lines[at] for at in places)
        else:
            yield Line(skipped=len(places))


def _rows(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], form: str) -> list[Row]:
    """Those that differ, found again by name."""

    def words(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        blank = {"label": "", "letter": "none", "low": "", "high": ""}
        return {
            str(row.get("name")): form.format(**{**blank, "name": "", **row, "steps": _steps_in_words(row)})
            for row in rows
        }

    old, new = words(before), words(after)
    names = [*old, *(name for name in new if name not in old)]
    return [Row(old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)]


def _steps_in_words(scale: Mapping[str, Any]) -> str:
    """ "; 4: half of it helps" for a scale with words for that step."""
    return "".join(f"; {step}: {words}" for step, words in sorted(scale.get("steps", {}).items()))
