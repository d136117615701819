"""The sections of config.json that every stage shares: inputs, lengths, precision, hardware, optimizer, checkpoints.

Each field says its unit and meaning below it; its annotation is its rule. The stage sections are in stages.py, the
whole file in config.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from training.rlhf.contract.strict import Refused, Section, Within, Written, shown

AtLeastOne = Annotated[int, Within(at_least=1)]
NotNegative = Annotated[int, Within(at_least=0)]
Share = Annotated[float, Within(at_least=0, at_most=1)]
ShareBelowOne = Annotated[float, Within(at_least=0, below=1)]
PositiveNumber = Annotated[float, Within(above=0)]
NotNegativeNumber = Annotated[float, Within(at_least=0)]

HUB = "hub:"
WATCH = "watch."
"""Where the roles of reward models begin that only watch: nothing of them goes into what is trained."""


def is_inside_the_run_folder(path: str) -> bool:
    """Relative, without `..`, `.`, empty parts, backslashes or control characters."""
    parts = path.split("/")
    return (
        all(part not in ("", ".", "..") for part in parts)
        and "\\" not in path
        and ":" not in path
        and path.isprintable()
    )


def is_model_name(name: str) -> bool:
    """A folder inside the run folder, or `hub:owner/name`, `hub:name`, each optionally with `@revision`."""
    if name.startswith(HUB):
        return re.fullmatch(r"hub:[\w.-]+(/[\w.-]+)?(@[\w./-]+)?", name) is not None and ".." not in name
    return is_inside_the_run_folder(name)


def is_name(name: str) -> bool:
    """What files, roles, generators and conditions may be called."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name) is not None and ".." not in name


ModelName = Annotated[
    str, Written(as_='a path inside the run folder such as "models/sft", or "hub:owner/name"', if_=is_model_name)
]
PromptFormat = Literal["chat", "plain"]
Name = Annotated[str, Written(as_="letters, digits, _, - and single dots, at most 100", if_=is_name)]


@dataclass(frozen=True, kw_only=True)
class Models(Section):
    """Where the models of each role are. Which roles a stage needs stands in config.ROLES."""

    init: ModelName | None = None
    """The model that sft, reward and dpo start from."""
    policy: ModelName | None = None
    """ppo: the model to be trained."""
    reference: ModelName | None = None
    """ppo, dpo: the frozen model it is held near; null: a copy of the one it starts from."""
    reward: ModelName | None = None
    """ppo: scores whole responses and starts the value model. sample: ranks for best_of. sft: chooses the epoch."""
    watch: tuple[ModelName, ...] = ()
    """ppo: reward models that are logged and never trained on."""
    generators: Mapping[Name, ModelName] = field(default_factory=dict)
    """sample: generator name (it goes into each response) -> model."""
    rewards: Mapping[Name, ModelName] = field(default_factory=dict)
    """score: name of a score (it goes into each response) -> reward model."""

    def named(self) -> dict[str, str]:
        """Every model in use by role, lists and mappings opened: {"init": …, "watch.0": …, "generators.sft": …}."""
        single = {"init": self.init, "policy": self.policy, "reference": self.reference, "reward": self.reward}
        found = {role: name for role, name in single.items() if name is not None}
        found |= {f"{WATCH}{index}": name for index, name in enumerate(self.watch)}
        found |= {f"generators.{key}": name for key, name in self.generators.items()}
        return found | {f"rewards.{key}": name for key, name in self.rewards.items()}


@dataclass(frozen=True, kw_only=True)
class Data(Section):
    """Names of the data files (data/<name>.jsonl) by use. Which uses a stage knows stands in config.DATA_USES."""

    train: tuple[Name, ...] = ()
    """What is learned from: text, demonstrations, rankings, or (ppo) prompts."""
    validation: tuple[Name, ...] = ()
    """Held out; never learned from."""
    demonstrations: tuple[Name, ...] = ()
    """reward: the responses whose mean score becomes 0."""
    pretraining: tuple[Name, ...] = ()
    """sft: text mixed in (pretrain_fraction). ppo: text of the ptx loss."""
    prompts: tuple[Name, ...] = ()
    """sample: what is to be answered. score: what the responses answer."""
    responses: tuple[Name, ...] = ()
    """score: what is to be scored."""

    def named(self) -> tuple[str, ...]:
        """Every data file in use, once each."""
        uses = (self.train, self.validation, self.demonstrations, self.pretraining, self.prompts, self.responses)
        return tuple(dict.fromkeys(name for use in uses for name in use))


