"""Advantages by hand, and against a slow double sum."""

import pytest
import torch
from torch import Tensor

from training.rlhf.advantages import explained_variance, generalised_advantages, whiten
from training.rlhf.layouts import response_mask


def slow_advantages(rewards: Tensor, values: Tensor, lengths: list[int], gamma: float, gae_lambda: float) -> Tensor:
    """The definition, summed term by term for every action: O(T squared)."""
    advantages = torch.zeros_like(rewards)
    for row, length in enumerate(lengths):
        for t in range(length):
            for k in range(t, length):
                value_after = values[row, k + 1] if k + 1 < length else 0.0
                delta = rewards[row, k] + gamma * value_after - values[row, k]
                advantages[row, t] += (gamma * gae_lambda) ** (k - t) * delta
    return advantages


@pytest.mark.rule(11)
def test_a_one_step_episode_is_its_score_less_its_value() -> None:
    mask = torch.tensor([[True, False]])
    advantages, returns = generalised_advantages(
        rewards=torch.tensor([[0.7, 0.0]]), values=torch.tensor([[0.2, 9.0]]), mask=mask, gamma=1.0, gae_lambda=0.95
    )
    assert advantages.tolist() == [pytest.approx([0.5, 0.0])]
    assert returns.tolist() == [pytest.approx([0.7, 0.0])]


@pytest.mark.rule(17)
@pytest.mark.parametrize(("gamma", "gae_lambda"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0)])
def test_it_equals_the_double_sum_on_ragged_lengths(gamma: float, gae_lambda: float) -> None:
    lengths = [5, 1, 7, 3]
    chance = torch.Generator().manual_seed(4)
    rewards, values = (torch.randn(4, 7, generator=chance) for _ in range(2))
    mask = response_mask(torch.tensor(lengths))
    rewards = torch.where(mask, rewards, 0.0)  # values behind the end are left as they are: noise that must not matter
    advantages, returns = generalised_advantages(
        rewards=rewards, values=values, mask=mask, gamma=gamma, gae_lambda=gae_lambda
    )
    expected = slow_advantages(rewards, values, lengths, gamma, gae_lambda)
    assert torch.allclose(advantages, expected, atol=1e-5)
    assert torch.allclose(returns, torch.where(mask, expected + values, 0.0), atol=1e-5)


@pytest.mark.rule(17)
@pytest.mark.rule(18)
def test_without_discount_it_is_the_return_less_the_value() -> None:
    rewards = torch.tensor([[-0.1, 0.2, 1.0]])
    values = torch.tensor([[0.3, 0.1, 0.4]])
    advantages, returns = generalised_advantages(
        rewards=rewards, values=values, mask=torch.ones(1, 3, dtype=torch.bool), gamma=1.0, gae_lambda=1.0
    )
    assert returns.tolist() == [pytest.approx([1.1, 1.2, 1.0])]  # nothing comes behind the last action: its value is 0
    assert advantages.tolist() == [pytest.approx([0.8, 1.1, 0.6])]


@pytest.mark.rule(16)
def test_whitening_counts_only_the_actions_that_exist() -> None:
    mask = torch.tensor([[True, True], [True, False]])
    whitened = whiten(torch.tensor([[1.0, 2.0], [3.0, 100.0]]), mask=mask)
    root = 1.5**0.5
    assert whitened.flatten().tolist() == pytest.approx([-root, 0.0, root, 0.0], abs=1e-5)


def test_explained_variance_is_1_for_the_truth_and_0_for_the_mean() -> None:
    mask = torch.tensor([[True, True, True, False]])
    returns = torch.tensor([[1.0, 2.0, 3.0, 50.0]])
    assert explained_variance(values=returns.clone(), returns=returns, mask=mask) == pytest.approx(1.0)
    assert explained_variance(values=torch.full((1, 4), 2.0), returns=returns, mask=mask) == pytest.approx(0.0)
