"""The sections of config.json that belong to one stage each: what it does beyond what settings.py says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from training.rlhf.contract.settings import (
    AtLeastOne,
    Name,
    NotNegative,
    NotNegativeNumber,
    PositiveNumber,
    PromptFormat,
    Share,
    ShareBelowOne,
)
from training.rlhf.contract.strict import Refused, Section, Within


@dataclass(frozen=True, kw_only=True)
class ModelShape(Section):
    """A Llama to be trained from scratch; its input and output embeddings are one matrix."""

    layers: AtLeastOne = 4
    width: AtLeastOne = 128
    """Numbers that stand for a token between the layers."""
    heads: AtLeastOne = 4
    feed_forward_width: AtLeastOne | None = None
    """null: eight thirds of the width, rounded up to a multiple of 16."""

    def check_together(self) -> None:
        if self.width % (2 * self.heads):
            raise Refused("width", f"is {self.width}; expected a multiple of twice the {self.heads} heads")

    @property
    def feed_forward(self) -> int:
        return self.feed_forward_width or -(-8 * self.width // 3 // 16) * 16


@dataclass(frozen=True, kw_only=True)
class Muon(Section):
    """The optimizer of the weight matrices in pretraining; optimizer.* is for all other weights."""

    learning_rate: PositiveNumber = 0.02
    momentum: ShareBelowOne = 0.95
    weight_decay: NotNegativeNumber = 0.0


@dataclass(frozen=True, kw_only=True)
class Pretrain(Section):
    """A tokenizer and a small causal model from scratch on text."""

    steps: AtLeastOne
    """Optimizer steps: never seconds, or the neighbours of a machine would decide what is learned."""
    tokens_per_step: AtLeastOne = 1024
    sequence_tokens: Annotated[int, Within(at_least=2)] = 64
    vocabulary: Annotated[int, Within(at_least=264, at_most=1_000_000)] = 2048
    """Tokens at most: 256 bytes, the special ones, and what is merged from the text."""
    kind: Literal["muon", "adamw"] = "muon"
    muon: Muon = field(default_factory=Muon)
    shape: ModelShape = field(default_factory=ModelShape)
    validate_every_steps: AtLeastOne = 100

    def check_together(self) -> None:
        if self.tokens_per_step % self.sequence_tokens:
            raise Refused(
                "tokens_per_step",
                f"is {self.tokens_per_step}; expected a multiple of sequence_tokens ({self.sequence_tokens})",
            )

    @property
    def sequences_per_step(self) -> int:
        return self.tokens_per_step // self.sequence_tokens


@dataclass(frozen=True, kw_only=True)
class Sft(Section):
    """Supervised fine-tuning on demonstrations."""

    epochs: AtLeastOne = 2
    sequences_per_step: AtLeastOne | None = None
    """Demonstrations an optimizer step; 32 where neither this nor tokens_per_step is given."""
    tokens_per_step: AtLeastOne | None = None
    """Or tokens an optimizer step, prompts included."""
    pack: bool = True
    """Several demonstrations in a row, kept apart by mask and positions; false: a row each."""
    pretrain_fraction: ShareBelowOne = 0.0
    """Share of the rows that are text of data.pretraining: of rows and not of tokens. A window of text has up to 512 of
    these, and the loss is by token, so that its share of the loss is larger wherever responses are shorter."""
    residual_dropout: ShareBelowOne = 0.0
    """On what attention and feed-forward add to the residual stream; the paper has 0.2."""
    select: Literal["validation_loss", "reward_score", "last"] = "validation_loss"
    """Which epoch is released; the last where there is no validation data. reward_score: the one whose responses to
    held-out prompts models.reward scores highest, as in the paper."""
    keep_epochs: bool = True
    """Keep the checkpoint at the end of every epoch."""

    def check_together(self) -> None:
        if self.sequences_per_step is not None and self.tokens_per_step is not None:
            raise Refused("tokens_per_step", f"is {self.tokens_per_step}; expected it or sequences_per_step, not both")

    @property
    def sequences(self) -> int | None:
        """Demonstrations an optimizer step; None where tokens are counted instead."""
        return None if self.tokens_per_step is not None else self.sequences_per_step or 32


@dataclass(frozen=True, kw_only=True)
class Reward(Section):
    """A reward model from rankings."""

    epochs: AtLeastOne = 1
    prompts_per_step: AtLeastOne = 64
    """All responses of a prompt are one element of the batch."""
    layout: Literal["shared_prefix", "one_by_one"] = "shared_prefix"
    """shared_prefix: a prompt is run once for its K responses."""
    loss_weighting: Literal["prompt"] = "prompt"
    """A prompt weighs the same whatever its K."""
    ties: Literal["drop"] = "drop"
    head_init_std: PositiveNumber | None = None
    """Of the fresh scalar head; null: 1/sqrt(width + 1)."""
    score_validation: bool = False
    """Write output/validation_scores.jsonl: what the model scores the responses of the validation rankings, told
    nothing, and told each condition where there are any."""
    folds: NotNegative = 0
    """Groups of labelers for cross-validation: a model more for each, which learns from all the others; 0: none."""
    members: Annotated[int, Within(at_least=1, at_most=16)] = 1
    """Models in an ensemble: of other heads and orders, their mean is the score."""

    def check_together(self) -> None:
        if self.folds == 1:
            raise Refused("folds", "is 1; expected 0, or 2 or more: one group leaves nobody to learn from")


@dataclass(frozen=True, kw_only=True)
class Kl(Section):
    """How the policy is held near the reference."""

    coef: NotNegativeNumber = 0.02
    """Per token; at the start, where it adapts."""
    mode: Literal["fixed", "adaptive"] = "fixed"
    target_nats: PositiveNumber | None = None
    """adaptive: the mean KL of a sequence that is aimed at."""
    horizon_episodes: AtLeastOne = 10_000
    """adaptive: how slowly the coefficient follows."""
    stop_nats: PositiveNumber | None = None
    """End early, with a model, once an iteration's mean KL of a sequence is above this."""

    def check_together(self) -> None:
        if self.mode == "adaptive" and self.target_nats is None:
            raise Refused("target_nats", 'is null; mode "adaptive" needs a number above 0')