@dataclass(frozen=True, kw_only=True)
class Lengths(Section):
    """How long texts may be. A record over a limit is counted and reported, never cut."""

    prompt_tokens: AtLeastOne = 1024
    response_tokens: AtLeastOne = 1024
    """The end of turn counts as one of them."""
    context_tokens: Annotated[int, Within(at_least=2)] = 2048
    """Prompt and response together."""
    overlong: Literal["drop", "refuse"] = "drop"
    """drop: leave the record out and count it. refuse: end with exit 65 and name it."""


@dataclass(frozen=True, kw_only=True)
class Tokens(Section):
    """From chat to token ids."""

    prompt_format: PromptFormat = "chat"
    """plain: the texts of the messages, a line each, without roles: what a base model knows."""
    chat_template: Literal["model", "accord"] = "model"
    """model: the tokenizer's own where it has one, else ours. accord: always ours."""
    stop_token_ids: tuple[NotNegative, ...] | None = None
    """What ends a response; null: the end of turn of the template. The first is what SFT teaches."""

    def check_together(self) -> None:
        if self.stop_token_ids == ():
            raise Refused("stop_token_ids", "is []; expected null or at least one id, or no response would ever end")


@dataclass(frozen=True, kw_only=True)
class Conditioning(Section):
    """Telling the model whose preferences it is to follow."""

    mode: Literal["none", "message"] = "none"
    """message: a condition's text goes in as a system message."""
    placement: Literal["system"] = "system"
    dropout: Share | None = None
    """Share of the rows of a condition whose message is left out; null: 0.5 in sft, 0.2 in reward, else 0."""
    conditions: Mapping[Name, str] = field(default_factory=dict)
    """Key as it stands in the records -> frozen text of the message."""

    def check_together(self) -> None:
        if self.mode == "message" and not self.conditions:
            raise Refused("conditions", 'is {}; mode "message" needs at least one key with its text')
        if self.mode == "none" and self.conditions:
            raise Refused("conditions", f'is {shown(self.conditions)}; expected {{}} while mode is "none"')


@dataclass(frozen=True, kw_only=True)
class Precision(Section):
    """Number formats. Softmax, losses and optimizer state are float32 whatever stands here."""

    compute: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of matrix products; auto: bfloat16 on a GPU, float32 on a CPU."""
    master: Literal["float32"] = "float32"
    """Of the weights that the optimizer changes."""


@dataclass(frozen=True, kw_only=True)
class Hardware(Section):
    """What the stage runs on."""

    processes: Literal[1] = 1
    """Ranks planned. One so far."""
    threads: Annotated[int, Within(at_least=1, at_most=1024)] = 2
    """Of a CPU; results are the same to the bit only for one number of threads."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: the GPU where there is one."""
    micro_batch_tokens: AtLeastOne = 4096
    """Tokens of one forward pass, padding included; the loss does not depend on it."""
    activation_checkpointing: bool = False
    """Compute activations twice and hold fewer of them."""
    shard: Literal["none"] = "none"


@dataclass(frozen=True, kw_only=True)
class Optimizer(Section):
    """Adam as the paper has it, and the course of its rate."""

    learning_rate: PositiveNumber = 9e-6
    """The highest rate."""
    betas: tuple[ShareBelowOne, ...] = (0.9, 0.95)
    eps: PositiveNumber = 1e-5
    weight_decay: NotNegativeNumber = 0.0
    clip_norm: PositiveNumber = 1.0
    """The norm of all gradients together is cut to this."""
    warmup_steps: NotNegative = 0
    """Steps from a tenth of the rate to the rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    final_fraction: Share = 0.1
    """What is left of the rate at the last step (cosine, linear)."""

    def check_together(self) -> None:
        if len(self.betas) != 2:
            raise Refused("betas", f"is {shown(self.betas)}; expected a list of two numbers")


@dataclass(frozen=True, kw_only=True)
class Checkpoints(Section):
    """When to save, and what to keep. The last two good ones are always kept."""

    every_steps: AtLeastOne = 50
    every_seconds: PositiveNumber = 600.0
    """Whichever of the two comes first."""
    keep: Annotated[int, Within(at_least=2)] = 2
    keep_steps: tuple[AtLeastOne, ...] = ()
    """Steps at which to save whatever else stands here, and to keep."""


@dataclass(frozen=True, kw_only=True)
class Logging(Section):
    """What is written for people to look at."""

    every_steps: AtLeastOne = 1
    """A line in metrics.jsonl."""
    samples_every_steps: AtLeastOne = 20
    samples: NotNegative = 8
    """Texts at each such step in samples.jsonl."""
