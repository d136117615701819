"""Before a stage starts: which data and models it gets, whether they are enough, and the config that says so.

Leaves out what needs a worker (memory, disk, the content of weights): the stage itself checks those.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from labeling.models import Project, Submission
from training.audience import audience_of
from training.base_models import check_readable
from training.errors import LaunchRefused
from training.knobs import value_at
from training.lineage import (
    generators_that_share_the_tokenizer,
    ranked_in_the_line,
    root_and_links,
    root_of,
    starting_policy,
    supervised_ancestor,
)
from training.models import Checkpoint, Job, Round, Snapshot, Stage
from training.recipes import Sections, merged
from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.settings import HUB, WATCH
from training.rlhf.contract.strict import Refused, dump_json
from training.snapshot_rows import Query
from training.snapshots import count, freeze, path_of

Kind = Stage.Kind
GENERATORS = "generators."
"""Where the roles of several generators begin; the rest is what one is called in the run folder."""
DECIDED_BY_THE_ROUND = ("format", "stage", "job", "models", "data")
"""Sections of the config that no recipe and no person sets."""


@dataclass(frozen=True)
class DataNeed:
    """One data file of a stage. required: the stage cannot do without it; else it is used where there is any.

    mixed_in: keys of the config by which it is mixed in; where all of them are 0 or missing, it is not wanted.
    """

    use: str
    name: str
    kind: str
    split: str
    required: bool = False
    mixed_in: tuple[str, ...] = ()


DATA_NEEDS: dict[str, tuple[DataNeed, ...]] = {
    Kind.PRETRAIN: (
        DataNeed("train", "text_train", "text", "train", required=True),
        DataNeed("validation", "text_valid", "text", "valid"),
    ),
    Kind.SFT: (
        DataNeed("train", "demonstrations_train", "demonstrations", "train", required=True),
        DataNeed("validation", "demonstrations_valid", "demonstrations", "valid"),
        DataNeed("pretraining", "text_train", "text", "train", required=True, mixed_in=("sft.pretrain_fraction",)),
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
        DataNeed(
            "pretraining",
            "text_train",
            "text",
            "train",
            required=True,
            mixed_in=("ppo.ptx.coef", "ppo.ptx.calibrate"),
        ),
    ),
    # What no stage before it has read.
    Kind.EVALUATE: (DataNeed("prompts", "prompts_test", "prompts", "test", required=True),),
}

MODEL_NEEDS: dict[str, dict[str, str]] = {
    Kind.PRETRAIN: {},
    Kind.SFT: {"init": Kind.PRETRAIN},
    Kind.SAMPLE: {"generators": Kind.SFT},
    Kind.REWARD: {"init": Kind.SFT},
    Kind.PPO: {"policy": Kind.SFT, "reward": Kind.REWARD},
    Kind.EVALUATE: {"generators.base": Kind.PRETRAIN, "generators.sft": Kind.SFT, "generators.policy": Kind.PPO},
}
"""Stage -> role of a model -> the stage of the same round that makes it; instead of pretrain, the round's base."""
OF_THE_POLICY = ("generators", "policy")
"""Roles that a round which starts from a policy gives to it instead of SFT. A reward model begins as every other."""
CONFIG_STAGE: dict[str, str] = {Kind.EVALUATE: "sample"}
"""Stages whose machine part is another stage of the run folder; what people do then is no part of the config."""

LAUNCHABLE = tuple(DATA_NEEDS)


@dataclass(frozen=True)
class Plan:
    """A stage that may start: its whole config, its models by role, its data files by name."""

    config: dict[str, Any]
    models: dict[str, Checkpoint]
    data: dict[str, Snapshot]


def plan(stage: Stage, sections: Sections, *, models: dict[str, Checkpoint] | None = None, **more: Any) -> Plan:
    """Checks everything that can be checked here and freezes the data. Raises LaunchRefused with one sentence.

    models: by role, where they are chosen; else those that the stage needs. more: fields of the query for its required
    records. The config comes first, then the models, then the data: nothing is frozen for a stage that cannot start.
    """
    models = with_judge(stage, sections, models_of(stage) if models is None else models)
    for role, checkpoint in models.items():
        check_readable(checkpoint, role=role)
    needs = list(needs_met(stage, sections))
    config = compose(stage, sections, models=models, needs=needs)
    at_least = least_rows(config)
    data = {}
    for need in needs:
        asked = narrowed(stage, need, models, config) | (more if need.required else {})
        snapshot = frozen(stage.round, need, at_least=at_least if need.required else 0, **asked)
        if snapshot.rows or need.required:
            data[need.name] = snapshot
    if len(data) < len(needs):  # What was counted was all left out while freezing.
        config = compose(stage, sections, models=models, needs=[need for need in needs if need.name in data])
    # Through text: what is stored is what JSON makes of it, lists for tuples.
    return Plan(config=json.loads(dump_json(config.to_json())), models=models, data=data)


