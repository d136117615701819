"""PPO against the truth: on a language of 121 responses it reaches the optimum that is known in closed form."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.rlhf.bandit import (
    KL_COEF,
    NOT_ENDED_SCORE,
    TabularPolicy,
    TabularValue,
    TrueScores,
    distance_to_optimum,
    draw_responses,
)
from training.rlhf import rollouts as rollouts_module
from training.rlhf.batching import Batching
from training.rlhf.contract.stages import Kl, MissingStop, Ppo
from training.rlhf.ensemble import Ensemble
from training.rlhf.improving import Learner, improve
from training.rlhf.kl import approximate_kl, token_rewards
from training.rlhf.rollouts import Cast, read_rollouts

pytestmark = pytest.mark.rule(26)

BOUND = 0.002
EPISODES = 512
LEARNING_RATE = 0.05
SEED = 4
"""Of a bandit on which every fault shows; where the scores weigh up to about 0, a shift of rewards costs nothing."""


def make_cast(seed: int) -> Cast:
    reference = TabularPolicy(spread=0.5, seed=seed)
    return Cast(
        policy=copy.deepcopy(reference), reference=reference, value=TabularValue(),
        reward=Ensemble([TrueScores(seed=seed + 100)]),
    )  # fmt: skip


def train(cast: Cast, *, iterations: int, seed: int) -> None:
    """PPO on the bandit, the rate going down to 0."""
    settings = Ppo(
        episodes=iterations * EPISODES, episodes_per_iteration=EPISODES, minibatch_episodes=EPISODES // 4,
        kl=Kl(coef=KL_COEF), gae_lambda=1.0, missing_stop=MissingStop(mode="replace", value=NOT_ENDED_SCORE),
    )  # fmt: skip
    policy, value = (
        Learner(model, torch.optim.Adam(model.parameters(), betas=(0.9, 0.95), eps=1e-5))
        for model in (cast.policy, cast.value)
    )
    batching = Batching(tokens=100_000, shared=False)
    chance = torch.Generator().manual_seed(seed)
    for iteration in range(iterations):
        for learner in (policy, value):
            learner.optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - iteration / iterations)
        exchanges, ended = draw_responses(cast.policy, EPISODES, generator=chance)
        rollouts = read_rollouts(
            exchanges, ended=ended, cast=cast, batching=batching, settings=settings, kl_coef=KL_COEF
        )
        improve(rollouts, policy=policy, value=value, batching=batching, settings=settings, clip_norm=1.0, order=chance)


def test_it_reaches_the_closed_form() -> None:
    cast = make_cast(SEED)
    assert distance_to_optimum(cast) >= 0.2
    train(cast, iterations=120, seed=SEED)
    assert distance_to_optimum(cast) <= BOUND


@pytest.mark.trial
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_reaches_the_closed_form_from_any_seed(seed: int) -> None:
    cast = make_cast(seed)
    assert distance_to_optimum(cast) >= 0.2
    train(cast, iterations=300, seed=seed)
    assert distance_to_optimum(cast) <= BOUND


Rewards = Callable[..., Tensor]


def one_position_early(*, mask: Tensor, scores: Tensor, **given: Any) -> Tensor:
    rewards = token_rewards(mask=mask, scores=torch.zeros_like(scores), **given)
    rewards[torch.arange(len(scores)), (mask.sum(1) - 2).clamp(min=0)] += scores
    return rewards


def past_the_stop(*, mask: Tensor, scores: Tensor, **given: Any) -> Tensor:
    rewards = token_rewards(mask=mask, scores=torch.zeros_like(scores), **given)
    rewards[torch.arange(len(scores)), mask.sum(1).clamp(max=mask.shape[1] - 1)] += scores
    return torch.where(mask, rewards, 0.0)


def low_variance_estimate(*, logprobs: Tensor, ref_logprobs: Tensor, kl_coef: float, **given: Any) -> Tensor:
    rewards = token_rewards(logprobs=logprobs, ref_logprobs=ref_logprobs, kl_coef=0.0, **given)
    return rewards - kl_coef * torch.where(given["mask"], approximate_kl(ref_logprobs - logprobs), 0.0)


def made_positive(*, logprobs: Tensor, ref_logprobs: Tensor, **given: Any) -> Tensor:
    away = (logprobs - ref_logprobs).abs()
    return token_rewards(logprobs=away, ref_logprobs=torch.zeros_like(away), **given)


def mean_over_the_response(*, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor, **given: Any) -> Tensor:
    away = (logprobs - ref_logprobs) / mask.sum(1, keepdim=True)
    return token_rewards(logprobs=away, ref_logprobs=torch.zeros_like(away), mask=mask, **given)


def clipped_score(*, scores: Tensor, **given: Any) -> Tensor:
    return token_rewards(scores=scores.clamp(-0.5, 0.5), **given)


def shifted_whitening(*, mask: Tensor, **given: Any) -> Tensor:
    rewards = token_rewards(mask=mask, **given)
    valid = rewards[mask]
    return torch.where(mask, (rewards - valid.mean()) / valid.std(), 0.0)


FAULTS: list[Rewards] = [
    one_position_early, past_the_stop, low_variance_estimate, made_positive, mean_over_the_response, clipped_score,
    shifted_whitening,
]  # fmt: skip


def distance_with(fault: Rewards, monkeypatch: pytest.MonkeyPatch, *, iterations: int) -> float:
    monkeypatch.setattr(rollouts_module, "token_rewards", fault)
    cast = make_cast(SEED)
    train(cast, iterations=iterations, seed=SEED)
    return distance_to_optimum(cast)


def test_a_score_one_position_early_misses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert distance_with(one_position_early, monkeypatch, iterations=60) > 10 * BOUND


@pytest.mark.trial
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_planted_fault_misses_it(fault: Rewards, monkeypatch: pytest.MonkeyPatch) -> None:
    distance = distance_with(fault, monkeypatch, iterations=150)
    print(f"{fault.__name__}: {distance:.4f}")
    assert distance > BOUND
