"""How much room a stage will want: parameters of a model, memory and disk of a run. Estimates, from what config.json
and the heads of the weight files say; nothing is loaded.

Memory: weights, gradients and two moments of Adam in float32 are 16 bytes a parameter where one is trained, 4 where it
is only run; on top come activations of one micro-batch and its logits.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from training.rlhf.contract.config import RunConfig

TRAINED_BYTES, RUN_BYTES = 16, 4
"""A parameter, in float32."""
SAVED_BYTES = 12
"""A parameter in a checkpoint: the weights and two moments."""
ACTIVATIONS = 20
"""Numbers a token, a layer and a unit of width that a backward pass keeps, about."""
MOST_HEAD_BYTES = 100 << 20


@dataclass(frozen=True)
class ModelSize:
    """parameters of its weight files; shape as its config.json has it, 0 where it does not say. members: how many such
    models an ensemble is of."""

    parameters: int
    layers: int = 0
    width: int = 0
    vocabulary: int = 0
    members: int = 1


def size_of(folder: Path) -> ModelSize:
    """Raises OSError or ValueError where a file cannot be read: it is cut, or no such file."""
    parameters = sum(parameters_in(path) for path in sorted(folder.glob("*.safetensors")))
    shape = json.loads((folder / "config.json").read_bytes())
    if not isinstance(shape, dict):
        raise ValueError(f"{folder / 'config.json'} is no object")

    def first(*names: str) -> int:
        return next((int(shape[name]) for name in names if isinstance(shape.get(name), int)), 0)

    others = sum(1 for _ in folder.glob("members/*/config.json"))
    return ModelSize(
        parameters, first("num_hidden_layers", "n_layer"), first("hidden_size", "n_embd"), first("vocab_size"),
        members=1 + others,
    )  # fmt: skip


def parameters_in(path: Path) -> int:
    """Of a safetensors file, by its head; the body has to be as long as the head says."""
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else MOST_HEAD_BYTES + 1
        if length > MOST_HEAD_BYTES:
            raise ValueError(f"{path} has no readable head")
        head = json.loads(file.read(length))
    tensors = [one for name, one in head.items() if name != "__metadata__"]
    ends = max((one["data_offsets"][1] for one in tensors), default=0)
    if path.stat().st_size < 8 + length + ends:
        raise ValueError(f"{path} is cut: {path.stat().st_size:,} bytes, {8 + length + ends:,} were written")
    return sum(prod(one["shape"]) for one in tensors)


def pretrained_size(config: RunConfig) -> ModelSize:
    """Of the base model that a stage is about to make."""
    assert config.pretrain is not None
    layers, width = config.pretrain.shape.layers, config.pretrain.shape.width
    vocabulary = config.pretrain.vocabulary
    return ModelSize(12 * layers * width * width + vocabulary * width, layers, width, vocabulary)


def memory_bytes(config: RunConfig, sizes: Mapping[str, ModelSize]) -> int:
    """At its fullest. sizes: by role."""
    trained, run = _parts(config, sizes)
    largest = max([*trained, *run], key=lambda one: one.parameters, default=ModelSize(0))
    tokens = config.hardware.micro_batch_tokens
    kept = largest.layers * largest.width * ACTIVATIONS if trained else largest.width * ACTIVATIONS
    activations = 4 * tokens * (kept + 3 * largest.vocabulary)
    weights = TRAINED_BYTES * sum(one.parameters for one in trained) + RUN_BYTES * sum(one.parameters for one in run)
    return weights + activations


def disk_bytes(config: RunConfig, sizes: Mapping[str, ModelSize]) -> int:
    """Checkpoints at once: those that are kept and the one being written."""
    trained, _ = _parts(config, sizes)
    at_once = max(2, config.checkpoints.keep) + 1 + len(config.checkpoints.keep_steps)
    return SAVED_BYTES * sum(one.parameters for one in trained) * at_once


def _parts(config: RunConfig, sizes: Mapping[str, ModelSize]) -> tuple[list[ModelSize], list[ModelSize]]:
    """What is trained and what is only run."""
    if config.pretrain:
        return [pretrained_size(config)], []
    if config.ppo:
        policy, reward = sizes.get("policy", ModelSize(0)), sizes.get("reward", ModelSize(0))
        watching = [size for role, size in sizes.items() if role.startswith("watch")]
        scoring = [one for size in (reward, *watching) for one in [size] * size.members]
        return [policy, reward], [policy, *scoring]  # the value model begins as the reward model's first member
    if config.reward:
        init = sizes.get("init", ModelSize(0))
        return [init] * (config.reward.members + bool(config.reward.folds)), []
    if config.sft or config.dpo:
        init = sizes.get("init", next(iter(sizes.values()), ModelSize(0)))
        judge = sizes.get("reward", ModelSize(0))
        return [init], [init] if config.dpo else [judge] * judge.members
    return [], [max(sizes.values(), key=lambda one: one.parameters)] if sizes else []


def amount(config: Mapping[str, Any], rows: int) -> float:
    """How much a stage has to do, in a unit of its own kind; never 0. rows: of its training data or its prompts."""
    stage = config["stage"]
    told = config.get(stage) or {}
    if stage == "pretrain":
        return float(told.get("steps", 1) * told.get("tokens_per_step", 1))
    if stage == "ppo":
        return float(told.get("episodes", 1)) + beside_responses(told.get("beside"))
    if stage == "sample":
        asked = min(rows, told.get("limit_prompts") or rows)
        writers = len((config.get("models") or {}).get("generators") or {}) or 1
        return float(max(1, asked * told.get("responses_per_prompt", 1) * writers))
    # A fold learns from all groups but one.
    models = told.get("members", 1) + max(0, told.get("folds", 0) - 1) if stage == "reward" else 1
    return float(max(1, rows * told.get("epochs", 1) * models))


def beside_responses(beside: Mapping[str, Any] | None) -> int:
    """What PPO samples at the end to be set beside: at each temperature, and for the best of n; 0 where nothing is."""
    if not beside:
        return 0
    return int(beside["prompts"]) * (len(beside["temperatures"]) + max(beside["best_of"], default=0))
