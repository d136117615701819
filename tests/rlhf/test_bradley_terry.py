"""A reward model learns scores that are known: rankings drawn from them, as the model of the loss has it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.rlhf.run_folders import base_config, make_language_model, make_run, make_tokens, run_here
from training.rlhf import reward
from training.rlhf.batching import Batching, score
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.records import Answer, Message, Ranking, RankingJudgment
from training.rlhf.layouts import Exchange
from training.rlhf.models import ScalarModel

pytestmark = pytest.mark.rule(27)

WORDS, LENGTH, K = 24, 6, 4


def draw(count: int, *, seed: int) -> tuple[list[Ranking], Tensor]:
    """Rankings of random words, and the true scores (count, K) behind them: the sum of what each word is worth.

    Noise of Gumbel's kind makes every pair of a ranking a Bradley-Terry choice between its two scores.
    """
    worth = torch.randn(WORDS, generator=torch.Generator().manual_seed(99)) * 1.5 / LENGTH**0.5
    chance = torch.Generator().manual_seed(seed)
    words = torch.randint(WORDS, (count, K, LENGTH), generator=chance)
    scores = worth[words].sum(-1)
    noise = -(-torch.rand(count, K, generator=chance).log()).log()
    ranks = (-(scores + noise)).argsort(1).argsort(1) + 1
    rows = [
        Ranking(
            id=f"{seed}-{number}",
            messages=(Message(role="user", content="w1 w2"),),
            responses=tuple(
                Answer(id=f"{number}-{k}", text=" ".join(f"w{word}" for word in words[number, k].tolist()))
                for k in range(K)
            ),
            judged=(RankingJudgment(labeler="l", ranks=tuple(ranks[number].tolist())),),
        )
        for number in range(count)
    ]
    return rows, scores


def spearman(one: Tensor, other: Tensor) -> float:
    ranks = torch.stack([values.flatten().argsort().argsort().double() for values in (one, other)])
    return float(torch.corrcoef(ranks)[0, 1])


def correlation(tmp_path: Path, *, seed: int) -> float:
    """Of the model's scores of held-out responses with the true ones, after 512 prompts."""
    rows, _ = draw(512, seed=seed)
    config: dict[str, Any] = base_config(
        "reward", seed=seed, models={"init": "models/init"}, data={"train": ["train"]},
        optimizer={"learning_rate": 3e-3}, checkpoints={"every_steps": 1000},
        hardware={"threads": 1, "device": "cpu", "micro_batch_tokens": 2000},
        reward={"epochs": 5, "prompts_per_step": 32},
    )  # fmt: skip
    folder = make_run(
        tmp_path / "run", config, models={"init": make_language_model(tmp_path, seed=seed)},
        data={"train": ("ranking", rows)},
    )  # fmt: skip
    assert run_here(folder, reward) == ExitCode.DONE
    model = ScalarModel.load(folder.model, device=torch.device("cpu"))
    held_out, truth = draw(100, seed=1000 + seed)
    tokens = make_tokens()
    exchanges = [
        Exchange(tokens.prompt_ids(row.messages), [tokens.response_ids(answer.text) for answer in row.responses])
        for row in held_out
    ]
    return spearman(torch.tensor(score(model, exchanges, batching=Batching(tokens=2000, shared=True))), truth)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_scores_of_held_out_responses_follow_the_true_ones(tmp_path: Path, seed: int) -> None:
    assert correlation(tmp_path, seed=seed) >= 0.95
