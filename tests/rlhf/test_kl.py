"""The price of leaving the reference, by hand."""

import math

import pytest
import torch

from training.rlhf.contract.stages import Ppo
from training.rlhf.contract.strict import Refused
from training.rlhf.kl import KlCoefficient, approximate_kl, is_impossibly_negative, sequence_kl, token_rewards

MASK = torch.tensor([[True, True, True], [True, False, False]])


@pytest.mark.rule(11)
def test_the_score_lands_on_the_last_action_and_nowhere_else() -> None:
    zeros = torch.zeros(2, 3)
    rewards = token_rewards(
        scores=torch.tensor([0.5, -2.0]), logprobs=zeros, ref_logprobs=zeros, mask=MASK, kl_coef=0.1
    )
    assert rewards.tolist() == [[0.0, 0.0, 0.5], [-2.0, 0.0, 0.0]]


@pytest.mark.rule(13)
def test_the_penalty_is_the_signed_difference_of_logprobs() -> None:
    logprobs = torch.tensor([[-1.0, -2.0, -3.0], [-0.5, 7.0, 7.0]])
    ref_logprobs = torch.tensor([[-1.5, -1.0, -9.0], [-0.5, 0.0, 0.0]])
    rewards = token_rewards(scores=torch.zeros(2), logprobs=logprobs, ref_logprobs=ref_logprobs, mask=MASK, kl_coef=0.1)
    assert rewards.flatten().tolist() == pytest.approx([-0.05, 0.1, -0.6, 0, 0, 0], abs=1e-6)


@pytest.mark.rule(14)
def test_the_kl_of_a_response_is_the_signed_sum_over_its_tokens() -> None:
    logprobs = torch.tensor([[-1.0, -2.0, -3.0], [-0.5, 7.0, 7.0]])
    ref_logprobs = torch.tensor([[-1.5, -1.0, -2.0], [-0.1, 0.0, 0.0]])
    assert sequence_kl(logprobs=logprobs, ref_logprobs=ref_logprobs, mask=MASK).tolist() == pytest.approx([-1.5, -0.4])


@pytest.mark.rule(13)
def test_the_mean_of_the_penalty_is_the_kl_by_enumeration() -> None:
    policy, reference = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.2, 0.5, 0.3])
    kl = float((policy * (policy / reference).log()).sum())
    rewards = token_rewards(
        scores=torch.zeros(3), logprobs=policy.log()[:, None], ref_logprobs=reference.log()[:, None],
        mask=torch.ones(3, 1, dtype=torch.bool), kl_coef=1.0,
    )  # fmt: skip
    assert float((policy * rewards[:, 0]).sum()) == pytest.approx(-kl, abs=1e-6)


def test_the_watched_estimate_is_never_negative_and_0_where_nothing_moved() -> None:
    assert approximate_kl(torch.tensor([0.0, 1.0, -1.0])).tolist() == pytest.approx([0, math.e - 2, 1 / math.e])


@pytest.mark.rule(14)
def test_five_iterations_far_below_zero_are_a_bug_and_four_are_not() -> None:
    assert is_impossibly_negative([(-0.4, 0.1)] * 5)
    assert not is_impossibly_negative([(-0.4, 0.1)] * 4)
    assert not is_impossibly_negative([(-0.4, 0.1)] * 4 + [(-0.2, 0.1)])


def test_a_fixed_coefficient_stays_and_an_adaptive_one_follows_the_target() -> None:
    fixed = KlCoefficient(0.02)
    fixed.observe(kl=100.0, episodes=512)
    assert fixed.value == 0.02
    adaptive = KlCoefficient(0.1, target_nats=5.0, horizon_episodes=1000)
    adaptive.observe(kl=5.5, episodes=500)
    assert adaptive.value == pytest.approx(0.1 * 1.05)
    adaptive.observe(kl=50.0, episodes=500)
    assert adaptive.value == pytest.approx(0.1 * 1.05 * 1.1)


def test_a_horizon_shorter_than_an_iteration_is_refused_since_the_price_could_become_negative() -> None:
    kl = {"mode": "adaptive", "target_nats": 1.0, "horizon_episodes": 511}
    with pytest.raises(Refused, match=r"kl.horizon_episodes is 511; expected at least episodes_per_iteration \(512\)"):
        Ppo.from_json({"episodes": 512, "kl": kl})
    Ppo.from_json({"episodes": 512, "kl": kl | {"horizon_episodes": 512}})
    Ppo.from_json({"episodes": 512, "kl": kl | {"mode": "fixed"}})
