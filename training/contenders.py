"""Who is compared in an evaluation: the models of a round, other checkpoints of its project, external models, people.

A base model is asked in plain text, since it never saw a chat; every other is asked in the chat format, and so is one
that was brought in as a folder and knows conditions. A model that
knows conditions may be there several times: told nothing, and told each of them. Of external models: externals.py.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from labeling.models import Generator, Response
from training.audience import audience_of, known_to
from training.conditions import Condition
from training.errors import LaunchRefused
from training.externals import externals_in
from training.models import Checkpoint, Round, Stage
from training.preflight import GENERATORS, MODEL_NEEDS, made_by
from training.recipes import Sections
from training.rlhf.contract.strict import shown
from training.snapshot_rows import Query, demonstrations_asked_for

OWN = tuple(role.removeprefix(GENERATORS) for role in MODEL_NEEDS[Stage.Kind.EVALUATE])
"""What the models of the round are called in the run folder: base, sft, policy."""
MOST_OVERLAP = 100
OFFERED = 50


@dataclass(frozen=True, kw_only=True)
class EvaluationChoices:
    """What whoever launches an evaluation decides besides the config.

    overlap: people a response. humans: whether demonstrations that people wrote to the same prompts are rated among the
    others. without: of OWN, who is left out. others: ids of further checkpoints of the project. told: models that are
    asked once more, told a condition that they know: ("policy", "terse"), or ("17", "terse") for a further checkpoint.
    external: ids of generators whose imported responses to held-out prompts are rated among the others.
    """

    overlap: int = 2
    humans: bool = False
    without: tuple[str, ...] = ()
    others: tuple[int, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    external: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.overlap <= MOST_OVERLAP:
            raise LaunchRefused(f"The overlap is {self.overlap}; expected a whole number from 1 to {MOST_OVERLAP}.")
        for name in self.without:
            if name not in OWN:
                raise LaunchRefused(f"{name!r} cannot be left out; expected one of {', '.join(OWN)}.")


def model_and_condition(text: str) -> tuple[str, str]:
    """Of "policy:terse" or "17:terse"; without a colon the condition is empty, and nobody knows that."""
    model, _, key = text.partition(":")
    return model, key


@dataclass(frozen=True)
class Contenders:
    """models: by role; a checkpoint is there once, and once more for each condition that it is told. told: by what such
    a role is called in the run folder. external: those that answered before, and are asked nothing now."""

    models: dict[str, Checkpoint]
    told: dict[str, Condition]
    external: tuple[Generator, ...] = ()

    @property
    def sections(self) -> Sections:
        """Of config.json: how those are asked who do not know chats, and who is told what.

        Two checkpoints may know one key with different texts: the second's is written with a number."""
        formats = {
            role.removeprefix(GENERATORS): "plain"
            for role, checkpoint in self.models.items()
            if checkpoint.kind == Checkpoint.Kind.BASE and not known_to(checkpoint)
        }
        texts: dict[str, str] = {}
        keys: dict[str, str] = {}
        for name, condition in self.told.items():
            tried = (condition.key, *(f"{condition.key}-{number}" for number in range(2, len(self.told) + 2)))
            keys[name] = next(key for key in tried if texts.setdefault(key, condition.text) == condition.text)
        found: Sections = {"sample": {"formats": formats}}
        if keys:
            found["sample"]["told"] = keys
            found["conditioning"] = {"mode": "message", "conditions": texts}
        return found

    @property
    def narrows(self) -> dict[str, Any]:
        """Fields of the query for the prompts that are asked."""
        return {"answered_by": tuple(one.pk for one in self.external)} if self.external else {}

    @property
    def asks(self) -> dict[str, Any]:
        """What the job has to remember of it."""
        told = {name: condition.key for name, condition in self.told.items()}
        return {"told": told, "external": [one.pk for one in self.external]}


