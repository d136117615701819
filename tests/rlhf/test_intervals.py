"""Intervals over whole prompts."""

import pytest
import torch

from training.rlhf.intervals import interval

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
