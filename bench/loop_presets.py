"""Presets of fixed steps for bench/real_loop.py, by the minutes they were measured to take on two cores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """stages: overrides of the tiny recipe for each stage, in the order they run."""

    title: str
    stages: Mapping[str, dict[str, Any]]


SHAPE = {"layers": 4, "width": 128, "heads": 4}
HARDWARE = {"threads": 2}
# Passages of Wikipedia stand before each question of the rankings: about 900 tokens of this vocabulary.
LONG = {"prompt_tokens": 1408, "response_tokens": 512, "context_tokens": 1792}
SHORT = {"prompt_tokens": 192, "response_tokens": 80, "context_tokens": 272}


def _stages(*, text_steps: int, demonstration_epochs: int, ranking_epochs: int, episodes: int) -> dict[str, Any]:
    return {
        "pretrain": {
            "hardware": HARDWARE,
            "pretrain": {
                "steps": text_steps, "tokens_per_step": 4096, "sequence_tokens": 256, "vocabulary": 4096,
                "shape": SHAPE,
            },
        },
        "sft": {
            "hardware": HARDWARE,
            "lengths": {"prompt_tokens": 384, "response_tokens": 256, "context_tokens": 640},
            "sft": {"epochs": demonstration_epochs, "sequences_per_step": 16},
        },
        "sample": {"hardware": HARDWARE, "lengths": SHORT, "sample": {"responses_per_prompt": 4, "limit_prompts": 400}},
        "reward": {
            "hardware": HARDWARE, "lengths": LONG,
            "reward": {"epochs": ranking_epochs, "prompts_per_step": 16},
        },
        "ppo": {
            "hardware": HARDWARE, "lengths": SHORT,
            "ppo": {
                "episodes": episodes, "episodes_per_iteration": 96, "minibatch_episodes": 32,
                # Beyond the scores' spread: at 1 and at 3 the policy learned to talk on until it was cut off, since the
                # reward model gives the beginning of a long answer more than a short one that ends.
                "missing_stop": {"value": 6.0},
            },
        },
    }  # fmt: skip


PRESETS: dict[int | None, Preset] = {
    2: Preset(
        "smoke, about 2 minutes",
        _stages(text_steps=60, demonstration_epochs=1, ranking_epochs=1, episodes=4 * 96),
    ),
    12: Preset(
        "about 12 minutes",
        _stages(text_steps=300, demonstration_epochs=2, ranking_epochs=2, episodes=24 * 96),
    ),
    None: Preset(
        "without a time limit, under 45 minutes",
        _stages(text_steps=700, demonstration_epochs=3, ranking_epochs=2, episodes=40 * 96),
    ),
}


def preset_for(minutes: int | None) -> Preset:
    return PRESETS[minutes]
