"""config.json: the whole of what a stage is told, written once and never changed.

`load_config` refuses an unknown key, a wrong type, a value out of range, or a missing key that has no default, in one
sentence that names it. A value that is shown as a default in settings.py and stages.py is what a config without that
key gets. Which inputs each stage knows stands in ROLES and DATA_USES.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from training.rlhf.contract import settings, stages
from training.rlhf.contract.exit_codes import ConfigRefused
from training.rlhf.contract.strict import Refused, Section, Within, parse_json, shown

StageName = Literal["pretrain", "sft", "reward", "ppo", "dpo", "sample", "score"]
STAGES: tuple[StageName, ...] = ("pretrain", "sft", "reward", "ppo", "dpo", "sample", "score")


@dataclass(frozen=True)
class Uses:
    """What a stage cannot do without, and what it also knows."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


ROLES: dict[str, Uses] = {
    "pretrain": Uses(),
    "sft": Uses(required=("init",), optional=("reward",)),
    "reward": Uses(required=("init",)),
    "ppo": Uses(required=("policy", "reward"), optional=("reference", "watch")),
    "dpo": Uses(required=("init",), optional=("reference",)),
    "sample": Uses(required=("generators",), optional=("reward",)),
    "score": Uses(required=("rewards",)),
}
"""Stage -> fields of settings.Models."""

DATA_USES: dict[str, Uses] = {
    "pretrain": Uses(required=("train",), optional=("validation",)),
    "sft": Uses(required=("train",), optional=("validation", "pretraining")),
    "reward": Uses(required=("train",), optional=("validation", "demonstrations")),
    "ppo": Uses(required=("train",), optional=("validation", "pretraining")),
    "dpo": Uses(required=("train",), optional=("validation",)),
    "sample": Uses(required=("prompts",)),
    "score": Uses(required=("responses", "prompts")),
}
"""Stage -> fields of settings.Data."""

CONDITION_DROPOUT = {"sft": 0.5, "reward": 0.2}
"""Share of the rows that lose their condition's message where the config says nothing; 0 in every other stage."""