def contenders(stage: Stage, choices: EvaluationChoices) -> Contenders:
    """Who answers and who has answered, each once. Raises LaunchRefused where one is missing or too few are."""
    needed = MODEL_NEEDS[Stage.Kind.EVALUATE]
    own = {
        role: made_by(stage.round, maker, wanted_by=stage)
        for role, maker in needed.items()
        if role.removeprefix(GENERATORS) not in choices.without
    }
    found = dict(own)
    there = {checkpoint.pk for checkpoint in found.values()}
    on_offer = {checkpoint.pk: checkpoint for checkpoint in others(stage).filter(pk__in=choices.others)}
    for pk in dict.fromkeys(choices.others):
        if pk in there:
            continue
        if pk not in on_offer:
            raise LaunchRefused(f"There is no checkpoint {pk} in this project that writes responses. Choose another.")
        found[f"{GENERATORS}other-{pk}"] = on_offer[pk]
    told: dict[str, Condition] = {}
    for model, key in dict.fromkeys(choices.told):
        role, checkpoint = _to_tell(stage, model)
        known = known_to(checkpoint)
        place, condition = next(((n, one) for n, one in enumerate(known, 1) if one.key == key), (0, None))
        if condition is None:
            knows = ", ".join(one.key for one in known) or "none"
            raise LaunchRefused(f"{checkpoint.name} knows no condition {shown(key)}; it was trained with: {knows}.")
        found[f"{role}-told-{place}"] = checkpoint
        told[f"{role}-told-{place}".removeprefix(GENERATORS)] = condition
    external = externals_in(stage, choices.external)
    if len(found) + choices.humans + len(external) < 2:
        raise LaunchRefused("Fewer than two are left to be compared. Choose at least two.")
    if not found:
        raise LaunchRefused("No model is left that answers now. Choose one beside those that were imported.")
    if choices.humans and not human_demonstrations(stage).exists():
        raise LaunchRefused(
            "Nobody has written a demonstration to a held-out prompt (split test). Leave the human demonstrations out, "
            "or collect some first."
        )
    return Contenders(found, told, external)


def _to_tell(stage: Stage, model: str) -> tuple[str, Checkpoint]:
    """The role and checkpoint of a model that is to be told something, whether or not it is asked untold too."""
    needed = MODEL_NEEDS[Stage.Kind.EVALUATE]
    if model in OWN:
        role = f"{GENERATORS}{model}"
        return role, made_by(stage.round, needed[role], wanted_by=stage)
    digits = model.isascii() and model.isdecimal() and len(model) <= 18
    checkpoint = others(stage).filter(pk=int(model)).first() if digits else None
    if checkpoint is None:
        raise LaunchRefused(
            f"There is no checkpoint {shown(model[:40])} in this project that writes responses. Choose another."
        )
    return f"{GENERATORS}other-{checkpoint.pk}", checkpoint


def usual_choices(stage: Stage) -> EvaluationChoices:
    """What a round that runs itself asks: as its recipe says, and its policy told each of the cohorts that it knows."""
    asked = stage.round.recipe.get("evaluation", {})
    told = [("policy", one.key) for one in audience_of(stage.round).conditions]
    return EvaluationChoices(
        overlap=asked.get("overlap", 2), others=tuple(asked.get("others", ())),
        told=tuple(told) if audience_of(stage.round).mode == "told" else (),
    )  # fmt: skip


def others(stage: Stage) -> QuerySet[Checkpoint]:
    """Checkpoints of the project that write responses and are not of this round, the newest first; the weights of
    recorded rounds are not here."""
    found = Checkpoint.objects.filter(project=stage.round.project_id, removed_at=None)
    found = found.exclude(kind=Checkpoint.Kind.REWARD)
    found = found.exclude(job__stage__round__in=Round.objects.exclude(recorded=""))
    return found.exclude(job__stage__round=stage.round_id).select_related("generator").order_by("-pk")


def human_demonstrations(stage: Stage) -> QuerySet[Response]:
    """Demonstrations to held-out prompts; those of simulated labelers only where the round learns from them."""
    simulated = stage.round.recipe.get("simulated", "exclude")
    query = Query.from_json({"kind": "demonstrations", "split": "test", "simulated": simulated})
    return demonstrations_asked_for(stage.round.project, query)