@dataclass(frozen=True, kw_only=True)
class Value(Section):
    """The value model, a network of its own that starts from the reward model."""

    learning_rate: PositiveNumber = 9e-6
    clip_range: PositiveNumber | None = None
    """null: its predictions may move freely."""


@dataclass(frozen=True, kw_only=True)
class MissingStop(Section):
    """What becomes of the score of a response that was cut off instead of ending."""

    mode: Literal["subtract", "replace"] = "subtract"
    """replace rewards being cut off wherever the true score is lower."""
    value: float = 1.0
    """Subtracted from the score, or put in its place."""

    def check_together(self) -> None:
        if self.mode == "subtract" and self.value < 0:
            expected = 'expected 0 or more where mode is "subtract", or being cut off would be rewarded'
            raise Refused("value", f"is {self.value}; {expected}")


@dataclass(frozen=True, kw_only=True)
class Ema(Section):
    """The moving average of the weights, which is what is released."""

    decay: ShareBelowOne = 0.992
    warmup: bool = True
    """min(decay, (1 + t)/(10 + t)), or a short run would release the model it began with."""


@dataclass(frozen=True, kw_only=True)
class Ptx(Section):
    """Pretraining gradients in the same step."""

    coef: NotNegativeNumber = 0.0
    """The paper's is 27.8."""
    ratio: PositiveNumber = 8.0
    """Pretraining sequences an episode."""
    calibrate: PositiveNumber | None = None
    """Instead of coef: how long the text's gradient is to be beside the rewards'; the first iteration sets coef so."""

    def check_together(self) -> None:
        if self.coef and self.calibrate is not None:
            raise Refused("calibrate", f"is {self.calibrate}; expected it or coef ({self.coef}), not both")

    @property
    def wanted(self) -> bool:
        """Whether text is mixed in at all."""
        return self.coef > 0 or self.calibrate is not None


@dataclass(frozen=True, kw_only=True)
class Beside(Section):
    """What the policy is set beside at the end, as score against KL: the reference at lower temperatures, the best of
    n of its responses, and the policy on its way."""

    prompts: AtLeastOne = 64
    """Held-out prompts, at most."""
    temperatures: tuple[NotNegativeNumber, ...] = (1.0, 0.7, 0.5, 0.3, 0.0)
    best_of: tuple[Annotated[int, Within(at_least=2, at_most=1024)], ...] = (2, 4, 8, 16)
    measures: NotNegative = 5
    """How often the policy is measured on its way, evenly spread."""


