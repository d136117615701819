"""What the screen for writing a prompt shows: its fields by name, each with what was filled in and what is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from labeling.errors import Problem
from labeling.models import Prompt
from labeling.prompt_writing import FEWEST_EXAMPLES, MOST_EXAMPLES, MOST_TURNS, SURE

STYLES = (
    (Prompt.Style.PLAIN, gettext_lazy("Plain"), gettext_lazy("a question or task, as somebody would type it")),
    (
        Prompt.Style.FEW_SHOT,
        gettext_lazy("Few-shot"),
        gettext_lazy("an instruction, examples of it done, and one more to do"),
    ),
    (Prompt.Style.USER_BASED, gettext_lazy("User-based"), gettext_lazy("a task for a use case from the guideline")),
)
"""(value, its name, what it is)."""
SURE_WORDS = {
    "near": gettext_lazy("I am sure: mine asks for something else"),
    "personal": gettext_lazy("I am sure: these data are invented"),
}


@dataclass(frozen=True)
class Choice:
    value: str
    words: str
    says: str
    chosen: bool


@dataclass(frozen=True)
class Pair:
    """An example, or a turn of the conversation so far: two fields beside each other."""

    number: int
    first: str
    first_text: str
    second: str
    second_text: str
    wrong: Sequence[str]
    """Names of those fields that are wrong."""

    @property
    def is_begun(self) -> bool:
        return bool(self.first_text or self.second_text)


@dataclass(frozen=True)
class Writing:
    styles: Sequence[Choice]
    use_cases: Sequence[Choice]
    examples: Sequence[Pair]
    more_examples: Sequence[Pair]
    """Behind a line that opens."""
    turns: Sequence[Pair]
    warnings: Sequence[Choice]
    """Boxes that answer a warning; chosen ones stay ticked. says: the name of the field."""
    asked: Sequence[str]
    """Names of the warnings' fields that are asked for."""
    wrong: Sequence[str]

    @property
    def more_is_begun(self) -> bool:
        return any(pair.is_begun for pair in self.more_examples)

    @property
    def turns_are_begun(self) -> bool:
        return any(pair.is_begun for pair in self.turns)


def writing_of(fields: Mapping[str, str], problems: Sequence[Problem]) -> Writing:
    wrong = [problem.place for problem in problems if problem.place]
    style = fields.get("style") or Prompt.Style.PLAIN
    use_case = fields.get("use_case", "")
    examples = _pairs("input", "output", MOST_EXAMPLES, fields, wrong)
    return Writing(
        styles=[Choice(value, str(words), str(says), value == style) for value, words, says in STYLES],
        use_cases=[
            Choice(value, str(label)[0].upper() + str(label)[1:], "", value == use_case)
            for value, label in Prompt.UseCase.choices
        ],
        examples=examples[:FEWEST_EXAMPLES],
        more_examples=examples[FEWEST_EXAMPLES:],
        turns=_pairs("said", "replied", MOST_TURNS, fields, wrong),
        warnings=[
            Choice("yes", str(SURE_WORDS[warning]), name, fields.get(name) == "yes") for warning, name in SURE.items()
        ],
        asked=[name for name in SURE.values() if name in wrong or fields.get(name)],
        wrong=wrong,
    )


def _pairs(first: str, second: str, most: int, fields: Mapping[str, str], wrong: Sequence[str]) -> list[Pair]:
    return [
        Pair(
            number,
            f"{first}-{number}",
            fields.get(f"{first}-{number}", ""),
            f"{second}-{number}",
            fields.get(f"{second}-{number}", ""),
            wrong,
        )
        for number in range(1, most + 1)
    ]
