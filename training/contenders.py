"""Who is compared in an evaluation: the models of a round, other checkpoints of its project, and people.

A base model is asked in plain text, since it never saw a chat; every other is asked in the chat format.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from labeling.models import Response
from training.errors import LaunchRefused
from training.models import Checkpoint, Round, Stage
from training.preflight import GENERATORS, MODEL_NEEDS, made_by
from training.snapshot_rows import Query, demonstrations_asked_for

OWN = tuple(role.removeprefix(GENERATORS) for role in MODEL_NEEDS[Stage.Kind.EVALUATE])
"""What the models of the round are called in the run folder: base, sft, policy."""
MOST_OVERLAP = 100
OFFERED = 50


@dataclass(frozen=True, kw_only=True)
class EvaluationChoices:
    """What whoever launches an evaluation decides besides the config.

    overlap: people a response. humans: whether demonstrations that people wrote to the same prompts are rated among the
    others. without: of OWN, who is left out. others: ids of further checkpoints of the project.
    """

    overlap: int = 2
    humans: bool = False
    without: tuple[str, ...] = ()
    others: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.overlap <= MOST_OVERLAP:
            raise LaunchRefused(f"The overlap is {self.overlap}; expected a whole number from 1 to {MOST_OVERLAP}.")
        for name in self.without:
            if name not in OWN:
                raise LaunchRefused(f"{name!r} cannot be left out; expected one of {', '.join(OWN)}.")


def contenders(stage: Stage, choices: EvaluationChoices) -> dict[str, Checkpoint]:
    """The checkpoints that answer, by role, each once. Raises LaunchRefused where one is missing or too few are."""
    needed = MODEL_NEEDS[Stage.Kind.EVALUATE]
    found = {
        role: made_by(stage.round, maker, wanted_by=stage)
        for role, maker in needed.items()
        if role.removeprefix(GENERATORS) not in choices.without
    }
    there = {checkpoint.pk for checkpoint in found.values()}
    on_offer = {checkpoint.pk: checkpoint for checkpoint in others(stage).filter(pk__in=choices.others)}
    for pk in dict.fromkeys(choices.others):
        if pk in there:
            continue
        if pk not in on_offer:
            raise LaunchRefused(f"There is no checkpoint {pk} in this project that writes responses. Choose another.")
        found[f"{GENERATORS}other-{pk}"] = on_offer[pk]
    if len(found) + choices.humans < 2:
        raise LaunchRefused("Fewer than two are left to be compared. Choose at least two.")
    if choices.humans and not human_demonstrations(stage).exists():
        raise LaunchRefused(
            "Nobody has written a demonstration to a held-out prompt (split test). Leave the human demonstrations out, "
            "or collect some first."
        )
    return found


def others(stage: Stage) -> QuerySet[Checkpoint]:
    """Checkpoints of the project that write responses and are not of this round, the newest first; the weights of
    recorded rounds are not here."""
    found = Checkpoint.objects.filter(project=stage.round.project_id, removed_at=None)
    found = found.exclude(kind=Checkpoint.Kind.REWARD)
    found = found.exclude(job__stage__round__in=Round.objects.exclude(recorded=""))
    return found.exclude(job__stage__round=stage.round_id).select_related("generator").order_by("-pk")


def formats_of(models: Mapping[str, Checkpoint]) -> dict[str, str]:
    """sample.formats: how those are asked who do not know chats."""
    return {
        role.removeprefix(GENERATORS): "plain"
        for role, checkpoint in models.items()
        if checkpoint.kind == Checkpoint.Kind.BASE
    }


def human_demonstrations(stage: Stage) -> QuerySet[Response]:
    """Demonstrations to held-out prompts; those of simulated labelers only where the round learns from them."""
    simulated = stage.round.recipe.get("simulated", "exclude")
    query = Query.from_json({"kind": "demonstrations", "split": "test", "simulated": simulated})
    return demonstrations_asked_for(stage.round.project, query)
