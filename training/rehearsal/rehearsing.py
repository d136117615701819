"""One rehearsal from a seed: base, SFT, samples, simulated rankings, reward model, PPO, and a second round.

Each step is a run folder under one root, named for what it makes; a step that is done is not run again. No step reads
the labelers' utility: the reward model sees ranks, PPO sees the reward model, and every stage runs its fixed steps.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from training.rehearsal import material
from training.rehearsal.corpus import make_corpus
from training.rehearsal.phrases import Cohort
from training.rehearsal.recipe import CONDITIONING, Recipe, stage_config
from training.rehearsal.running import Done, run_stage
from training.rehearsal.tastes import rank_all
from training.rehearsal.world import make_world
from training.rlhf.contract.records import Demonstration, Kind, Prompt, Ranking, Response, Row

PLAIN = {"tokens": {"prompt_format": "plain"}}
TOLD = {"conditioning": CONDITIONING}

Data = Mapping[str, tuple[Kind, Iterable[Row]]]


class Rehearsal:
    """The steps of one seed. Each property runs what it needs first."""

    def __init__(self, root: Path, recipe: Recipe, *, seed: int, threads: int = 1) -> None:
        self.root = root
        self.recipe = recipe
        self.seed = seed
        self.threads = threads
        self.world = make_world(seed)
        self.done: dict[str, Done] = {}
        """By step, in the order in which they were asked for."""

    def run(
        self,
        step: str,
        stage: str,
        *,
        models: Mapping[str, Any],
        uses: Mapping[str, Sequence[str]],
        data: Data,
        over: Mapping[str, Any] | None = None,
    ) -> Done:
        """models: role -> folder, or for a role of many {name: folder}. uses: use of data -> names among `data`."""
        named, folders = _links(models)
        config = stage_config(
            self.recipe, stage, job=step, seed=self.seed, threads=self.threads, models=named, data=uses, over=over
        )
        self.done[step] = run_stage(self.root / step, config, data=data, models=folders)
        return self.done[step]

    # what is trained

    @cached_property
    def base(self) -> Path:
        corpus = make_corpus(self.world, documents=self.recipe.documents)
        return self.run(
            "base", "pretrain", models={}, uses={"train": ["corpus"]}, data={"corpus": ("text", corpus)}
        ).folder.model

    @cached_property
    def demonstrations(self) -> list[Demonstration]:
        return material.demonstrations(self.world, self.recipe)

    @cached_property
    def sft(self) -> Path:
        data: Data = {
            "demonstrations": ("demonstration", self.demonstrations),
            "corpus": ("text", make_corpus(self.world, documents=material.MIXED_DOCUMENTS)),
        }
        uses = {"train": ["demonstrations"], "pretraining": ["corpus"]}
        return self.run("sft", "sft", models={"init": self.base}, uses=uses, data=data).folder.model

    @cached_property
    def rankings(self) -> list[Ranking]:
        return self.collect_rankings("sampled", self.sft, round_number=1)

    @cached_property
    def reward(self) -> Path:
        return self.train_reward("reward", self.rankings)

    @cached_property
    def policy(self) -> Path:
        return self.train_policy("policy", self.sft, self.reward)

    @cached_property
    def told_reward(self) -> Path:
        """A reward model that is told whose preferences it stands for."""
        return self.train_reward("told-reward", self.rankings, over=TOLD)

    @cached_property
    def told_policy(self) -> Path:
        return self.train_policy("told-policy", self.sft, self.told_reward, told=True)

    @cached_property
    def second_reward(self) -> Path:
        """From the rankings of both rounds, the second's of what the first policy wrote."""
        second = self.collect_rankings("second-sampled", self.policy, round_number=2)
        return self.train_reward("second-reward", [*self.rankings, *second])

    @cached_property
    def second_policy(self) -> Path:
        return self.train_policy("second-policy", self.policy, self.second_reward)

    # how

    def collect_rankings(self, step: str, model: Path, *, round_number: int) -> list[Ranking]:
        """K responses of a model to each prompt of a round, ranked by the simulated labelers."""
        prompts = material.prompts_to_rank(self.world, self.recipe, round_number=round_number)
        sampled = self.run(
            step, "sample", models={"generators": {"model": model}}, uses={"prompts": ["prompts"]},
            data={"prompts": ("prompt", prompts)},
        )  # fmt: skip
        grouped = material.by_prompt(prompts, sampled.responses)
        return [*rank_all(self.world, grouped, seed=self.seed, judges_per_cohort=self.recipe.judges_per_cohort)]

    def train_reward(self, step: str, rankings: Sequence[Ranking], *, over: Mapping[str, Any] | None = None) -> Path:
        data: Data = {
            "train": ("ranking", [row for row in rankings if row.split == "train"]),
            "valid": ("ranking", [row for row in rankings if row.split == "valid"]),
            "demonstrations": ("demonstration", self.demonstrations),
        }
        uses = {"train": ["train"], "validation": ["valid"], "demonstrations": ["demonstrations"]}
        return self.run(step, "reward", models={"init": self.sft}, uses=uses, data=data, over=over).folder.model

    def train_policy(self, step: str, start: Path, reward: Path, *, told: bool = False) -> Path:
        train, valid = material.prompts_to_roll_out(self.world, told=told)
        return self.run(
            step, "ppo", models={"policy": start, "reward": reward}, uses={"train": ["train"], "validation": ["valid"]},
            data={"train": ("prompt", train), "valid": ("prompt", valid)}, over=TOLD if told else None,
        ).folder.model  # fmt: skip

    # what is measured

    def sample(
        self,
        step: str,
        generators: Mapping[str, Path],
        *,
        temperature: float,
        prompts: Sequence[Prompt],
        plain: bool = False,
        told: Cohort | None = None,
        best_of: int | None = None,
    ) -> list[Response]:
        """One response of each generator to each prompt.

        plain: asked in plain text, as a base model is. told: for which cohort to write. best_of: the best of so many
        by the reward model.
        """
        over: dict[str, Any] = {"sample": {"responses_per_prompt": 1, "temperature": temperature}}
        models: dict[str, Any] = {"generators": generators}
        if plain:
            over |= PLAIN
        if told:
            over |= TOLD
            over["sample"]["condition"] = told
        if best_of:
            models["reward"] = self.reward
            over["sample"]["best_of"] = {"n": best_of}
        return self.run(
            step, "sample", models=models, uses={"prompts": ["prompts"]}, data={"prompts": ("prompt", prompts)},
            over=over,
        ).responses  # fmt: skip

    def score(
        self, step: str, reward: Path, prompts: Sequence[Prompt], responses: Sequence[Response], *, told: bool = False
    ) -> list[Response]:
        """The responses with a reward model's score in each. told: for whom, by each response's condition."""
        return self.run(
            step, "score", models={"rewards": {"reward": reward}},
            uses={"responses": ["responses"], "prompts": ["prompts"]},
            data={"responses": ("response", responses), "prompts": ("prompt", prompts)}, over=TOLD if told else None,
        ).responses  # fmt: skip


def _links(models: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Path]]:
    """The config's models section, and the folders behind its paths."""
    named: dict[str, Any] = {}
    folders: dict[str, Path] = {}
    for role, model in models.items():
        if isinstance(model, Path):
            named[role] = f"models/{role}"
            folders[named[role]] = model
        else:
            named[role] = {name: f"models/{role}-{name}" for name in model}
            folders |= {named[role][name]: folder for name, folder in model.items()}
    return named, folders
