"""What an iteration learns from, against a plain second computation: one response a pass, no layout, no batch."""

import copy

import pytest
import torch
from torch import Tensor, nn

from tests.rlhf.test_improving import SETTINGS, exchanges, learners, make_cast
from training.rlhf.batching import Batching
from training.rlhf.contract.stages import Kl, MissingStop, Ppo
from training.rlhf.improving import improve
from training.rlhf.rollouts import Cast, Rollouts, read_rollouts

KL_COEF = 0.3
BY_HAND = Ppo(
    episodes=16, episodes_per_iteration=16, minibatch_episodes=8, responses_per_prompt=2, temperature=0.7,
    kl=Kl(coef=KL_COEF), missing_stop=MissingStop(value=0.5), gae_lambda=1.0, whiten_advantages="none",
)  # fmt: skip
ENDED = [True, False] * 8


def rollouts_and_cast() -> tuple[Rollouts, Cast]:
    cast = make_cast()
    with torch.no_grad():
        cast.value.head.bias.fill_(0.75)  # no longer the reward model
    return read_rollouts(
        exchanges(),
        ended=ENDED,
        cast=cast,
        batching=Batching(tokens=60, shared=True),
        settings=BY_HAND,
        kl_coef=KL_COEF,
    ), cast


def alone(model: nn.Module, prompt: list[int], response: list[int]) -> Tensor:
    """(T,) logprobs of a response at the temperature."""
    ids = torch.tensor([[*prompt, *response]])
    said = (model(input_ids=ids).logits[0] / BY_HAND.temperature).log_softmax(-1)
    return torch.stack([said[len(prompt) - 1 + place, token] for place, token in enumerate(response)])


@pytest.mark.rule(7)
@pytest.mark.rule(10)
@pytest.mark.rule(16)
@torch.no_grad()
def test_without_a_discount_the_return_is_the_score_less_what_is_still_to_be_paid() -> None:
    """Charged for a missing stop, penalised at the one temperature, and shifted by nothing."""
    rollouts, cast = rollouts_and_cast()
    (reward,) = cast.reward.each
    row = 0
    for exchange in rollouts.exchanges:
        for response in exchange.responses:
            ids = torch.tensor([[*exchange.prompt, *response]])
            score = reward.head(reward.trunk(input_ids=ids)[0])[0, -1, 0] - (0.0 if ENDED[row] else 0.5)
            said = [alone(model, list(exchange.prompt), list(response)) for model in (cast.policy, cast.reference)]
            to_come = (said[0] - said[1]).flip(0).cumsum(0).flip(0)
            expected = score - KL_COEF * to_come
            assert torch.allclose(rollouts.returns[row, : len(response)], expected, atol=1e-4)
            row += 1
    assert row == 16


@pytest.mark.rule(18)
@torch.no_grad()
def test_the_value_of_an_action_is_read_one_position_before_it() -> None:
    rollouts, cast = rollouts_and_cast()
    row = 0
    for exchange in rollouts.exchanges:
        for response in exchange.responses:
            ids = torch.tensor([[*exchange.prompt, *response]])
            everything = cast.value.head(cast.value.trunk(input_ids=ids)[0])[0, :, 0]
            before = everything[len(exchange.prompt) - 1 : -1]
            assert torch.allclose(rollouts.values[row, : len(response)], before, atol=1e-5)
            row += 1


@pytest.mark.rule(8)
def test_the_update_is_made_without_dropout() -> None:
    cast = make_cast("gpt2")
    for model in (cast.policy, cast.value):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.5
    rollouts = read_rollouts(
        exchanges(), ended=ENDED, cast=cast, batching=Batching(tokens=60, shared=True), settings=SETTINGS, kl_coef=0.1
    )
    policy, value = learners(copy.copy(cast))
    told = improve(
        rollouts, policy=policy, value=value, batching=Batching(tokens=60, shared=True), settings=SETTINGS,
        clip_norm=1.0, order=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert told["ratio_first_error"] <= 1e-4
