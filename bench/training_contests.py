"""The contests of bench/training.py: for each stage the run folder, the peer's task, and the goal that is asked."""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from bench.duels import PEERS, ROOT, Duel, Side, duel
from bench.training_models import MadeModels
from bench.training_runs import (
    LEARNING_RATE,
    base_config,
    demonstration_ids,
    demonstrations,
    make_run,
    prompts,
    ranking_ids,
    rankings,
)
from training.rlhf.contract.run_folder import RunFolder

SEQUENCES = 32
PACKED_ROW_TOKENS = 1024
MAX_PROMPT_TOKENS = 512
BATCH_PAIRS = 8
"""Rows of a peer's forward pass: twice as many as pairs. Its fastest was not searched for."""
FIXED_PROMPT, FIXED_RESPONSE = 64, 48
RAGGED_PROMPT, RAGGED_RESPONSE = 256, 96
EPISODES, MINIBATCHES = 32, 4
LOSS_TOLERANCE = 1e-4
"""Relative: float32 sums in another order. TRL logs its loss rounded to four significant digits."""


class LossesDiffer(Exception):
    """The two sides do not do the same work: no speed is compared."""


@dataclass(frozen=True)
class Place:
    """Where a contest finds and leaves things."""

    data: Path
    folder: Path
    models: MadeModels
    peers: dict[str, Path]
    """Name of an environment -> its interpreter."""
    pairs: int


@dataclass(frozen=True)
class Goal:
    """At least so many times the peer."""

    peer: str
    times: float
    aim: float | None = None


@dataclass(frozen=True)
class Result:
    """A contest that was held. about: what is worth knowing of the work, such as mean lengths."""

    name: str
    unit: str
    duel: Duel
    goals: Sequence[Goal]
    about: dict[str, float]


@dataclass(frozen=True)
class Contest:
    name: str
    hold: Callable[[Place], Result]


def ours(place: Path, stage: str, folder: RunFolder, units_of_step: list[float], *, steps: int, name: str) -> Side:
    task = write_task(place / f"{name}.task.json", {"units_of_step": units_of_step}, steps=steps)
    command = [sys.executable, str(ROOT / "bench" / "training_ours.py"), stage, str(folder.root), str(task)]
    return Side(name, command, log=place / f"{name}.log")


def peer(place: Place, environment: str, script: str, task: dict[str, Any], *, steps: int, name: str) -> Side:
    folder = place.folder
    path = write_task(
        folder / f"{name}.task.json",
        {**task, "learning_rate": LEARNING_RATE, "output": str(folder / f"{name}.output")},
        steps=steps,
    )
    command = [str(place.peers[environment]), str(PEERS / script), str(path)]
    return Side(name, command, log=folder / f"{name}.log")


def write_task(path: Path, task: dict[str, Any], *, steps: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**task, "warm_steps": 1, "steps": steps}))
    return path


def refuse_different_losses(ours: Side, *peers: Side) -> None:
    """Before any speed: the loss of the first step, on the same batch by the same weights."""
    for side in peers:
        a, b = ours.facts["first_loss"], side.facts["first_loss"]
        if abs(a - b) > LOSS_TOLERANCE * max(abs(a), abs(b)) + 1e-4:
            raise LossesDiffer(f"the first loss is {a} with {ours.name} and {b} with {side.name}")


