"""The form of a guideline, read and shown: a row for each flag and a few empty ones, a row for each scale."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeling.errors import Problem
from labeling.guidelines import EVALUATION_SCALES, OVERALL
from labeling.models import WorkKind
from labeling.publishing import JUDGED, MOST_FLAGS, NAME_LIMIT, Content

EMPTY_ROWS = 3
MOST_ROWS = MOST_FLAGS + EMPTY_ROWS
FLAG_PARTS = ("label", "letter", "name")
SCALE_PARTS = ("label", "low", "high")
STEPS = "1234567"


def read_content(data: Mapping[str, str], kind: WorkKind, known: Content) -> Content:
    """What was typed. known: the draft as it was, whose scales may be others than the usual ones. A flag without a
    name gets one from its label; a row in which nothing stands is no flag."""
    judged = kind in JUDGED
    return Content(
        body=_lines(data.get("body", "")).strip("\n"),
        changes=_lines(data.get("changes", "")).strip(),
        flags=list(_flags(data)) if judged else [],
        scales=list(_scales(data, known)) if judged else [],
    )


def _lines(text: str) -> str:
    """Browsers send line ends as CR LF; the text has LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _flags(data: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for number in range(MOST_ROWS):
        flag = {part: data.get(f"flag-{number}-{part}", "").strip() for part in FLAG_PARTS}
        if flag["label"] or flag["letter"]:
            name = flag["name"] or _name_of(flag["label"]) or f"flag_{number + 1}"
            yield {"name": name, "label": flag["label"], "letter": flag["letter"].lower()}


def _name_of(label: str) -> str:
    """misses_the_task for "Misses the task"."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_0123456789")[:NAME_LIMIT].rstrip("_")


def _scales(data: Mapping[str, str], known: Content) -> Iterator[dict[str, Any]]:
    for usual in scales_offered(known):
        name = usual["name"]
        if name == OVERALL["name"] or data.get(f"scale-{name}-asked"):
            scale = {"name": name} | {part: data.get(f"scale-{name}-{part}", "").strip() for part in SCALE_PARTS}
            steps = {step: words for step in STEPS if (words := data.get(f"scale-{name}-step-{step}", "").strip())}
            yield scale | ({"steps": steps} if steps else {})


def scales_offered(content: Content) -> list[dict[str, Any]]:
    """The usual scales with the words that the guideline has for them, then its own; overall quality first."""
    own = {scale["name"]: scale for scale in content.scales}
    offered = [own.pop(usual["name"], usual) for usual in EVALUATION_SCALES]
    return [*offered, *own.values()]


@dataclass(frozen=True)
class FlagRow:
    """A row of the form. number: counted from 0, part of the names of its fields."""

    number: int
    label: str = ""
    letter: str = ""
    name: str = ""
    problems: Sequence[Problem] = ()

    @property
    def shown_number(self) -> int:
        return self.number + 1

    def wrong(self, part: str) -> bool:
        return any(problem.place.endswith(f"-{part}") for problem in self.problems)

    @property
    def wrong_parts(self) -> list[str]:
        return [part for part in FLAG_PARTS if self.wrong(part)]


@dataclass(frozen=True)
class ScaleRow:
    name: str
    label: str
    low: str
    high: str
    asked: bool
    always: bool
    steps: Sequence[tuple[str, str]] = ()
    """(step, its words), 1 to 7."""
    problems: Sequence[Problem] = ()

    @property
    def has_steps(self) -> bool:
        """Whether any step has words, or wrong ones."""
        return any(words for _, words in self.steps) or any("-step-" in problem.place for problem in self.problems)


def flag_rows(content: Content, problems: Sequence[Problem]) -> list[FlagRow]:
    rows = [
        FlagRow(number, str(flag.get("label", "")), str(flag.get("letter", "")), str(flag.get("name", "")),
                [problem for problem in problems if problem.place.startswith(f"flag-{number}-")])
        for number, flag in enumerate(content.flags)
    ]  # fmt: skip
    return rows + [FlagRow(len(rows) + extra) for extra in range(EMPTY_ROWS) if len(rows) + extra < MOST_ROWS]


def scale_rows(content: Content, problems: Sequence[Problem]) -> list[ScaleRow]:
    asked = {scale["name"] for scale in content.scales}
    return [
        ScaleRow(
            name=scale["name"], label=scale.get("label", ""), low=scale.get("low", ""), high=scale.get("high", ""),
            asked=scale["name"] in asked, always=scale["name"] == OVERALL["name"],
            steps=[(step, scale.get("steps", {}).get(step, "")) for step in STEPS],
            problems=[problem for problem in problems if problem.place.startswith(f"scale-{scale['name']}-")],
        )
        for scale in scales_offered(content)
    ]  # fmt: skip
