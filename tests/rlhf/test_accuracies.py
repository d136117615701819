"""Where a reward model is right, counted by hand, and whether it means the probabilities it gives."""

import math
from typing import Any

import pytest

from training.rlhf import held_out
from training.rlhf.accuracies import accuracy, among_people, by_cohort, by_labeler, by_length
from training.rlhf.batching import Batching
from training.rlhf.calibration import calibration
from training.rlhf.layouts import Exchange
from training.rlhf.rankings import Item, Judge


def item(
    name: str, *ranks: tuple[int | None, ...], labelers: str = "abcdefgh", cohort: str | None = None, tokens: int = 5
) -> Item:
    """One labeler an order; response number k has `tokens` times k + 1 tokens."""
    responses = [[3] * tokens * (place + 1) for place in range(len(ranks[0]))]
    judges = [Judge(labelers[number], cohort) for number in range(len(ranks))]
    return Item(name, None, Exchange([1, 2], responses), [(order, 1.0) for order in ranks], judges)


def test_equal_scores_are_half_right_and_ties_do_not_count() -> None:
    found = accuracy([item("p", (1, 2, 2)), item("q", (2, 1, None))], [[1.0, 0.0, 1.0], [0.0, 5.0, 9.0]])
    assert found["mean"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["prompts"] == 2


def test_a_bucket_holds_pairs_by_their_longer_response() -> None:
    # 8, 16 and 24 tokens: one pair within 16, two pairs from 17 to 32.
    told = by_length([item("p", (1, 2, 3), tokens=8)], [[0.0, -1.0, 1.0]])
    assert [(one["tokens"], one["comparisons"], one["accuracy"]["mean"]) for one in told] == [
        ([1, 16], 1, 1.0), ([17, 32], 2, 0.0),
    ]  # fmt: skip


def test_each_labeler_is_told_apart() -> None:
    told = by_labeler([item("p", (1, 2), (2, 1)), item("q", (1, 2))], [[1.0, 0.0], [1.0, 0.0]])
    assert {name: (one["comparisons"], one["accuracy"]["mean"]) for name, one in told.items()} == {
        "a": (2, 1.0), "b": (1, 0.0),
    }  # fmt: skip


def test_a_cohort_stands_beside_the_agreement_of_its_people_and_below_five_is_not_told() -> None:
    orders = [(1, 2), (1, 2), (1, 2), (1, 2), (2, 1)]
    many, few = item("p", *orders, cohort="large"), item("q", *orders[:4], cohort="small")
    told = by_cohort([many, few], [[1.0, 0.0], [1.0, 0.0]])
    assert list(told) == ["large"]
    assert told["large"]["labelers"] == 5
    assert told["large"]["accuracy"]["mean"] == pytest.approx(4 / 5)
    assert told["large"]["people"]["mean"] == pytest.approx(6 / 10)  # 6 of 10 pairs of people


def test_people_are_compared_where_both_told_two_responses_apart() -> None:
    # a and b: alike on (0, 1), (0, 2); a tied (1, 2). c says the reverse of both on what they told apart.
    found = among_people([item("p", (1, 2, 2), (1, 2, 3), (3, 2, 1))])
    assert found["mean"] == pytest.approx(2 / (2 + 2 + 3))


def test_nobody_agrees_with_himself() -> None:
    assert among_people([item("p", (1, 2), (1, 2), labelers="aa")])["mean"] is None


def test_expected_is_set_beside_observed() -> None:
    sure, unsure = math.log(9), math.log(1.5)  # 90 % and 60 %
    items = [item(f"p{i}", (1, 2)) for i in range(20)]
    scores = [[sure, 0.0]] * 5 + [[0.0, sure]] * 5 + [[unsure, 0.0]] * 6 + [[0.0, unsure]] * 4
    told = calibration(items, scores)
    assert [(one["comparisons"], one["observed"]["mean"]) for one in told["bins"]] == [(10, 0.6), (10, 0.5)]
    assert [one["expected"] for one in told["bins"]] == pytest.approx([0.6, 0.9])
    assert told["expected_error"] == pytest.approx((10 * 0.0 + 10 * 0.4) / 20)


def test_scores_that_overflow_are_certain_and_no_comparisons_have_no_error() -> None:
    assert calibration([item("p", (1, 2))], [[2000.0, -2000.0]])["expected_error"] == 0
    assert calibration([], []) == {"bins": [], "expected_error": None}


@pytest.mark.rule(30)
def test_a_prompt_judged_under_two_conditions_is_one_prompt_of_the_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"p{number}" for number in range(6)]
    items = [item(name, (1, 2)) for name in names for _ in range(2)]
    said = [[float(number % 2), 0.5] for number in range(6) for _ in range(2)]
    monkeypatch.setattr(held_out, "score", lambda *_, **__: said)
    model: Any = None
    numbers, told = held_out.measure([model], items, batching=Batching(tokens=100, shared=False))
    assert numbers["accuracy"] == 0.5
    for figure in ("loss", "accuracy", "longer_is_better", "accuracy_over_longer"):
        assert told[figure]["prompts"] == 6, figure
    once = accuracy(items[::2], said[::2])
    assert (told["accuracy"]["low"], told["accuracy"]["high"]) == (once["low"], once["high"])
