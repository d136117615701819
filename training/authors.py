"""Whoever wrote the responses of an evaluation: generators, and people taken together."""

from collections import Counter
from dataclasses import dataclass, replace

from labeling.models import Campaign, Generator, TaskResponse
from training.models import Checkpoint, Round

HUMAN = "human"
LABELS = {"pretrain": "Base", "sft": "SFT", "ppo": "PPO", "dpo": "DPO"}
ORDER = (HUMAN, "policy", "sft", "external", "base")
"""In which they are listed: what is expected to be best first."""


@dataclass(frozen=True)
class Author:
    """key: a generator's id, or "human". label: "PPO, round 2"; no two authors of an evaluation share one. kind: of the
    generator. name: the generator's. own: it was trained in the round that is evaluated."""

    key: str
    label: str
    kind: str
    name: str
    own: bool = False

    @property
    def is_human(self) -> bool:
        return self.key == HUMAN


def authors_of(round_: Round, campaign: Campaign) -> list[Author]:
    """Who wrote what the campaign shows, in the order in which they are listed (three queries)."""
    shown = TaskResponse.objects.filter(task__campaign=campaign)
    keys = set(shown.values_list("response__generator", flat=True).distinct())
    generators = Generator.objects.filter(pk__in=[key for key in keys if key is not None])
    made = {
        one.generator_id: one
        for one in Checkpoint.objects.filter(generator__in=generators)
        .select_related("job__stage__round")
        .order_by("pk")
    }
    found = [_author(one, made.get(one.pk), round_) for one in generators.order_by("-pk")]
    if None in keys:
        found.append(Author(HUMAN, "Human demonstrations", HUMAN, "written by people"))
    labels = Counter(one.label for one in found)
    named = [replace(one, label=f"{one.label} ({one.name})") if labels[one.label] > 1 else one for one in found]
    return sorted(named, key=lambda one: (ORDER.index(one.kind), not one.own))


def _author(generator: Generator, checkpoint: Checkpoint | None, round_: Round) -> Author:
    stage = checkpoint.job.stage if checkpoint is not None and checkpoint.job is not None else None
    if stage is None:
        label = "Base" if generator.kind == Generator.Kind.BASE else generator.name
        return Author(str(generator.pk), label, generator.kind, generator.name)
    label = f"{LABELS.get(stage.kind, stage.get_kind_display())}, round {stage.round.number}"
    return Author(str(generator.pk), label, generator.kind, generator.name, own=stage.round_id == round_.pk)