def preview(stage: Stage, sections: Sections, *, models: dict[str, Checkpoint] | None = None) -> dict[str, Any]:
    """The config that the stage would get, whether or not its inputs are there yet. models: by role, where they are
    chosen. Raises LaunchRefused."""
    shown = models or {
        role: Checkpoint(name=f"checkpoint-of-{maker}", uri="") for role, maker in MODEL_NEEDS[stage.kind].items()
    }
    if chooses_by_score(stage, sections):
        shown = {"reward": Checkpoint(name="reward-model", uri="")} | shown
    return compose(stage, sections, models=shown, needs=needs_of(stage, sections)).to_json()


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
    name = CONFIG_STAGE.get(stage.kind, stage.kind)
    fixed = {"format": 1, "stage": name, "job": job, "models": model_section(models), "data": data}
    try:
        config = RunConfig.from_json(merged({"seed": stage.round.number, name: {}}, sections) | fixed)
    except Refused as refused:
        raise LaunchRefused(f"The config cannot be used: {refused}.") from None
    if "\\u0000" in dump_json(config.to_json()):
        raise LaunchRefused("The config cannot be used: a text in it holds the character NUL; remove it.")
    return config


def model_section(models: dict[str, Checkpoint]) -> dict[str, Any]:
    """config.models: links below the run folder, or hub names. A lone generator goes by its name, several by roles."""
    section: dict[str, Any] = {}
    for role, checkpoint in models.items():
        path = checkpoint.uri if checkpoint.uri.startswith(HUB) else f"models/{role}"
        if role == "generators":
            name = checkpoint.generator.name if checkpoint.generator else checkpoint.name
            section["generators"] = {name: path}
        elif role.startswith(WATCH):
            section.setdefault("watch", []).append(path)
        elif role.startswith(GENERATORS):
            section.setdefault("generators", {})[role.removeprefix(GENERATORS)] = path
        else:
            section[role] = path
    return section


# --- models -----------------------------------------------------------------------------------------------------------


def models_of(stage: Stage) -> dict[str, Checkpoint]:
    """The checkpoints of a stage by role. Raises LaunchRefused where one is not made yet."""
    policy = starting_policy(stage.round)
    return {
        role: policy if policy is not None and role in OF_THE_POLICY else made_by(stage.round, maker, wanted_by=stage)
        for role, maker in MODEL_NEEDS[stage.kind].items()
    }


def watchers(stage: Stage) -> list[Checkpoint]:
    """Reward models that could watch a policy of the round, the newest first: those that read its tokens as it means
    them. The one it is trained against is no second opinion."""
    try:
        models = models_of(stage)
    except LaunchRefused:
        return []
    root, parents = root_and_links(stage.round.project, models["policy"])
    found = Checkpoint.objects.filter(
        project=stage.round.project_id, kind=Checkpoint.Kind.REWARD, removed_at=None, job__stage__round__recorded=""
    ).exclude(pk=models["reward"].pk)
    return [one for one in found.order_by("-pk") if root_of(one, parents) == root]


def offered_watchers(stage: Stage) -> list[Checkpoint]:
    """Those that a launch would take: they learned from other prompts and people than the one trained against."""
    found = watchers(stage)
    if not found:
        return []
    reward = models_of(stage)["reward"]
    return [one for one in found if not learned_in_common(reward, one)]


def models_with_watch(stage: Stage, watch: int | None) -> dict[str, Checkpoint]:
    """The models of PPO, and the one that watches it where one was chosen. Raises LaunchRefused."""
    models = models_of(stage)
    chosen = watch if watch is not None else stage.round.recipe.get("watch")
    if chosen is None:
        return models
    found = next((one for one in watchers(stage) if one.pk == chosen), None)
    if found is None:
        raise LaunchRefused(
            f"There is no reward model {chosen} that could watch this policy: it has to come from the same base model, "
            f"and be another than the one that is trained against. Choose another, or none."
        )
    shared = learned_in_common(models["reward"], found)
    if shared:
        raise LaunchRefused(
            f"{found.name} learned from {shared} that {models['reward'].name} learned from too, so that the two would "
            "be wrong together. Choose a reward model of other prompts and other labelers, or none."
        )
    return models | {f"{WATCH}0": found}


def learned_in_common(one: Checkpoint, other: Checkpoint) -> str:
    """Of two reward models: how many prompts and labelers are in the rankings that both learned from; "" for none."""
    said = [
        Submission.objects.filter(
            snapshots__kind=Snapshot.Kind.RANKINGS, snapshots__used_by__job=model.job_id,
            snapshots__used_by__role__contains="train",
        )
        for model in (one, other)
    ]  # fmt: skip
    counts = []
    for path, word in (("assignment__task__prompt", "prompt"), ("assignment__labeler", "labeler")):
        first, second = (set(found.values_list(path, flat=True)) for found in said)
        if both := len(first & second):
            counts.append(f"{both:,} {word}{'s' if both > 1 else ''}")
    return " and ".join(counts)


def chooses_by_score(stage: Stage, sections: Sections) -> bool:
    return stage.kind == Kind.SFT and value_at(sections, "sft.select") == "reward_score"


