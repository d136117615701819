"""Losses by hand, and what must not change them."""

import math

import pytest
import torch

from training.rlhf.logprobs import PIECE_NUMBERS
from training.rlhf.losses import (
    collect_pairs,
    policy_loss,
    ranking_loss,
    token_logprobs,
    token_logprobs_and_entropy,
    untied_pairs,
    value_loss,
)


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


@pytest.mark.rule(22)
def test_four_responses_give_the_mean_of_their_six_pair_losses() -> None:
    scores = [0.3, -1.2, 2.0, 0.7]  # ranks 1, 2, 3, 4: the third is the worst and has the highest score
    loss = ranking_loss(torch.tensor(scores), collect_pairs([[([1, 2, 3, 4], 1.0)]]))
    by_hand = [-log_sigmoid(scores[i] - scores[j]) for i in range(4) for j in range(i + 1, 4)]
    assert len(by_hand) == 6
    assert loss.tolist() == pytest.approx([sum(by_hand) / 6], abs=1e-6)


@pytest.mark.rule(22)
def test_ties_and_unranked_responses_give_no_pair() -> None:
    assert untied_pairs([1, 2, 2, None]) == [(0, 1), (0, 2)]
    assert untied_pairs([2, 2, 2]) == []


@pytest.mark.rule(22)
def test_a_prompt_weighs_the_same_whatever_its_k_and_its_labelers() -> None:
    pairs = collect_pairs([[([1, 2, 3], 1.0), ([1, 2, 2], 1.0)], [([2, 1], 1.0)]])
    assert pairs.prompt == [0] * 5 + [1]
    assert ranking_loss(torch.zeros(5), pairs).tolist() == pytest.approx([math.log(2)] * 2)
    scores = torch.tensor([1.0, 0.0, -1.0, 0.0, 3.0])
    differences = [1, 2, 1] + [1, 2]  # (0, 1) (0, 2) (1, 2) of the first labeler, (0, 1) (0, 2) of the second
    by_hand = -sum(log_sigmoid(difference) for difference in differences) / 5
    assert ranking_loss(scores, pairs).tolist() == pytest.approx([by_hand, -log_sigmoid(3.0)], abs=1e-6)


@pytest.mark.rule(22)
def test_a_constant_added_to_the_scores_of_a_prompt_changes_nothing() -> None:
    pairs = collect_pairs([[([1, 2, 2, 3], 1.0)], [([2, 1], 1.0)]])
    scores = torch.randn(6, generator=torch.Generator().manual_seed(1))
    moved = scores + torch.tensor([5.0, 5.0, 5.0, 5.0, -2.0, -2.0])
    assert torch.allclose(ranking_loss(scores, pairs), ranking_loss(moved, pairs), atol=1e-5)


@pytest.mark.rule(22)
def test_a_prompt_all_tied_is_refused_rather_than_counted() -> None:
    with pytest.raises(ValueError, match="prompt 1 is all tied"):
        collect_pairs([[([1, 2], 1.0)], [([1, 1], 1.0)]])


def test_orders_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one number"):
        collect_pairs([[([1, 2], 1.0), ([1, 2, 3], 1.0)]])


def test_a_labeler_of_double_weight_counts_as_two() -> None:
    scores = torch.tensor([0.4, -0.1])
    heavy = collect_pairs([[([1, 2], 2.0), ([2, 1], 1.0)]])
    twice = collect_pairs([[([1, 2], 1.0), ([1, 2], 1.0), ([2, 1], 1.0)]])
    assert torch.allclose(ranking_loss(scores, heavy), ranking_loss(scores, twice))


