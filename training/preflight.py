"""Before a stage starts: which data and models it gets, whether they are enough, and the config that says so.

Leaves out what needs a worker (memory, disk, the content of weights): the stage itself checks those.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from labeling.models import Project
from training.base_models import check_readable
from training.errors import LaunchRefused
from training.lineage import generators_that_share_the_tokenizer
from training.models import Checkpoint, Job, Round, Snapshot, Stage
from training.recipes import Sections, merged
from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.settings import HUB
from training.rlhf.contract.strict import Refused, dump_json
from training.snapshot_rows import Query
from training.snapshots import count, freeze

Kind = Stage.Kind
DECIDED_BY_THE_ROUND = ("format", "stage", "job", "models", "data")
"""Sections of the config that no recipe and no person sets."""


@dataclass(frozen=True)
class DataNeed:
    """One data file of a stage. required: the stage cannot do without it; else it is used where there is any."""

    use: str
    name: str
    kind: str
    split: str
    required: bool = False


DATA_NEEDS: dict[str, tuple[DataNeed, ...]] = {
    Kind.PRETRAIN: (
        DataNeed("train", "text_train", "text", "train", required=True),
        DataNeed("validation", "text_valid", "text", "valid"),
    ),
    Kind.SFT: (
        DataNeed("train", "demonstrations_train", "demonstrations", "train", required=True),
        DataNeed("validation", "demonstrations_valid", "demonstrations", "valid"),
    ),
    # Of both splits: what people rank of the second is what the reward model is measured on.
    Kind.SAMPLE: (
        DataNeed("prompts", "prompts_train", "prompts", "train", required=True),
        DataNeed("prompts", "prompts_valid", "prompts", "valid"),
    ),
    Kind.REWARD: (
        DataNeed("train", "rankings_train", "rankings", "train", required=True),
        DataNeed("validation", "rankings_valid", "rankings", "valid"),
        DataNeed("demonstrations", "demonstrations_train", "demonstrations", "train"),
    ),
    Kind.PPO: (
        DataNeed("train", "prompts_train", "prompts", "train", required=True),
        DataNeed("validation", "prompts_valid", "prompts", "valid"),
    ),
}

MODEL_NEEDS: dict[str, dict[str, str]] = {
    Kind.PRETRAIN: {},
    Kind.SFT: {"init": Kind.PRETRAIN},
    Kind.SAMPLE: {"generators": Kind.SFT},
    Kind.REWARD: {"init": Kind.SFT},
    Kind.PPO: {"policy": Kind.SFT, "reward": Kind.REWARD},
}
"""Stage -> role of a model -> the stage of the same round that makes it; instead of pretrain, the round's base."""

LAUNCHABLE = tuple(DATA_NEEDS)


@dataclass(frozen=True)
class Plan:
    """A stage that may start: its whole config, its models by role, its data files by name."""

    config: dict[str, Any]
    models: dict[str, Checkpoint]
    data: dict[str, Snapshot]


def plan(stage: Stage, sections: Sections) -> Plan:
    """Checks everything that can be checked here and freezes the data. Raises LaunchRefused with one sentence.

    The config comes first, then the models, then the data: nothing is frozen for a stage that cannot start.
    """
    models = models_of(stage)
    for role, checkpoint in models.items():
        check_readable(checkpoint, role=role)
    needs = list(needs_met(stage))
    config = compose(stage, sections, models=models, needs=needs)
    at_least = least_rows(config)
    data = {}
    for need in needs:
        tokens_of = _tokens_of(stage, need, models)
        snapshot = frozen(stage.round, need, at_least=at_least if need.required else 0, tokens_of=tokens_of)
        if snapshot.rows or need.required:
            data[need.name] = snapshot
    if len(data) < len(needs):  # What was counted was all left out while freezing.
        config = compose(stage, sections, models=models, needs=[need for need in needs if need.name in data])
    # Through text: what is stored is what JSON makes of it, lists for tuples.
    return Plan(config=json.loads(dump_json(config.to_json())), models=models, data=data)


def preview(stage: Stage, sections: Sections) -> dict[str, Any]:
    """The config that the stage would get, whether or not its inputs are there yet. Raises LaunchRefused."""
    stand_ins = {
        role: Checkpoint(name=f"checkpoint-of-{maker}", uri="") for role, maker in MODEL_NEEDS[stage.kind].items()
    }
    return compose(stage, sections, models=stand_ins, needs=list(DATA_NEEDS[stage.kind])).to_json()


# --- config -----------------------------------------------------------------------------------------------------------


def compose(
    stage: Stage, sections: Sections, *, models: dict[str, Checkpoint], needs: list[DataNeed], job: str = "0"
) -> RunConfig:
    """The whole config of a stage. Raises LaunchRefused for what the contract refuses, with the key and the value."""
    for key in DECIDED_BY_THE_ROUND:
        if key in sections:
            raise LaunchRefused(f"{key} is decided by the round and cannot be set here; take it out of the config.")
    data: dict[str, list[str]] = {}
    for need in needs:
        data.setdefault(need.use, []).append(need.name)
    fixed = {"format": 1, "stage": stage.kind, "job": job, "models": model_section(models), "data": data}
    try:
        config = RunConfig.from_json(merged({"seed": stage.round.number, stage.kind: {}}, sections) | fixed)
    except Refused as refused:
        raise LaunchRefused(f"The config cannot be used: {refused}.") from None
    if "\\u0000" in dump_json(config.to_json()):
        raise LaunchRefused("The config cannot be used: a text in it holds the character NUL; remove it.")
    return config


