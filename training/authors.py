"""Whoever wrote the responses of an evaluation: generators, told nothing or told a condition, and people together."""

from collections import Counter
from dataclasses import dataclass, replace

from django.db.models import Case, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Concat

from labeling.models import Campaign, Generator, Response, TaskResponse
from training.audience import known_to
from training.conditions import TOLD, Condition, told_in
from training.models import Checkpoint, Round

HUMAN = "human"
LABELS = {"pretrain": "Base", "sft": "SFT", "ppo": "PPO", "dpo": "DPO"}
ORDER = (HUMAN, "policy", "sft", "external", "base")
"""In which they are listed: what is expected to be best first."""


@dataclass(frozen=True)
class Author:
    """key: a generator's id, with the condition that it was told, "17:terse", or "human". label: "PPO, round 2, told
    terse"; no two authors of an evaluation share one. kind: of the generator. name: the generator's. own: it was
    trained in the round that is evaluated. told: None where it was told nothing."""

    key: str
    label: str
    kind: str
    name: str
    own: bool = False
    told: Condition | None = None

    @property
    def is_human(self) -> bool:
        return self.key == HUMAN

    @property
    def untold(self) -> str:
        """The key of the same writer told nothing: its own where it was told nothing."""
        return self.key.partition(":")[0]


def author_key(generator: int | str | None, told: str | None) -> str:
    if generator is None:
        return HUMAN
    return f"{generator}:{told}" if told else str(generator)


def key_of(response: Response) -> str:
    return author_key(response.generator_id, told_in(response.sampling))


def author_in(path: str = "") -> Concat:
    """An author's key in a query; empty for a person. path: from the rows to the response, "response__".

    Of what was imported, whatever its sampling says, nothing is known to have been told."""
    sampling = f"{path}sampling"
    told = When(**{f"{sampling}__has_keys": ["job", TOLD]}, then=Concat(Value(":"), KeyTextTransform(TOLD, sampling)))
    generator = Cast(f"{path}generator", TextField())
    return Concat(generator, Case(told, default=Value(""), output_field=TextField()), output_field=TextField())


def authors_of(round_: Round, campaign: Campaign) -> list[Author]:
    """Who wrote what the campaign shows, in the order in which they are listed (three queries)."""
    shown = TaskResponse.objects.filter(task__campaign=campaign)
    keys = set(shown.values_list(author_in("response__"), flat=True).distinct())
    pairs = [(int(generator), told or None) for generator, _, told in (key.partition(":") for key in keys if key)]
    generators = Generator.objects.in_bulk({key for key, _ in pairs})
    made = {
        one.generator_id: one
        for one in Checkpoint.objects.filter(generator__in=generators)
        .select_related("job__stage__round")
        .order_by("pk")
    }
    ordered = sorted(pairs, key=lambda one: (-one[0], one[1] or ""))
    found = [_author(generators[key], made.get(key), round_, told) for key, told in ordered]
    if "" in keys:
        found.append(Author(HUMAN, "Human demonstrations", HUMAN, "written by people"))
    labels = Counter(one.label for one in found)
    named = [replace(one, label=f"{one.label} ({one.name})") if labels[one.label] > 1 else one for one in found]
    return sorted(named, key=lambda one: (ORDER.index(one.kind), not one.own))


def _author(generator: Generator, checkpoint: Checkpoint | None, round_: Round, key: str | None) -> Author:
    condition = _condition(checkpoint, key) if key else None
    told = f", told {condition.name}" if condition else ""
    stage = checkpoint.job.stage if checkpoint is not None and checkpoint.job is not None else None
    whole = author_key(generator.pk, key)
    if stage is None:
        label = "Base" if generator.kind == Generator.Kind.BASE else generator.name
        return Author(whole, f"{label}{told}", generator.kind, generator.name, told=condition)
    label = f"{LABELS.get(stage.kind, stage.get_kind_display())}, round {stage.round.number}{told}"
    return Author(whole, label, generator.kind, generator.name, own=stage.round_id == round_.pk, told=condition)


def _condition(checkpoint: Checkpoint | None, key: str) -> Condition:
    known = known_to(checkpoint) if checkpoint is not None else ()
    return next((one for one in known if one.key == key), Condition(key, "", key))