def sft(place: Place) -> Result:
    at = Place(place.data, place.folder / "sft", place.models, place.peers, place.pairs)
    config = base_config("sft", models={"init": "models/init"}, data={"train": ["rows"]})
    config["sft"] = {"epochs": 20, "sequences_per_step": SEQUENCES, "keep_epochs": False}
    config["lengths"] = {"prompt_tokens": MAX_PROMPT_TOKENS, "response_tokens": MAX_PROMPT_TOKENS}
    rows = demonstrations(at.data)
    folder = make_run(
        at.folder / "run", config, models={"init": at.models.language}, data={"rows": ("demonstration", rows)}
    )
    plan = demonstration_ids(folder, at.models.tokens)
    task = {"model": str(at.models.language), "rows": plan.rows}
    a_step = mean(plan.tokens_of_step)
    with ExitStack() as stack:
        sides = [
            ours(at.folder, "sft", folder, list(map(float, plan.tokens_of_step)), steps=1, name="Accord"),
            peer(at, "trl", "trl_sft.py", {**task, "packing": None, "row_tokens": 2048, "batch_rows": 8,
                 "accumulate": SEQUENCES // 8}, steps=1, name="TRL, unpacked"),
            *(
                peer(at, "trl", "trl_sft.py", {**task, "packing": packing, "row_tokens": PACKED_ROW_TOKENS,
                     "batch_rows": 1, "accumulate": max(1, round(a_step / PACKED_ROW_TOKENS))}, steps=1, name=name)
                for packing, name in (("bfd", "TRL, packed apart"), ("wrapped", "TRL, packed together"))
            ),
        ]  # fmt: skip
        for side in sides:
            stack.enter_context(side)
        found = duel(*sides, pairs=at.pairs, before_turns=lambda: refuse_different_losses(sides[0], sides[1]))
    return Result("SFT", "real tokens", found, [Goal("TRL, packed apart", 1.6, 1.9)], {
        "demonstrations": len(plan.rows),
        "mean_tokens": sum(plan.tokens_of_step) / len(plan.rows),
        "mean_response_tokens": mean(len(row["response"]) for row in plan.rows),
        "first_loss": found.ours.facts["first_loss"],
    })  # fmt: skip


def reward(responses: int, prompts_per_step: int, steps: int, goals: Sequence[Goal]) -> Callable[[Place], Result]:
    def hold(place: Place) -> Result:
        at = Place(place.data, place.folder / f"reward-{responses}", place.models, place.peers, place.pairs)
        rows = rankings(at.data, responses=responses)
        folders = {layout: reward_run(at, layout, rows, prompts_per_step) for layout in ("shared_prefix", "one_by_one")}
        items = ranking_ids(folders["shared_prefix"], at.models.tokens)
        pairs = prompts_per_step * responses * (responses - 1) // 2
        task = {
            "model": str(at.models.peer_reward), "rows": items, "batch_pairs": BATCH_PAIRS,
            "accumulate": pairs // BATCH_PAIRS, "prompts_per_step": prompts_per_step,
        }  # fmt: skip
        units = [float(prompts_per_step)]
        with ExitStack() as stack:
            sides = [
                ours(at.folder, "reward", folders["shared_prefix"], units, steps=steps, name="Accord"),
                peer(at, "trl", "trl_reward.py", {**task, "grouped_by_length": False}, steps=steps, name="TRL"),
                ours(at.folder, "reward", folders["one_by_one"], units, steps=steps, name="Accord, one by one"),
            ]
            if responses == 2:
                told = {**task, "grouped_by_length": True}
                sides.append(peer(at, "trl", "trl_reward.py", told, steps=steps, name="TRL, grouped by length"))
            for side in sides:
                stack.enter_context(side)
            found = duel(*sides, pairs=at.pairs, before_turns=lambda: refuse_different_losses(*sides[:3]))
        return Result(f"Reward model, K = {responses}", "prompts", found, goals, {
            "prompts": len(items),
            "P": mean(len(item["prompt"]) for item in items),
            "R": mean(len(response) for item in items for response in item["responses"]),
            "first_loss": found.ours.facts["first_loss"],
        })  # fmt: skip

    return hold


def reward_run(at: Place, layout: str, rows: Sequence[Any], prompts_per_step: int) -> RunFolder:
    config = base_config("reward", models={"init": "models/init"}, data={"train": ["rows"]})
    config["lengths"] = {"prompt_tokens": MAX_PROMPT_TOKENS, "response_tokens": MAX_PROMPT_TOKENS}
    config["reward"] = {"epochs": 20, "prompts_per_step": prompts_per_step, "layout": layout}
    data = {"rows": ("ranking", rows)}
    return make_run(at.folder / layout, config, models={"init": at.models.language}, data=data)  # type: ignore[arg-type]


def ppo(
    name: str, *, epochs: int, ragged: bool, responses_per_prompt: int, goals: Sequence[Goal]
) -> Callable[[Place], Result]:
    def hold(place: Place) -> Result:
        slug = "-".join(word for word in name.replace(",", "").split())
        at = Place(place.data, place.folder / slug, place.models, place.peers, place.pairs)
        tokens = at.models.tokens
        prompt_tokens, response_tokens = (RAGGED_PROMPT, RAGGED_RESPONSE) if ragged else (FIXED_PROMPT, FIXED_RESPONSE)
        rows = prompts(at.data, tokens, at_most_tokens=prompt_tokens, exactly=not ragged)
        config = base_config("ppo", models={"policy": "models/policy", "reward": "models/reward"})
        config["data"] = {"train": ["rows"], "validation": ["held_out"]}
        config["lengths"] = {"prompt_tokens": prompt_tokens, "response_tokens": response_tokens}
        config["ppo"] = {
            "episodes": EPISODES * 1000, "episodes_per_iteration": EPISODES, "epochs": epochs,
            "minibatch_episodes": EPISODES // MINIBATCHES, "responses_per_prompt": responses_per_prompt,
            "value": {"learning_rate": LEARNING_RATE},
        }  # fmt: skip
        if not ragged:
            config["tokens"] = {"stop_token_ids": [tokens.pad_token_id]}  # as a token like any other: it hardly occurs
        folder = make_run(
            at.folder / "run", config, models={"policy": at.models.language, "reward": at.models.reward},
            data={"rows": ("prompt", rows[8:]), "held_out": ("prompt", rows[:8])},
        )  # fmt: skip
        asked = [tokens.prompt_ids(row.messages) for row in rows[8:]]
        task = {
            "model": str(at.models.language), "reward": str(at.models.peer_reward), "prompts": asked,
            "responses_per_prompt": responses_per_prompt, "episodes": EPISODES, "minibatches": MINIBATCHES,
            "epochs": epochs, "response_tokens": response_tokens, "ends": ragged,
            "stop_token": tokens.tokenizer.convert_ids_to_tokens(tokens.stop_token_ids[0]),
        }  # fmt: skip
        with ExitStack() as stack:
            sides = [
                ours(at.folder, "ppo", folder, [float(EPISODES)], steps=1, name="Accord"),
                peer(at, "trl_ppo", "trl_ppo.py", task, steps=1, name="TRL"),
            ]
            for side in sides:
                stack.enter_context(side)
            found = duel(*sides, pairs=at.pairs)
        return Result(name, "episodes", found, goals, {
            "P": mean(map(len, asked)),
            "R": found.ours.facts["response_tokens"],
            "ended": found.ours.facts["ended_share"],
            "epochs": epochs,
            "K": responses_per_prompt,
        })  # fmt: skip

    return hold


CONTESTS = {
    "sft": [Contest("SFT", sft)],
    "reward": [
        Contest("Reward model, K = 2", reward(2, 16, 1, [Goal("TRL", 2.5), Goal("TRL, grouped by length", 2.5),
                                                         Goal("Accord, one by one", 1.4)])),
        Contest("Reward model, K = 4", reward(4, 8, 1, [Goal("TRL", 7), Goal("Accord, one by one", 1.4)])),
        Contest("Reward model, K = 9", reward(9, 2, 1, [Goal("TRL", 16), Goal("Accord, one by one", 1.4)])),
    ],
    "ppo": [
        Contest(name, ppo(name, epochs=epochs, ragged=ragged, responses_per_prompt=copies, goals=[Goal("TRL", times)]))
        for name, epochs, ragged, copies, times in (
            ("PPO, fixed lengths, 1 epoch", 1, False, 1, 1.25),
            ("PPO, fixed lengths, 4 epochs", 4, False, 1, 1.25),
            ("PPO, ragged lengths", 1, True, 1, 2.0),
            ("PPO, ragged lengths, 4 responses a prompt", 1, True, 4, 2.0),
        )
    ],
}  # fmt: skip
