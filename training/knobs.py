"""What a launch form offers to change: a few values a stage, each a key of config.json. All else goes as JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from training.errors import LaunchRefused
from training.models import Stage
from training.recipes import Sections, merged
from training.rlhf.contract.strict import Refused, parse_json, shown

Kind = Stage.Kind


@dataclass(frozen=True)
class Knob:
    """path: dotted, as in config.json; also the name of the form's field."""

    path: str
    label: str
    hint: str = ""


RATE = Knob("optimizer.learning_rate", "Learning rate", "the highest of the run")
SEED = Knob("seed", "Seed", "same seed, same numbers")

KNOBS: dict[str, tuple[Knob, ...]] = {
    Kind.PRETRAIN: (
        Knob("pretrain.steps", "Steps", "of the optimizer"),
        Knob("pretrain.tokens_per_step", "Tokens a step"),
        Knob("pretrain.sequence_tokens", "Tokens a sequence"),
        Knob("pretrain.vocabulary", "Vocabulary", "tokens at most"),
        Knob("pretrain.shape.layers", "Layers"),
        Knob("pretrain.shape.width", "Width"),
        RATE,
        SEED,
    ),
    Kind.SFT: (
        RATE,
        Knob("sft.epochs", "Epochs"),
        Knob("sft.sequences_per_step", "Demonstrations a step"),
        Knob("sft.select", "Released epoch by", "validation_loss, reward_score (needs a reward model) or last"),
        Knob("lengths.prompt_tokens", "Longest prompt", "tokens; longer records are left out"),
        Knob("lengths.response_tokens", "Longest response", "tokens"),
        SEED,
    ),
    Kind.SAMPLE: (
        Knob("sample.responses_per_prompt", "Responses a prompt"),
        Knob("sample.temperature", "Temperature"),
        Knob("sample.limit_prompts", "Prompts at most", "empty: all of them"),
        Knob("lengths.response_tokens", "Longest response", "tokens"),
        SEED,
    ),
    Kind.REWARD: (
        RATE,
        Knob("reward.epochs", "Epochs"),
        Knob("reward.prompts_per_step", "Prompts a step"),
        Knob("reward.members", "Members", "models whose mean is the score; memory and time grow with them"),
        Knob("reward.folds", "Folds of labelers", "to see how it does on people it never met; 0: none"),
        Knob("lengths.prompt_tokens", "Longest prompt", "tokens; longer records are left out"),
        Knob("lengths.response_tokens", "Longest response", "tokens"),
        SEED,
    ),
    Kind.PPO: (
        RATE,
        Knob("ppo.episodes", "Episodes", "responses in all"),
        Knob("ppo.episodes_per_iteration", "Episodes an iteration"),
        Knob("ppo.minibatch_episodes", "Episodes a minibatch"),
        Knob("ppo.kl.coef", "KL coefficient", "a token"),
        Knob("ppo.ptx.coef", "Weight of pretraining text", "0: none is mixed in"),
        Knob("ppo.ptx.calibrate", "or weight by its gradient", "its length beside the rewards'; empty: as given"),
        Knob("ppo.kl.stop_nats", "End above a KL of", "nats a response; empty: never"),
        Knob("lengths.response_tokens", "Longest response", "tokens"),
        SEED,
    ),
    Kind.EVALUATE: (
        Knob("sample.limit_prompts", "Held-out prompts", "at most; drawn by the seed"),
        Knob("sample.temperature", "Temperature", "0: always the likeliest token"),
        Knob("lengths.response_tokens", "Longest response", "tokens"),
        SEED,
    ),
}


@dataclass(frozen=True)
class Field:
    """A knob in a form, with what stands in it."""

    knob: Knob
    value: str


def fields_of(kind: str, config: Mapping[str, Any], typed: Mapping[str, str] | None = None) -> list[Field]:
    """The form's fields: what was typed, else what stands in the config."""
    typed = typed or {}
    return [Field(knob, typed.get(knob.path, written(value_at(config, knob.path)))) for knob in KNOBS[kind]]


def value_at(config: Mapping[str, Any], path: str) -> Any:
    """The value of a dotted key, or None where there is none."""
    value: Any = config
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def written(value: object) -> str:
    """A value as a person would type it: 9.65e-06 as 9.65e-6."""
    if value is None:
        return ""
    return str(value).replace("e-0", "e-") if isinstance(value, float) else str(value)


def overrides_of(kind: str, typed: Mapping[str, str]) -> Sections:
    """Sections of config.json from a posted form: the knobs, and over them the JSON in the field "config".

    An empty field says nothing. Raises LaunchRefused for JSON that is none; values are judged by the contract later.
    """
    overrides: Sections = {}
    for path, value in _typed_knobs(kind, typed):
        nested: Any = value
        for key in reversed(path.split(".")):
            nested = {key: nested}
        overrides = merged(overrides, nested)
    return merged(overrides, _typed_json(typed.get("config", "")))


def _typed_knobs(kind: str, typed: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for knob in KNOBS[kind]:
        text = typed.get(knob.path, "").strip()
        if text:
            yield knob.path, _typed_value(text)


def _typed_value(text: str) -> Any:
    """A number where it reads as one; else the text itself, for the contract to refuse by name."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return value if isinstance(value, int | float) else text


def _typed_json(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        value = parse_json(text)
    except Refused as refused:
        raise LaunchRefused(f"The config as JSON cannot be read: {refused}.") from None
    if not isinstance(value, dict):
        raise LaunchRefused(f'The config as JSON is {shown(value)}; expected an object such as {{"seed": 7}}.')
    return value
