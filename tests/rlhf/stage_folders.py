"""A run folder of every stage, with all that it has to carry over a resume. Each takes seconds."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.rlhf.run_folders import WORDS, base_config, make_language_model, make_reward_model, make_run
from training.rlhf.contract.records import (
    Answer,
    Demonstration,
    Message,
    Prompt,
    Ranking,
    RankingJudgment,
    Response,
    Text,
)
from training.rlhf.contract.run_folder import RunFolder

LENGTHS = {"prompt_tokens": 24, "response_tokens": 16, "context_tokens": 64}


def some_words(chance: random.Random, most: int) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(1, most)))


def prompt_fields(chance: random.Random, name: str) -> dict[str, Any]:
    return {"id": name, "messages": (Message(role="user", content=some_words(chance, 8)),), "group": name}


def prompts(count: int, *, prefix: str) -> list[Prompt]:
    chance = random.Random(prefix)
    return [Prompt(**prompt_fields(chance, f"{prefix}{number}")) for number in range(count)]


def demonstrations(count: int, *, prefix: str) -> list[Demonstration]:
    chance = random.Random(prefix)
    names = [f"{prefix}{number}" for number in range(count)]
    return [
        Demonstration(**prompt_fields(chance, name), response=Answer(id=f"{name}r", text=some_words(chance, 12)))
        for name in names
    ]


def rankings(count: int, *, prefix: str) -> list[Ranking]:
    chance = random.Random(prefix)
    return [
        Ranking(
            **prompt_fields(chance, name),
            responses=tuple(Answer(id=f"{name}-{k}", text=some_words(chance, 10)) for k in range(3)),
            judged=(RankingJudgment(labeler=f"l{number % 4}", ranks=tuple(chance.sample((1, 2, 3), 3))),),
        )
        for number, name in enumerate(f"{prefix}{number}" for number in range(count))
    ]


def texts(count: int) -> list[Text]:
    chance = random.Random("texts")
    return [Text(id=f"t{number}", text=" ".join(chance.choices(WORDS, k=40))) for number in range(count)]


def responses(rows: list[Prompt]) -> list[Response]:
    chance = random.Random("responses")
    return [
        Response(id=f"{row.id}-{k}", prompt=row.id, text="", token_ids=tuple(chance.choices(range(2, 26), k=9)),
                 finish="stop", generator="g")
        for row in rows for k in range(3)
    ]  # fmt: skip


def pretrain(root: Path) -> RunFolder:
    config = base_config(
        "pretrain", data={"train": ["text"], "validation": ["held_out"]}, lengths={"context_tokens": 64},
        optimizer={"learning_rate": 0.01}, checkpoints={"every_steps": 12},
        pretrain={"steps": 150, "tokens_per_step": 256, "sequence_tokens": 32, "vocabulary": 300,
                  "validate_every_steps": 25, "shape": {"layers": 2, "width": 32, "heads": 4}},
    )  # fmt: skip
    rows = texts(80)
    return make_run(root, config, data={"text": ("text", rows[20:]), "held_out": ("text", rows[:20])})


def sft(root: Path) -> RunFolder:
    config = base_config(
        "sft", models={"init": "models/init"},
        data={"train": ["demos"], "validation": ["held_out"], "pretraining": ["text"]}, lengths=LENGTHS,
        checkpoints={"every_steps": 7},
        sft={"epochs": 6, "sequences_per_step": 6, "residual_dropout": 0.2, "pretrain_fraction": 0.3},
    )  # fmt: skip
    return make_run(
        root, config, models={"init": make_language_model(root.with_name("base"))},
        data={"demos": ("demonstration", demonstrations(72, prefix="d")),
              "held_out": ("demonstration", demonstrations(12, prefix="h")), "text": ("text", texts(40))},
    )  # fmt: skip


def reward(root: Path) -> RunFolder:
    config = base_config(
        "reward", models={"init": "models/init"},
        data={"train": ["train"], "validation": ["valid"], "demonstrations": ["demos"]}, lengths=LENGTHS,
        checkpoints={"every_steps": 4},
        reward={"epochs": 3, "prompts_per_step": 8, "members": 2, "folds": 2, "score_validation": True},
    )  # fmt: skip
    return make_run(
        root, config, models={"init": make_language_model(root.with_name("base"))},
        data={"train": ("ranking", rankings(80, prefix="t")), "valid": ("ranking", rankings(20, prefix="v")),
              "demos": ("demonstration", demonstrations(9, prefix="d"))},
    )  # fmt: skip


def ppo(root: Path) -> RunFolder:
    config = base_config(
        "ppo", models={"policy": "models/policy", "reward": "models/reward", "watch": ["models/watch"]},
        data={"train": ["prompts"], "validation": ["held_out"], "pretraining": ["text"]}, lengths=LENGTHS,
        checkpoints={"every_steps": 2},
        ppo={"episodes": 16 * 14, "episodes_per_iteration": 16, "minibatch_episodes": 8, "responses_per_prompt": 2,
             "epochs": 2, "scale_rewards": True, "value": {"learning_rate": 1e-3}, "ptx": {"calibrate": 1.0},
             "kl": {"mode": "adaptive", "target_nats": 0.5, "horizon_episodes": 100}},
    )  # fmt: skip
    return make_run(
        root, config,
        models={"policy": make_language_model(root.with_name("policy")),
                "reward": make_reward_model(root.with_name("reward")),
                "watch": make_reward_model(root.with_name("watch"), seed=9)},
        data={"prompts": ("prompt", prompts(21, prefix="p")), "held_out": ("prompt", prompts(8, prefix="h")),
              "text": ("text", texts(20))},
    )  # fmt: skip


def sample(root: Path) -> RunFolder:
    return _sampled(root, ["one"], sample={"responses_per_prompt": 4})


def evaluate(root: Path) -> RunFolder:
    """What an evaluation asks of machines: several models on the same prompts, one of them told a condition."""
    return _sampled(
        root, ["one", "told", "two"], sample={"responses_per_prompt": 1, "told": {"told": "terse"}},
        conditioning={"mode": "message", "conditions": {"terse": "w1 w2"}},
    )  # fmt: skip


def _sampled(root: Path, names: list[str], **sections: Any) -> RunFolder:
    models = {name: make_language_model(root.with_name(name), seed=seed) for seed, name in enumerate(names)}
    config = base_config(
        "sample", models={"generators": {name: f"models/{name}" for name in names}}, data={"prompts": ["prompts"]},
        lengths=LENGTHS, hardware={"micro_batch_tokens": 160}, checkpoints={"every_steps": 20}, **sections,
    )  # fmt: skip
    return make_run(root, config, models=models, data={"prompts": ("prompt", prompts(180, prefix="p"))})


def score(root: Path) -> RunFolder:
    names = ["first", "second"]
    config = base_config(
        "score", models={"rewards": {name: f"models/{name}" for name in names}},
        data={"prompts": ["prompts"], "responses": ["responses"]}, score={}, lengths=LENGTHS,
        hardware={"micro_batch_tokens": 60}, checkpoints={"every_steps": 40},
    )  # fmt: skip
    rows = prompts(120, prefix="p")
    return make_run(
        root, config,
        models={name: make_reward_model(root.with_name(name), seed=seed) for seed, name in enumerate(names)},
        data={"prompts": ("prompt", rows), "responses": ("response", responses(rows))},
    )  # fmt: skip


FOLDERS: dict[str, tuple[str, Callable[[Path], RunFolder]]] = {
    "pretrain": ("pretrain", pretrain),
    "sft": ("sft", sft),
    "sample": ("sample", sample),
    "reward": ("reward", reward),
    "ppo": ("ppo", ppo),
    "evaluate": ("sample", evaluate),
    "score": ("score", score),
}
"""What a round asks of machines -> the stage's module, and what makes its folder."""
