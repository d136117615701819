"""Recipes: what the stages of a round start from, by the size of the model.

A recipe holds sections of config.json for each stage; whatever it leaves out is the contract's default. A round keeps
its own copy, so that a recipe may change without changing what was run.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labeling.models import Project
from training.errors import RoundRefused
from training.rehearsal import recipe as rehearsed

Sections = dict[str, Any]
"""Sections of config.json: {"optimizer": {"learning_rate": 1e-3}, "sft": {"epochs": 4}}."""


@dataclass(frozen=True)
class Recipe:
    """Where the figures come from stands in `about`. rehearsal: of a recipe for simulated projects, its amounts."""

    name: str
    title: str
    about: str
    stages: Mapping[str, Sections]
    rehearsal: rehearsed.Recipe | None = None


TINY_LENGTHS = {"prompt_tokens": 256, "response_tokens": 128, "context_tokens": 384}
TINY_CHECKPOINTS = {"every_steps": 50, "every_seconds": 60.0}

TINY = Recipe(
    name="tiny",
    title="Tiny: 1 to 2 million parameters",
    about="Rates at which a model of this size learns within minutes on two cores. The paper's, which are for billions "
    "of parameters, would leave it where it was.",
    stages={
        "pretrain": {
            "optimizer": {"learning_rate": 3e-3, "warmup_steps": 20},
            "pretrain": {"steps": 400, "tokens_per_step": 2048, "sequence_tokens": 128, "vocabulary": 2048},
            "checkpoints": TINY_CHECKPOINTS,
        },
        "sft": {
            "optimizer": {"learning_rate": 1e-3},
            "sft": {"epochs": 4, "sequences_per_step": 16},
            "lengths": TINY_LENGTHS,
            "checkpoints": TINY_CHECKPOINTS,
        },
        "sample": {
            "sample": {"responses_per_prompt": 4, "temperature": 1.0},
            "lengths": TINY_LENGTHS,
        },
        "reward": {
            "optimizer": {"learning_rate": 6e-4},
            "reward": {"epochs": 2, "prompts_per_step": 16},
            "lengths": TINY_LENGTHS,
            "checkpoints": TINY_CHECKPOINTS,
        },
        "ppo": {
            "optimizer": {"learning_rate": 1.5e-4, "schedule": "constant", "warmup_steps": 3},
            "ppo": {
                "episodes": 3456,
                "episodes_per_iteration": 96,
                "minibatch_episodes": 32,
                "kl": {"coef": 0.25},
                "value": {"learning_rate": 3e-4},
                "beside": {},
            },
            "lengths": {"prompt_tokens": 256, "response_tokens": 64, "context_tokens": 320},
            "checkpoints": {"every_steps": 6, "every_seconds": 60.0},
            "logging": {"samples_every_steps": 3},
        },
    },
)

PAPER = Recipe(
    name="paper",
    title="Paper: billions of parameters",
    about="The figures of Ouyang et al. 2022 (arXiv 2203.02155), appendix C, for models of 1.3 and 6 billion "
    "parameters, without pretraining mix.",
    stages={
        "sft": {
            "optimizer": {"learning_rate": 9.65e-6},
            "sft": {"epochs": 16, "sequences_per_step": 32, "residual_dropout": 0.2},
        },
        "sample": {"sample": {"responses_per_prompt": 4, "temperature": 1.0}},
        "reward": {
            "optimizer": {"learning_rate": 9e-6},
            "reward": {"epochs": 1, "prompts_per_step": 64},
        },
        "ppo": {
            # Rates above 8.05e-6 diverged there without the pretraining mix; this is the lowest that was tried.
            "optimizer": {"learning_rate": 2.55e-6, "schedule": "constant", "warmup_steps": 10},
            "ppo": {
                "episodes": 256_000,
                "episodes_per_iteration": 512,
                "minibatch_episodes": 64,
                "kl": {"coef": 0.02},
                "value": {"learning_rate": 9e-6},
                "beside": {"prompts": 256},
            },
        },
    },
)

OF_THE_STUDY = ("format", "stage", "job", "seed", "models", "data")
"""Sections that a round in the database decides for itself."""
THREADS = 2
SAVE_EACH_MINUTE = {"every_steps": 100_000, "every_seconds": 60.0}
"""The study never resumes; a round that people watch does, and base model and PPO take some minutes each."""


def _rehearsed(title: str, recipe: rehearsed.Recipe) -> Recipe:
    """A recipe of the rehearsal, stage by stage as the study runs it."""
    stages = {}
    for stage in ("pretrain", "sft", "sample", "reward", "ppo"):
        config = rehearsed.stage_config(recipe, stage, job="0", seed=0, threads=THREADS)
        config["checkpoints"] = SAVE_EACH_MINUTE
        stages[stage] = {section: values for section, values in config.items() if section not in OF_THE_STUDY}
    stages["evaluate"] = {"sample": {"limit_prompts": recipe.held_out_prompts}}
    return Recipe(name=recipe.name, title=title, about=recipe.about, stages=stages, rehearsal=recipe)


REHEARSAL = _rehearsed("Rehearsal: one million parameters", rehearsed.FULL)
OVEROPTIMISED = _rehearsed("Over-optimised, to see it once", rehearsed.OVEROPTIMISED)

RECIPES = {recipe.name: recipe for recipe in (TINY, PAPER, REHEARSAL, OVEROPTIMISED)}


def recipes_for(project: Project) -> list[Recipe]:
    """What rounds of a project can be opened with: those of the rehearsal in simulated projects only, and first."""
    offered = [recipe for recipe in RECIPES.values() if project.simulated or recipe.rehearsal is None]
    return sorted(offered, key=lambda recipe: recipe.rehearsal is None)


def recipe_named(name: str) -> Recipe:
    """Raises RoundRefused for a name that is not in RECIPES."""
    if name not in RECIPES:
        raise RoundRefused(f"There is no recipe {name!r}; expected one of {', '.join(RECIPES)}.")
    return RECIPES[name]


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees of values as one, in which `above` has the last word; neither is changed."""
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        under = result.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            result[key] = merged(under, value)
        else:
            result[key] = copy.deepcopy(value)
    return result
