"""A figure has a value or a reason."""

import math

import pytest

from labeling.agreement import Figure, Interval, undefined


def test_it_refuses_a_number_that_is_none() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="is not a number"):
            Figure(value=value)


def test_it_refuses_neither_and_both() -> None:
    with pytest.raises(ValueError, match="a value or a reason"):
        Figure()
    with pytest.raises(ValueError, match="a value or a reason"):
        Figure(value=0.5, reason="because")


def test_an_undefined_figure_raises_its_reason_where_a_number_is_wanted() -> None:
    with pytest.raises(ValueError, match="nobody judged"):
        undefined("nobody judged").known()


def test_an_undefined_figure_takes_no_interval() -> None:
    figure = undefined("nobody judged")
    assert figure.with_interval(Interval(low=0.0, high=1.0, clusters="prompts")) == figure


def test_it_refuses_an_interval_that_runs_backwards() -> None:
    with pytest.raises(ValueError, match="is none"):
        Interval(low=0.6, high=0.4, clusters="prompts")
