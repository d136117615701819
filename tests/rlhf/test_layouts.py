"""One exchange laid out in any way gives the same numbers and the same gradients."""

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from transformers import MistralConfig, MistralForCausalLM

from tests.rlhf.tiny_models import SHAPES, VOCABULARY, tiny_llama
from training.rlhf import layouts
from training.rlhf.layouts import (
    Exchange,
    Layout,
    obeys_masks,
    pack,
    packed,
    padded,
    read,
    response_logits,
    shared_prefix,
)
from training.rlhf.losses import token_logprobs

TOLERANCE = 1e-5


def exchanges(*, seed: int = 3, responses: int = 3) -> list[Exchange]:
    chance = random.Random(seed)

    def ids(low: int, high: int) -> list[int]:
        return [chance.randrange(1, VOCABULARY) for _ in range(chance.randint(low, high))]

    return [Exchange(ids(4, 11), [ids(1, 7) for _ in range(responses)]) for _ in range(4)]


def logprobs(model: nn.Module, layout: Layout) -> Tensor:
    return token_logprobs(response_logits(model, layout), layout.targets)


def gradients(model: nn.Module, layout: Layout) -> list[Tensor]:
    """Of a loss that weighs every response token differently, so that no two may be exchanged."""
    model.zero_grad()
    values = logprobs(model, layout)
    (values * torch.linspace(1, 2, len(values))).sum().backward()
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def assert_same_gradients(one: list[Tensor], other: list[Tensor]) -> None:
    largest = max(float(gradient.abs().max()) for gradient in one)
    for first, second in zip(one, other, strict=True):
        assert (first - second).abs().max() <= TOLERANCE * largest


def test_the_reads_of_a_shared_prefix_are_these() -> None:
    layout = shared_prefix([Exchange([5, 6], [[7, 8], [9]]), Exchange([4], [[3]])], pad_token_id=0)
    assert layout.ids.tolist() == [[5, 6, 7, 8, 9], [4, 3, 0, 0, 0]]
    assert layout.positions.tolist() == [[0, 1, 2, 3, 2], [0, 1, 0, 1, 2]]
    assert layout.before.tolist() == [1, 2, 1, 5]
    assert layout.at.tolist() == [2, 3, 4, 6]
    assert layout.targets.tolist() == [7, 8, 9, 3]
    assert layout.last.tolist() == [3, 4, 6]
    assert layout.response.tolist() == [0, 0, 1, 2]
    assert layout.lengths.tolist() == [2, 1, 1]


def test_a_response_sees_its_prompt_and_itself_and_nothing_else() -> None:
    layout = packed([[Exchange([5, 6], [[7, 8], [9]]), Exchange([4], [[3]])]])
    assert layout.mask is not None
    seen = layout.mask[0, 0].int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 1],
    ]


@pytest.mark.rule(12)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_logprob_of_a_token_is_read_one_position_before_it(shape: str) -> None:
    model, batch = SHAPES[shape](), exchanges()
    expected = []
    for exchange in batch:
        for response in exchange.responses:
            ids = torch.tensor([[*exchange.prompt, *response]])
            everything = model(input_ids=ids).logits[0].log_softmax(-1)
            first = len(exchange.prompt)
            expected += [everything[t - 1, ids[0, t]] for t in range(first, ids.shape[1])]
    for lay_out in (padded, shared_prefix):
        assert torch.allclose(logprobs(model, lay_out(batch)), torch.stack(expected), atol=TOLERANCE)


def test_the_head_runs_once_on_each_position_that_predicts_a_response_token() -> None:
    model, seen = tiny_llama(), []
    model.lm_head.register_forward_pre_hook(lambda head, inputs: seen.append(inputs[0].shape))
    response_logits(model, shared_prefix([Exchange([5, 6, 7, 8], [[7, 8], [9]])]))
    assert seen == [(2, 32)]