@pytest.mark.rule(21)
def test_close_scores_are_told_apart_when_they_come_in_bfloat16() -> None:
    scores = torch.tensor([8.0, 7.9375], dtype=torch.bfloat16)
    loss = ranking_loss(scores, collect_pairs([[([1, 2], 1.0)]]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(-log_sigmoid(0.0625), abs=1e-6)


@pytest.mark.rule(21)
def test_logprobs_of_bfloat16_logits_are_taken_in_float32() -> None:
    logits = torch.randn(5, 11, generator=torch.Generator().manual_seed(2)).bfloat16()
    targets = torch.tensor([0, 3, 10, 4, 4])
    plain = logits.double().log_softmax(-1).gather(1, targets[:, None])[:, 0]
    logprobs = token_logprobs(logits, targets)
    assert logprobs.dtype == torch.float32
    assert torch.allclose(logprobs.double(), plain, atol=1e-5)


@pytest.mark.rule(7)
def test_the_temperature_divides_the_logits() -> None:
    logits = torch.tensor([[2.0, 0.0]])
    expected = -math.log(1 + math.exp(-4))
    assert token_logprobs(logits, torch.tensor([0]), temperature=0.5).item() == pytest.approx(expected, abs=1e-6)


def test_entropy_of_a_uniform_choice_is_the_log_of_its_size() -> None:
    logprobs, entropy = token_logprobs_and_entropy(torch.zeros(2, 8), torch.tensor([1, 2]))
    assert entropy.tolist() == pytest.approx([math.log(8)] * 2)
    assert logprobs.tolist() == pytest.approx([-math.log(8)] * 2)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.1, 2.0, -2.2, True),
        (1.5, 2.0, -2.4, False),  # clipped: no more to gain
        (1.5, -2.0, 3.0, True),  # wrong direction: pulled back
        (0.5, -2.0, 1.6, False),
        (0.5, 2.0, -1.0, True),
    ],
)
def test_the_surrogate_is_clipped_where_the_ratio_left_in_the_wanted_direction(
    ratio: float, advantage: float, loss: float, slope: bool
) -> None:
    logprobs = torch.tensor([math.log(ratio)], requires_grad=True)
    value = policy_loss(
        logprobs=logprobs, old_logprobs=torch.zeros(1), advantages=torch.tensor([advantage]), clip_range=0.2
    )
    value.sum().backward()
    assert value.item() == pytest.approx(loss, abs=1e-6)
    assert logprobs.grad is not None
    assert bool(logprobs.grad.abs() > 0) == slope


def test_the_value_loss_is_half_the_square_and_its_clip_takes_the_larger_error() -> None:
    values, returns = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 3.5])
    assert value_loss(values=values, returns=returns).tolist() == pytest.approx([0.5, 0.125])
    clipped = value_loss(values=values, returns=returns, old_values=torch.tensor([1.0, 2.0]), clip_range=0.2)
    assert clipped.tolist() == pytest.approx([0.5, (3.5 - 2.2) ** 2 / 2])


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match="differ"):
        policy_loss(logprobs=torch.zeros(3), old_logprobs=torch.zeros(3, 1), advantages=torch.zeros(3), clip_range=0.2)


@pytest.mark.rule(21)
@pytest.mark.parametrize("numbers", [16, 2**18])
def test_the_gradient_that_is_written_over_the_logits_is_that_of_a_plain_softmax(
    monkeypatch: pytest.MonkeyPatch, numbers: int
) -> None:
    """Row by row and all rows at once, at a temperature, and beside an entropy that has none."""
    monkeypatch.setitem(PIECE_NUMBERS, "cpu", numbers)
    draw = torch.Generator().manual_seed(4)
    hidden, head = (torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((5, 3), (3, 9)))
    targets, weights = torch.tensor([0, 8, 3, 3, 5]), torch.randn(5, generator=draw, dtype=torch.float64)
    found = []
    for plain in (True, False):
        inputs = [tensor.clone().requires_grad_() for tensor in (hidden, head)]
        logits = inputs[0] @ inputs[1]
        if plain:
            said = (logits / 0.7).log_softmax(-1)
            logprobs, entropy = said.gather(1, targets[:, None])[:, 0], -(said.exp() * said).sum(-1)
        else:
            logprobs, entropy = token_logprobs_and_entropy(logits, targets, temperature=0.7)
            assert not entropy.requires_grad
        (weights * logprobs).sum().backward()
        found.append([logprobs.detach(), entropy.detach(), *(tensor.grad for tensor in inputs)])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-12)  # type: ignore[arg-type]
