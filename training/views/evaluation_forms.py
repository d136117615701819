"""What the launch form asks of an evaluation besides the config: who is compared, and how many people rate."""

from collections.abc import Mapping
from dataclasses import dataclass

from labeling.campaigning import MOST_OVERLAP
from training.audience import known_to
from training.contenders import (
    OFFERED,
    OWN,
    EvaluationChoices,
    human_demonstrations,
    model_and_condition,
    others,
    usual_choices,
)
from training.errors import LaunchRefused
from training.externals import externals
from training.models import Checkpoint, Stage
from training.preflight import GENERATORS, MODEL_NEEDS, made_by

WITH = "with-"
"""Where the names of the form's boxes begin; the rest is base, sft, policy, human, a checkpoint's id, any of these
models with what it is told (policy:terse), or external-17."""
HUMAN = "human"
EXTERNAL = "external-"
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
    """own: models of the round, each followed by itself told what it knows, and people. others: of other rounds.
    external: whose responses were imported."""

    own: list[Option]
    others: list[Option]
    external: list[Option]
    overlap: str


def evaluation_form(stage: Stage, typed: Mapping[str, str] | None) -> EvaluationForm:
    """What was typed, else what is usual: the round's own models. Six queries, and a few a model of the round."""
    usual = usual_choices(stage)
    own = [option for name in OWN for option in _own(stage, name, typed, usual)]
    number = human_demonstrations(stage).values("prompt").distinct().count()
    about = f"on {number:,} held-out prompts" if number else "none on held-out prompts"
    own.append(Option(f"{WITH}{HUMAN}", "Human demonstrations", about, _is_on(typed, HUMAN, False)))
    offered = []
    for one in others(stage).exclude(pk=stage.round.recipe.get("base")).select_related("job__stage__round")[:OFFERED]:
        offered.append(Option(f"{WITH}{one.pk}", one.name, one.get_kind_display(), _is_on(typed, str(one.pk), False)))
        offered += _told(one, str(one.pk), one.name, typed, usual)
    external = [
        Option(
            f"{WITH}{EXTERNAL}{one.pk}", one.name, f"answers {answered:,} held-out prompts",
            _is_on(typed, f"{EXTERNAL}{one.pk}", False),
        )
        for one, answered in externals(stage, most=OFFERED)
    ]  # fmt: skip
    overlap = typed.get("overlap", str(usual.overlap)) if typed else str(usual.overlap)
    return EvaluationForm(own=own, others=offered, external=external, overlap=overlap)


def _own(stage: Stage, name: str, typed: Mapping[str, str] | None, usual: EvaluationChoices) -> list[Option]:
    label, box = LABELS[name], f"{WITH}{name}"
    try:
        made = made_by(stage.round, MODEL_NEEDS[Stage.Kind.EVALUATE][f"{GENERATORS}{name}"], wanted_by=stage)
    except (LaunchRefused, Checkpoint.DoesNotExist):
        return [Option(box, label, "not there yet", _is_on(typed, name, True))]
    return [Option(box, label, made.name, _is_on(typed, name, True)), *_told(made, name, label, typed, usual)]


def _told(
    checkpoint: Checkpoint, name: str, label: str, typed: Mapping[str, str] | None, usual: EvaluationChoices
) -> list[Option]:
    """The same model once more for each condition that it knows."""
    return [
        Option(
            f"{WITH}{name}:{one.key}", f"{label}, told {one.name}", checkpoint.name,
            _is_on(typed, f"{name}:{one.key}", (name, one.key) in usual.told),
        )
        for one in known_to(checkpoint)
    ]  # fmt: skip


def _is_on(typed: Mapping[str, str] | None, name: str, default: bool) -> bool:
    return f"{WITH}{name}" in typed if typed else default


def choices_of(typed: Mapping[str, str]) -> EvaluationChoices:
    """From a posted form. Raises LaunchRefused for what no form of ours posts."""
    named = {name.removeprefix(WITH) for name in typed if name.startswith(WITH)}
    told = {name for name in named if ":" in name}
    external = {name for name in named - told if name.startswith(EXTERNAL)}
    return EvaluationChoices(
        overlap=overlap_in(typed.get("overlap", str(EvaluationChoices().overlap))),
        humans=HUMAN in named,
        without=tuple(name for name in OWN if name not in named),
        others=tuple(sorted(_number(name) for name in named - told - external - {*OWN, HUMAN})),
        told=tuple(model_and_condition(name) for name in sorted(told)),
        external=tuple(sorted(_number(name.removeprefix(EXTERNAL)) for name in external)),
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise LaunchRefused(f"There is no model {text[:80]!r} to compare. Choose one that the form offers.")
    return int(text)


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
