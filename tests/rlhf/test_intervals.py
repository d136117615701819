"""Intervals over whole prompts."""

from typing import Any

import pytest
import torch

from training.rlhf.intervals import interval, two_way_interval

pytestmark = pytest.mark.rule(30)


def test_the_mean_is_total_over_count() -> None:
    found = interval([1.0, 3.0], [2.0, 4.0])
    assert found["mean"] == pytest.approx(4 / 6)
    assert found["prompts"] == 2


def test_it_is_as_wide_as_the_normal_one_where_prompts_are_independent() -> None:
    values = torch.randn(400, generator=torch.Generator().manual_seed(1)).tolist()
    found = interval(values)
    low, high = found["low"] or 0.0, found["high"] or 0.0
    assert (high - low) / 2 == pytest.approx(1.96 / 20, rel=0.12)
    assert low < sum(values) / 400 < high


def test_ten_equal_judgments_of_a_prompt_make_it_no_narrower() -> None:
    values = torch.randn(50, generator=torch.Generator().manual_seed(2)).tolist()
    once, ten_times = interval(values), interval([10 * value for value in values], [10.0] * 50)
    assert ten_times["low"] == pytest.approx(once["low"])
    assert ten_times["high"] == pytest.approx(once["high"])


def test_nothing_measured_is_null_rather_than_a_number() -> None:
    assert interval([]) == {"mean": None, "low": None, "high": None, "prompts": 0}


def rows(*, prompts: int, labelers: int, of_prompts: float, of_labelers: float) -> list[tuple[str, str, float, float]]:
    """Every labeler on every prompt, which differ by so much."""
    chance = torch.Generator().manual_seed(3)
    own, theirs = (torch.randn(number, generator=chance).double() for number in (prompts, labelers))
    return [
        (f"p{p}", f"l{i}", float(of_prompts * own[p] + of_labelers * theirs[i]), 1.0)
        for p in range(prompts)
        for i in range(labelers)
    ]


def width(found: Any) -> float:
    return float(found["high"] - found["low"])


def test_where_labelers_differ_more_of_their_prompts_make_it_no_narrower() -> None:
    few, many = (two_way_interval(rows(prompts=n, labelers=40, of_prompts=0, of_labelers=1)) for n in (5, 60))
    assert width(many) == pytest.approx(width(few), rel=0.1)
    assert width(many) / 2 == pytest.approx(1.96 / 40**0.5, rel=0.25)
    assert (many["prompts"], many["labelers"]) == (60, 40)


def test_where_prompts_differ_it_is_the_one_over_prompts() -> None:
    found = rows(prompts=200, labelers=10, of_prompts=1, of_labelers=0)
    sums: dict[str, float] = {}
    for prompt, _, total, _ in found:
        sums[prompt] = sums.get(prompt, 0.0) + total
    one_way = interval(list(sums.values()), [10.0] * 200)
    assert width(two_way_interval(found)) == pytest.approx(width(one_way), rel=0.1)
    assert two_way_interval(found)["mean"] == pytest.approx(one_way["mean"])


def test_of_two_labelers_there_is_a_mean_and_no_interval() -> None:
    found = two_way_interval(rows(prompts=9, labelers=2, of_prompts=1, of_labelers=1))
    assert found["mean"] is not None
    assert (found["low"], found["high"], found["labelers"]) == (None, None, 2)
    assert two_way_interval([("p", "l", 0.0, 0.0)])["mean"] is None