@dataclass(frozen=True, kw_only=True)
class RunConfig(Section):
    """One job. Exactly one stage section is present, named as `stage`."""

    format: Literal[1]
    stage: StageName
    job: settings.Name
    """Id of the job; nothing here depends on it."""
    seed: Annotated[int, Within(at_least=0, below=2**31)]
    models: settings.Models = field(default_factory=settings.Models)
    data: settings.Data = field(default_factory=settings.Data)
    lengths: settings.Lengths = field(default_factory=settings.Lengths)
    tokens: settings.Tokens = field(default_factory=settings.Tokens)
    conditioning: settings.Conditioning = field(default_factory=settings.Conditioning)
    precision: settings.Precision = field(default_factory=settings.Precision)
    hardware: settings.Hardware = field(default_factory=settings.Hardware)
    optimizer: settings.Optimizer = field(default_factory=settings.Optimizer)
    adapter: None = None
    """Low-rank adapters: not yet."""
    checkpoints: settings.Checkpoints = field(default_factory=settings.Checkpoints)
    logging: settings.Logging = field(default_factory=settings.Logging)
    pretrain: stages.Pretrain | None = None
    sft: stages.Sft | None = None
    reward: stages.Reward | None = None
    ppo: stages.Ppo | None = None
    dpo: stages.Dpo | None = None
    sample: stages.Sample | None = None
    score: stages.Score | None = None

    def check_together(self) -> None:
        self._check_sections()
        self._check_uses("models", self.models, ROLES[self.stage])
        self._check_uses("data", self.data, DATA_USES[self.stage])
        self._check_lengths()
        self._check_stage()

    def _check_lengths(self) -> None:
        if self.stage == "pretrain":
            return  # it knows neither prompts nor responses
        context, lengths = f"lengths.context_tokens, which is {self.lengths.context_tokens}", self.lengths
        if lengths.prompt_tokens >= lengths.context_tokens:
            expected = f"expected less than {context}, or no response fits"
            raise Refused("lengths.prompt_tokens", f"is {lengths.prompt_tokens}; {expected}")
        if lengths.response_tokens > lengths.context_tokens:
            raise Refused("lengths.response_tokens", f"is {lengths.response_tokens}; expected at most {context}")

    def _check_sections(self) -> None:
        present = [stage for stage in STAGES if getattr(self, stage) is not None]
        if self.stage not in present:
            raise Refused(self.stage, f'is missing; stage is "{self.stage}", so a section of that name is expected')
        for other in present:
            if other != self.stage:
                raise Refused(
                    other, f'is not expected: stage is "{self.stage}", and only its own section may stand here'
                )

    def _check_uses(self, section: str, given: Section, uses: Uses) -> None:
        for name, value in vars(given).items():
            if not value and name in uses.required:
                raise Refused(f"{section}.{name}", f'is missing; stage "{self.stage}" cannot do without it')
            if value and name not in uses.required + uses.optional:
                raise Refused(f"{section}.{name}", f'is {shown(value)}; stage "{self.stage}" does not use it')

    def _check_stage(self) -> None:
        if self.sft and self.sft.pretrain_fraction and not self.data.pretraining:
            raise Refused("data.pretraining", f"is missing; sft.pretrain_fraction is {self.sft.pretrain_fraction}")
        if self.sft:
            self._check_selection(self.sft)
        if self.ppo and self.ppo.ptx.wanted and not self.data.pretraining:
            raise Refused("data.pretraining", "is missing; ppo.ptx mixes it in")
        if self.sample:
            self._check_sample(self.sample)

    def _check_selection(self, sft: stages.Sft) -> None:
        if (sft.select == "reward_score") != (self.models.reward is not None):
            raise Refused("models.reward", 'and sft.select "reward_score" are expected together or not at all')
        if sft.select == "reward_score" and not self.data.validation:
            raise Refused("data.validation", 'is missing; sft.select "reward_score" answers its prompts')

    def _check_sample(self, sample: stages.Sample) -> None:
        if (sample.best_of is None) != (self.models.reward is None):
            raise Refused("models.reward", "and sample.best_of are expected together or not at all")
        if sample.condition is not None and sample.condition not in self.conditioning.conditions:
            known = ", ".join(sorted(self.conditioning.conditions)) or "none"
            raise Refused("sample.condition", f"is {shown(sample.condition)}; conditioning.conditions has: {known}")
        for name, condition in sample.told.items():
            if name not in self.models.generators:
                known = ", ".join(sorted(self.models.generators))
                raise Refused(f"sample.told.{name}", f"names no generator; models.generators has: {known}")
            if condition not in self.conditioning.conditions:
                known = ", ".join(sorted(self.conditioning.conditions)) or "none"
                raise Refused(f"sample.told.{name}", f"is {shown(condition)}; conditioning.conditions has: {known}")
        for name in sample.formats:
            if name not in self.models.generators:
                known = ", ".join(sorted(self.models.generators))
                raise Refused(f"sample.formats.{name}", f"names no generator; models.generators has: {known}")

    @property
    def condition_dropout(self) -> float:
        given = self.conditioning.dropout
        return CONDITION_DROPOUT.get(self.stage, 0.0) if given is None else given

    def to_json(self) -> dict[str, Any]:
        """The file as it is written: with the section of its own stage only."""
        return {key: value for key, value in asdict(self).items() if key not in STAGES or key == self.stage}


def parse_config(text: str | bytes) -> RunConfig:
    """Raises ConfigRefused with one sentence: the key's path, the value, what was expected."""
    try:
        return RunConfig.from_json(parse_json(text))
    except Refused as refused:
        raise ConfigRefused(str(refused)) from None


def load_config(path: Path) -> RunConfig:
    """Reads config.json. Raises ConfigRefused, also where the file is missing or cannot be read."""
    try:
        return parse_config(path.read_bytes())
    except OSError as error:
        raise ConfigRefused(f"{path.name} cannot be read in {path.parent}: {error.strerror}") from error
