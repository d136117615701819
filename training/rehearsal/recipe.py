"""What each stage of a rehearsal is told, as sections of config.json in plain dicts; steps are fixed, never seconds.

The rates are for a model of one million parameters. What was tried and gave less stands in
docs/decisions/rehearsal-trials.md.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from training.rehearsal.phrases import REQUESTS

Sections = dict[str, Any]
"""Sections of config.json by name."""

LENGTHS = {"prompt_tokens": 96, "response_tokens": 40, "context_tokens": 136}
SAVE_SELDOM = {"every_steps": 100_000, "every_seconds": 100_000.0}
"""A stage takes a minute: a resume from its start costs less than checkpoints on the way."""
CONDITIONING = {"mode": "message", "conditions": dict(REQUESTS)}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees of values as one, in which `above` has the last word; neither is changed."""
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        under = result.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            result[key] = _laid_over(under, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The amounts of a rehearsal and the sections of its stages."""

    name: str
    about: str
    documents: int = 20_000
    demonstrations: int = 800
    ranked_prompts: int = 1_050
    """Prompts of the train and the valid split whose responses are ranked."""
    judges_per_cohort: int = 2
    """Who rank the responses to a prompt."""
    held_out_prompts: int = 200
    stages: Mapping[str, Sections]


STAGES: dict[str, Sections] = {
    "pretrain": {
        "optimizer": {"learning_rate": 1e-2, "warmup_steps": 20},
        "pretrain": {"steps": 700, "tokens_per_step": 1024, "sequence_tokens": 128, "vocabulary": 1024},
    },
    "sft": {
        "optimizer": {"learning_rate": 1e-3},
        "sft": {
            "epochs": 4,
            "sequences_per_step": 16,
            "select": "last",
            "keep_epochs": False,
            "pretrain_fraction": 0.1,
        },
        "conditioning": CONDITIONING,
    },
    "sample": {"sample": {"responses_per_prompt": 4, "temperature": 1.0}},
    "reward": {
        "optimizer": {"learning_rate": 6e-4},
        "reward": {"epochs": 2, "prompts_per_step": 16},
    },
    "ppo": {
        "optimizer": {"learning_rate": 1.5e-4, "schedule": "constant", "warmup_steps": 3},
        "ppo": {
            "episodes": 60 * 96,
            "episodes_per_iteration": 96,
            "minibatch_episodes": 32,
            "kl": {"coef": 0.15},
            "value": {"learning_rate": 3e-4},
        },
        "checkpoints": {"keep_steps": [10, 20, 30, 40, 50]},
    },
    "score": {"score": {}},
}

FULL = Recipe(
    name="rehearsal",
    about="The whole loop in a few minutes on two cores: what labelers' tastes make of a model.",
    stages=STAGES,
)


def changed(recipe: Recipe, *, name: str, about: str, stages: Mapping[str, Sections], **amounts: int) -> Recipe:
    """Another recipe: `stages` laid over the first one's, with other amounts."""
    merged = {stage: _laid_over(sections, stages.get(stage, {})) for stage, sections in recipe.stages.items()}
    return replace(recipe, name=name, about=about, stages=merged, **amounts)


SHORT = changed(
    FULL,
    name="short",
    about="The same in two minutes of one core, for the tests.",
    demonstrations=700,
    ranked_prompts=350,
    stages={
        "pretrain": {"pretrain": {"steps": 400}},
        "ppo": {"ppo": {"episodes": 12 * 96}},
    },
)

OVEROPTIMISED = changed(
    FULL,
    name="overoptimised",
    about="Too few rankings, learned by heart, and no leash: the reward model's score rises on while the true ratings "
    "first rise and then fall.",
    ranked_prompts=50,
    judges_per_cohort=1,
    stages={
        "reward": {"reward": {"epochs": 8}},
        "ppo": {
            "optimizer": {"learning_rate": 4e-4},
            "ppo": {"episodes": 80 * 96, "kl": {"coef": 0.0}},
            "checkpoints": {"keep_steps": [10, 20, 30, 40, 50, 60, 70]},
        },
    },
)

RECIPES = {recipe.name: recipe for recipe in (FULL, SHORT, OVEROPTIMISED)}


def stage_config(
    recipe: Recipe,
    stage: str,
    *,
    job: str,
    seed: int,
    threads: int,
    models: Mapping[str, Any] | None = None,
    data: Mapping[str, Sequence[str]] | None = None,
    over: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """config.json of one stage. models and data as the contract names them; `over` has the last word."""
    shared: Sections = {
        "format": 1,
        "stage": stage,
        "job": job,
        "seed": seed,
        "models": dict(models or {}),
        "data": {use: list(names) for use, names in (data or {}).items()},
        "precision": {"compute": "float32"},
        "hardware": {"threads": threads, "device": "cpu", "micro_batch_tokens": 4096},
        "lengths": LENGTHS,
        "checkpoints": SAVE_SELDOM,
    }
    return _laid_over(_laid_over(shared, recipe.stages[stage]), over or {})