@dataclass(frozen=True, kw_only=True)
class Ppo(Section):
    """Proximal policy optimisation against a reward model."""

    episodes: AtLeastOne
    """In all. The last iteration is full: what is left over is added to the count."""
    episodes_per_iteration: AtLeastOne = 512
    minibatch_episodes: AtLeastOne = 64
    epochs: AtLeastOne = 1
    """Over the episodes of an iteration."""
    responses_per_prompt: AtLeastOne = 1
    temperature: PositiveNumber = 1.0
    kl: Kl = field(default_factory=Kl)
    clip_range: Annotated[float, Within(above=0, below=1)] = 0.2
    value: Value = field(default_factory=Value)
    gamma: Annotated[float, Within(above=0, at_most=1)] = 1.0
    gae_lambda: Share = 0.95
    whiten_advantages: Literal["iteration", "none"] = "iteration"
    scale_rewards: bool = False
    """Divide scores by their running spread, never shifting them; kl.coef is then the price of a nat in spreads. What a
    missing stop cost, or put in the score's place, is divided with them."""
    missing_stop: MissingStop = field(default_factory=MissingStop)
    ema: Ema = field(default_factory=Ema)
    ptx: Ptx = field(default_factory=Ptx)
    beside: Beside | None = None
    """null: the policy is set beside nothing but its own beginning."""

    def check_together(self) -> None:
        if self.kl.mode == "adaptive" and self.episodes_per_iteration > self.kl.horizon_episodes:
            raise Refused(
                "kl.horizon_episodes",
                f"is {self.kl.horizon_episodes}; expected at least episodes_per_iteration "
                f"({self.episodes_per_iteration}): one step of the coefficient could make it negative",
            )
        if self.episodes_per_iteration % self.minibatch_episodes:
            raise Refused(
                "minibatch_episodes",
                f"is {self.minibatch_episodes}; expected a divisor of episodes_per_iteration "
                f"({self.episodes_per_iteration})",
            )
        if self.minibatch_episodes % self.responses_per_prompt:
            raise Refused(
                "responses_per_prompt",
                f"is {self.responses_per_prompt}; expected a divisor of minibatch_episodes "
                f"({self.minibatch_episodes}): the responses to a prompt stay together",
            )

    @property
    def iterations(self) -> int:
        return -(-self.episodes // self.episodes_per_iteration)


@dataclass(frozen=True, kw_only=True)
class Dpo(Section):
    """Direct preference optimisation from rankings, without a reward model."""

    epochs: AtLeastOne = 1
    prompts_per_step: AtLeastOne = 64
    kl_coef: PositiveNumber = 0.1
    """The beta of the paper."""
    ties: Literal["drop"] = "drop"
    layout: Literal["shared_prefix", "one_by_one"] = "shared_prefix"


@dataclass(frozen=True, kw_only=True)
class BestOf(Section):
    """Answer with the best of n responses by models.reward."""

    n: Annotated[int, Within(at_least=2)]


@dataclass(frozen=True, kw_only=True)
class Sample(Section):
    """Responses to prompts."""

    responses_per_prompt: AtLeastOne = 4
    temperature: NotNegativeNumber = 1.0
    """0: always the likeliest token."""
    best_of: BestOf | None = None
    condition: str | None = None
    """Key of conditioning.conditions to be told to the model; null: each prompt's own."""
    formats: Mapping[Name, PromptFormat] = field(default_factory=dict)
    """Generator name -> how this one is asked; all others as tokens.prompt_format says."""
    told: Mapping[Name, Name] = field(default_factory=dict)
    """Generator name -> key of conditioning.conditions that this one is told with every prompt; all others as condition
    says. One model under several names is so asked for everybody and for each cohort, on the same prompts."""
    limit_prompts: AtLeastOne | None = None
    """Answer this many of the prompts, spread evenly; null: all."""


@dataclass(frozen=True, kw_only=True)
class Score(Section):
    """Scores by reward models for responses that exist. models.rewards names the models."""