@pytest.mark.rule(23)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_shared_prefix_gives_the_same_numbers_and_gradients_as_one_by_one(shape: str) -> None:
    model, batch = SHAPES[shape](), exchanges()
    one_by_one, shared = padded(batch), shared_prefix(batch)
    assert (logprobs(model, one_by_one) - logprobs(model, shared)).abs().max() <= TOLERANCE
    assert_same_gradients(gradients(model, one_by_one), gradients(model, shared))


@pytest.mark.rule(23)
@pytest.mark.parametrize("shape", SHAPES)
def test_restarted_positions_without_a_mask_would_be_wrong(shape: str) -> None:
    """The trap that the explicit mask is there for: transformers reads a restart as a new sequence."""
    model, batch = SHAPES[shape](), exchanges()
    shared = shared_prefix(batch)
    hidden = model.base_model(input_ids=shared.ids, position_ids=shared.positions)[0]
    right = model.base_model(**shared.inputs())[0]
    assert (read(hidden, shared.last) - read(right, shared.last)).abs().max() > 0.1


@pytest.mark.rule(2)
@pytest.mark.parametrize("shape", SHAPES)
def test_packed_rows_give_the_same_numbers_and_gradients_as_padded_ones(shape: str) -> None:
    model, batch = SHAPES[shape](), exchanges(responses=1)
    assert_same_gradients(gradients(model, padded(batch)), gradients(model, packed([batch[:3], batch[3:]])))


@pytest.mark.rule(1)
@pytest.mark.rule(2)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lay_out", [padded, shared_prefix])
def test_more_padding_and_another_pad_id_change_nothing(shape: str, lay_out: Callable[..., Layout]) -> None:
    model = SHAPES[shape]()
    short, long = Exchange([4, 5, 6], [[7, 8], [9]]), Exchange([3] * 20, [[4] * 20, [5]])
    alone = logprobs(model, lay_out([short]))
    for pad_token_id in (0, 9):
        beside = logprobs(model, lay_out([short, long], pad_token_id=pad_token_id))
        assert (alone - beside[: len(alone)]).abs().max() <= TOLERANCE


def test_no_gradient_is_lost_to_rows_that_are_all_padding() -> None:
    model = tiny_llama()
    layout = shared_prefix([Exchange([4], [[5], [6]]), Exchange([3] * 9, [[4] * 9, [5]])])
    assert all(gradient.isfinite().all() for gradient in gradients(model, layout))


def test_values_go_into_rows_and_back() -> None:
    mask = layouts.response_mask(torch.tensor([2, 1, 3]))
    rows = layouts.to_rows(torch.arange(1.0, 7.0), mask=mask)
    assert rows.tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]
    assert rows[mask].tolist() == [1, 2, 3, 4, 5, 6]


def test_it_refuses_an_empty_prompt_and_an_empty_response() -> None:
    with pytest.raises(ValueError, match="a prompt has no tokens"):
        Exchange([], [[1]])
    with pytest.raises(ValueError, match="a response has no tokens"):
        Exchange([1], [[1], []])


def test_packing_fills_rows_and_loses_nothing() -> None:
    sizes = [5, 9, 3, 3, 10, 1, 12]
    rows = pack(sizes, row_tokens=10)
    assert rows == [[6], [4], [1, 5], [0, 2], [3]]
    assert rows == pack(sizes, row_tokens=10)


@pytest.mark.rule(23)
def test_a_model_with_a_short_window_is_told_from_one_that_obeys_masks() -> None:
    config = MistralConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=16,
    )  # fmt: skip
    windowed = MistralForCausalLM(config).base_model
    assert not obeys_masks(windowed, vocabulary=VOCABULARY, context_tokens=64)
    assert obeys_masks(windowed, vocabulary=VOCABULARY, context_tokens=16)
    assert all(obeys_masks(make().base_model, vocabulary=VOCABULARY, context_tokens=64) for make in SHAPES.values())


def test_a_model_that_ignores_masks_is_found_by_trial() -> None:
    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny_llama().base_model
            self.config = self.inner.config

        def forward(self, **inputs: object) -> object:
            return self.inner(**{**inputs, "attention_mask": None})

    assert not obeys_masks(Deaf(), vocabulary=VOCABULARY, context_tokens=64)