def model_section(models: dict[str, Checkpoint]) -> dict[str, Any]:
    """config.models: links below the run folder, or hub names; a generator goes by its name."""
    section: dict[str, Any] = {}
    for role, checkpoint in models.items():
        path = checkpoint.uri if checkpoint.uri.startswith(HUB) else f"models/{role}"
        if role == "generators":
            name = checkpoint.generator.name if checkpoint.generator else checkpoint.name
            section["generators"] = {name: path}
        else:
            section[role] = path
    return section


# --- models -----------------------------------------------------------------------------------------------------------


def models_of(stage: Stage) -> dict[str, Checkpoint]:
    """The checkpoints of a stage by role. Raises LaunchRefused where one is not made yet."""
    return {role: _made_by(stage.round, maker, wanted_by=stage) for role, maker in MODEL_NEEDS[stage.kind].items()}


def _made_by(round_: Round, maker: str, *, wanted_by: Stage) -> Checkpoint:
    base = round_.recipe.get("base")
    if maker == Kind.PRETRAIN and base is not None:
        return Checkpoint.objects.get(project=round_.project_id, pk=base)
    made = Checkpoint.objects.select_related("generator").filter(
        job__stage__round=round_, job__stage__kind=maker, job__state=Job.State.DONE
    )
    checkpoint = made.order_by("-job").first()
    if checkpoint is None:
        label = Kind(maker).label
        raise LaunchRefused(
            f"{wanted_by.get_kind_display()} needs a checkpoint of {label}, and round {round_.number} has none yet. "
            f"Run {label} first."
        )
    return checkpoint


# --- data -------------------------------------------------------------------------------------------------------------


def needs_met(stage: Stage) -> Iterator[DataNeed]:
    """The data files that the stage gets: the required ones, and the others where there is any such record."""
    for need in DATA_NEEDS[stage.kind]:
        if need.required or counted(stage.round, need):
            yield need


def query_of(round_: Round, need: DataNeed) -> Query:
    simulated = round_.recipe.get("simulated", "exclude")
    return Query.from_json({"kind": need.kind, "split": need.split, "simulated": simulated})


def counted(round_: Round, need: DataNeed) -> int:
    """Records there are for a need now; of text, bytes."""
    if need.kind == "text":
        text = latest_text(round_.project, need.split)
        return text.bytes if text else 0
    return count(round_.project, query_of(round_, need))


def _tokens_of(stage: Stage, need: DataNeed, models: dict[str, Checkpoint]) -> tuple[int, ...]:
    """What our own models sampled is scored as it was sampled, never decoded and encoded again."""
    if need.kind != "rankings":
        return ()
    return generators_that_share_the_tokenizer(stage.round.project, models["init"])


def frozen(round_: Round, need: DataNeed, *, at_least: int, tokens_of: tuple[int, ...] = ()) -> Snapshot:
    """Raises LaunchRefused where there are too few records, before anything is written."""
    there = counted(round_, need)
    if there < at_least or not there:
        raise LaunchRefused(_too_few(round_, need, there=there, at_least=at_least))
    if need.kind == "text":
        text = latest_text(round_.project, need.split)
        assert text is not None
        return text
    query = replace(query_of(round_, need), tokens_of=tokens_of)
    return freeze(round_.project, query, at_least=at_least)


def _too_few(round_: Round, need: DataNeed, *, there: int, at_least: int) -> str:
    slug = round_.project.slug
    if need.kind == "text":
        command = f"python manage.py import_text {slug} FILE"
        return f"There are {there:,} bytes of text to train on, and at least {at_least:,} are needed. Import: {command}"
    kept_out = " Simulated ones are kept out of this round." if round_.recipe.get("simulated") == "exclude" else ""
    return (
        f"There are {there:,} {need.kind} of split {need.split}, and one step of the stage takes "
        f"{at_least:,}.{kept_out} Collect or import more, or take fewer a step."
    )


def latest_text(project: Project, split: str) -> Snapshot | None:
    texts = Snapshot.objects.filter(project=project, kind=Snapshot.Kind.TEXT, query__split=split)
    return texts.order_by("-pk").first()


def least_rows(config: RunConfig) -> int:
    """How little data makes no sense for a stage: less than one optimizer step takes. Of pretrain, bytes."""
    if config.pretrain:
        return config.pretrain.tokens_per_step
    if config.sft:
        return config.sft.sequences or 2
    if config.reward:
        return config.reward.prompts_per_step
    if config.ppo:
        return max(1, config.ppo.minibatch_episodes // config.ppo.responses_per_prompt)
    return 1
