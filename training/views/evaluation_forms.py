"""What the launch form asks of an evaluation besides the config: who is compared, and how many people rate."""

from collections.abc import Mapping
from dataclasses import dataclass

from labeling.campaigning import MOST_OVERLAP
from training.contenders import OFFERED, OWN, EvaluationChoices, human_demonstrations, others
from training.errors import LaunchRefused
from training.models import Checkpoint, Stage
from training.preflight import GENERATORS, MODEL_NEEDS, made_by

WITH = "with-"
"""Where the names of the form's boxes begin; the rest is base, sft, policy, human, or a checkpoint's id."""
HUMAN = "human"
LABELS = {"base": "Base model", "sft": "SFT", "policy": "Policy"}


@dataclass(frozen=True)
class Option:
    """A box in the form. about: which checkpoint it is, or how many there are."""

    name: str
    label: str
    about: str
    checked: bool


@dataclass(frozen=True)
class EvaluationForm:
    own: list[Option]
    others: list[Option]
    overlap: str


def evaluation_form(stage: Stage, typed: Mapping[str, str] | None) -> EvaluationForm:
    """What was typed, else the default: the round's own models. Five queries, and one a model of the round."""
    own = [Option(f"{WITH}{name}", LABELS[name], about, _is_on(typed, name, True)) for name, about in _own(stage)]
    number = human_demonstrations(stage).values("prompt").distinct().count()
    about = f"on {number:,} held-out prompts" if number else "none on held-out prompts"
    own.append(Option(f"{WITH}{HUMAN}", "Human demonstrations", about, _is_on(typed, HUMAN, False)))
    offered = [
        Option(f"{WITH}{one.pk}", one.name, one.get_kind_display(), _is_on(typed, str(one.pk), False))
        for one in others(stage).exclude(pk=stage.round.recipe.get("base"))[:OFFERED]
    ]
    default = str(EvaluationChoices().overlap)
    return EvaluationForm(own=own, others=offered, overlap=typed.get("overlap", default) if typed else default)


def _own(stage: Stage) -> list[tuple[str, str]]:
    found = []
    for role, maker in MODEL_NEEDS[Stage.Kind.EVALUATE].items():
        try:
            about = made_by(stage.round, maker, wanted_by=stage).name
        except (LaunchRefused, Checkpoint.DoesNotExist):
            about = "not there yet"
        found.append((role.removeprefix(GENERATORS), about))
    return found


def _is_on(typed: Mapping[str, str] | None, name: str, default: bool) -> bool:
    return f"{WITH}{name}" in typed if typed else default


def choices_of(typed: Mapping[str, str]) -> EvaluationChoices:
    """From a posted form. Raises LaunchRefused for what no form of ours posts."""
    named = {name.removeprefix(WITH) for name in typed if name.startswith(WITH)}
    ids = named - {*OWN, HUMAN}
    if unknown := [name for name in sorted(ids) if not (name.isascii() and name.isdecimal() and len(name) <= 18)]:
        raise LaunchRefused(f"There is no model {unknown[0][:80]!r} to compare. Choose one that the form offers.")
    return EvaluationChoices(
        overlap=overlap_in(typed.get("overlap", str(EvaluationChoices().overlap))),
        humans=HUMAN in named,
        without=tuple(name for name in OWN if name not in named),
        others=tuple(sorted(int(name) for name in ids)),
    )


def overlap_in(text: str) -> int:
    """How many labelers a task is for, as it was typed. Raises LaunchRefused for what is no such number.

    Digits of ASCII only, and few of them: int() reads those of other scripts too, and fails on thousands of them.
    """
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise LaunchRefused(f"The overlap is {text[:40]!r}; expected a whole number from 1 to {MOST_OVERLAP}.")
    if not 1 <= int(text) <= MOST_OVERLAP:
        raise LaunchRefused(f"The overlap is {int(text):,}; expected a whole number from 1 to {MOST_OVERLAP}.")
    return int(text)
