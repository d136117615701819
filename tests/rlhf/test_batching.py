"""Exchanges cut into micro-batches that fit."""

import pytest

from training.rlhf.batching import Batching, responses_of
from training.rlhf.layouts import Exchange

EXCHANGES = [Exchange([1] * prompt, [[2] * length for length in responses]) for prompt, responses in [
    (3, [1, 2]), (9, [4, 4]), (2, [2, 2]), (5, [1, 1]), (30, [10, 10]),
]]  # fmt: skip


@pytest.mark.rule(22)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("tokens", [1, 20, 24, 40, 1000])
def test_every_exchange_is_in_one_batch_and_no_batch_is_too_large_unless_it_holds_one(
    shared: bool, tokens: int
) -> None:
    batching = Batching(tokens=tokens, shared=shared)
    batches = list(batching.layouts(EXCHANGES))
    assert sorted(number for batch, _ in batches for number in batch) == [0, 1, 2, 3, 4]
    for batch, layout in batches:
        assert layout.tokens <= tokens or len(batch) == 1
        assert len(layout.lengths) == 2 * len(batch)


def test_short_exchanges_share_a_row_beside_a_long_one() -> None:
    ((batch, layout),) = Batching(tokens=1000, shared=True).layouts(EXCHANGES)
    assert layout.ids.shape == (2, 50)  # 50; 17 + 7 + 6 + 6
    assert [int(length) for length in layout.lengths] == [
        len(response) for number in batch for response in EXCHANGES[number].responses
    ]


def test_a_larger_budget_makes_fewer_batches() -> None:
    counts = [len(list(Batching(tokens=tokens, shared=True).cut(EXCHANGES))) for tokens in (1, 20, 1000)]
    assert counts == [5, 4, 1]


def test_only_those_among_are_laid_out() -> None:
    batches = list(Batching(tokens=1000, shared=True).cut(EXCHANGES, among=[4, 1]))
    assert batches == [[1, 4]]


def test_responses_are_counted_through() -> None:
    assert responses_of([2, 0], responses_per_prompt=3).tolist() == [6, 7, 8, 0, 1, 2]