def with_judge(stage: Stage, sections: Sections, models: dict[str, Checkpoint]) -> dict[str, Checkpoint]:
    """The models of a stage, and the reward model that chooses the epoch where one does and none was chosen.

    Raises LaunchRefused where there is none that could."""
    if not chooses_by_score(stage, sections) or "reward" in models:
        return models
    return models | {"reward": judge_of_epochs(stage, models["init"])}


def judge_of_epochs(stage: Stage, init: Checkpoint) -> Checkpoint:
    """The newest reward model of the project that reads the tokens of `init`. Raises LaunchRefused where none does."""
    root, parents = root_and_links(stage.round.project, init)
    found = Checkpoint.objects.filter(
        project=stage.round.project_id, kind=Checkpoint.Kind.REWARD, removed_at=None, job__stage__round__recorded=""
    )
    judge = next((one for one in found.order_by("-pk") if root_of(one, parents) == root), None)
    if judge is None:
        raise LaunchRefused(
            "sft.select is reward_score, and the project has no reward model from the same base model yet. Choose "
            "validation_loss, or train a reward model first."
        )
    return judge


def made_by(round_: Round, maker: str, *, wanted_by: Stage) -> Checkpoint:
    """The newest checkpoint of a stage of the round; in a round that starts from a policy, the SFT model that this one
    comes from. Raises LaunchRefused where there is none."""
    policy = starting_policy(round_) if maker == Kind.SFT else None
    if policy is not None:
        return supervised_ancestor(policy)
    base = round_.recipe.get("base")
    if maker == Kind.PRETRAIN and base is not None:
        return Checkpoint.objects.get(project=round_.project_id, pk=base)
    made = Checkpoint.objects.select_related("generator").filter(
        job__stage__round=round_, job__stage__kind=maker, job__state=Job.State.DONE
    )
    checkpoint = made.order_by("-job_id").first()
    if checkpoint is None:
        label = Kind(maker).label
        raise LaunchRefused(
            f"{wanted_by.get_kind_display()} needs a checkpoint of {label}, and round {round_.number} has none yet. "
            f"Run {label} first."
        )
    return checkpoint


# --- data -------------------------------------------------------------------------------------------------------------


def needs_of(stage: Stage, sections: Sections) -> list[DataNeed]:
    """The data files that the stage wants, told so by these sections."""
    return [
        need
        for need in DATA_NEEDS[stage.kind]
        if not need.mixed_in or any(value_at(sections, key) for key in need.mixed_in)
    ]


def needs_met(stage: Stage, sections: Sections) -> Iterator[DataNeed]:
    """The data files that the stage gets: the required ones, and the others where there is any such record."""
    for need in needs_of(stage, sections):
        if need.required or counted(stage.round, need):
            yield need


def query_of(round_: Round, need: DataNeed) -> Query:
    asked: dict[str, Any] = {"kind": need.kind, "split": need.split}
    asked["simulated"] = round_.recipe.get("simulated", "exclude")
    if need.use == "prompts" and need.split != "test":
        asked["unanswered"] = round_.recipe.get("unanswered")
    if need.kind == "rankings" and round_.recipe.get("rankings") == "own":
        asked["campaigns"] = [stage.campaign_id for stage in ranked_in_the_line(round_) if stage.campaign_id]
    if need.kind == "rankings":
        asked |= {name: round_.recipe[name] for name in ("adjudicated", "weigh") if name in round_.recipe}
    asked |= audience_of(round_).asked(need.kind, rolled_out=need.use != "prompts")
    return Query.from_json(asked)


def counted(round_: Round, need: DataNeed) -> int:
    """Records there are for a need now; of text, bytes."""
    if need.kind == "text":
        text = latest_text(round_.project, need.split)
        return text.bytes if text else 0
    return count(round_.project, query_of(round_, need))


def narrowed(stage: Stage, need: DataNeed, models: dict[str, Checkpoint], config: RunConfig) -> dict[str, Any]:
    """What a stage asks of its records besides kind and split.

    What our own models sampled is scored as it was sampled, never decoded and encoded again. Held-out prompts to be
    evaluated on are drawn before they are frozen, so that the snapshot holds those that are used.
    """
    if need.kind == "rankings":
        return {"tokens_of": generators_that_share_the_tokenizer(stage.round.project, models["init"])}
    if stage.kind == Kind.EVALUATE and config.sample:
        return {"limit": config.sample.limit_prompts, "seed": config.seed}
    return {}


def frozen(round_: Round, need: DataNeed, *, at_least: int, **asked: Any) -> Snapshot:
    """asked: fields of the query besides kind, split and simulated.

    Raises LaunchRefused where there are too few records, before anything is written.
    """
    there = counted(round_, need)
    if there < at_least or not there:
        raise LaunchRefused(_too_few(round_, need, there=there, at_least=at_least))
    if need.kind == "text":
        text = latest_text(round_.project, need.split)
        assert text is not None
        if not path_of(text).is_file():
            raise LaunchRefused(
                f"The text to train on is not at {path_of(text)} any more. Put it back, or import it again: "
                f"python manage.py import_text {round_.project.slug} FILE"
            )
        return text
    return freeze(round_.project, replace(query_of(round_, need), **asked), at_least=at_least)


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
