"""Position and length bias."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import chisquare

from labeling.agreement.position import JudgedLengths, longer_preferred, position_bias

from .simulated import alarm_rate, shown_rankings


def test_without_ties_it_is_pearsons_chi_square() -> None:
    rankings = shown_rankings(judgments=200, responses=3, habit=0.4, rng=np.random.default_rng(0))
    rankings = [[1 + sorted(ranks).index(rank) for rank in ranks] for ranks in rankings if len(set(ranks)) == 3]
    (found,) = position_bias(rankings)
    firsts = [sum(ranks[place] == 1 for ranks in rankings) for place in range(3)]
    assert found.method == "chi-square"
    assert found.rates == pytest.approx([count / len(rankings) for count in firsts])
    assert found.p_value.known() == pytest.approx(chisquare(firsts).pvalue)


def test_a_shared_first_place_is_shared_out() -> None:
    (found,) = position_bias([[1, 1, 2], [2, 1, 1]] * 10)
    assert found.rates == pytest.approx([0.25, 0.5, 0.25])
    assert sum(found.rates) == pytest.approx(1.0)


def test_an_absent_position_bias_raises_at_most_7_percent_false_alarms() -> None:
    """200 studies with ties, unequal labelers and one response that is usually best; the trial has 2,000."""
    assert alarm_rate(200, judgments=120, responses=4, habit=0.0) <= 0.07


def test_a_planted_position_bias_is_found() -> None:
    assert alarm_rate(200, judgments=300, responses=4, habit=0.8) >= 0.95


def test_a_few_judgments_are_tested_by_drawing_the_orders_again() -> None:
    """Six of six first places at the first of two: by chance both sides together 2 / 64."""
    (found,) = position_bias([[1, 2]] * 6)
    assert found.method == "redrawn orders"
    assert found.p_value.known() == pytest.approx(2 / 64, abs=0.006)


def test_each_number_of_responses_is_tested_apart() -> None:
    assert [one.responses for one in position_bias([[1, 2, 3], [1, 2], [2, 1]])] == [2, 3]


def test_what_says_nothing_about_position_is_left_out() -> None:
    assert position_bias([[1, 1], [1, None], []]) == []


def judged(prompt: int, labeler: int, ranks: Sequence[int | None], lengths: list[int]) -> JudgedLengths:
    return JudgedLengths(prompt=prompt, labeler=labeler, ranks=ranks, lengths=lengths)


def test_the_longer_response_wins_as_often_as_it_does() -> None:
    figure = longer_preferred([judged(0, 0, [1, 2, 3], [30, 20, 25])])
    assert figure.count == 3
    assert figure.known() == pytest.approx(2 / 3)
    assert "1 prompts and 1 labelers" in figure.interval_reason


def test_ties_equal_lengths_and_unranked_responses_decide_nothing() -> None:
    figure = longer_preferred(
        [judged(0, 0, [1, 1], [10, 20]), judged(1, 0, [1, 2], [10, 10]), judged(2, 0, [1, None], [1, 2])]
    )
    assert "No two responses differ" in figure.reason


def test_nearly_equal_lengths_can_be_left_out() -> None:
    judgments = [judged(0, 0, [1, 2], [100, 105]), judged(1, 0, [2, 1], [100, 200])]
    assert longer_preferred(judgments).count == 2
    assert longer_preferred(judgments, margin=0.1).count == 1


def test_it_refuses_lengths_that_do_not_match_the_ranks() -> None:
    with pytest.raises(ValueError, match="Prompt 0 has 2 ranks and 1 lengths"):
        longer_preferred([judged(0, 0, [1, 2], [10])])


def test_a_taste_for_length_stands_out_of_its_interval() -> None:
    rng = np.random.default_rng(0)
    judgments = []
    for prompt in range(60):
        lengths = rng.integers(10, 200, size=2).tolist()
        for labeler in rng.permutation(10)[:3].tolist():
            longer_wins = rng.random() < 0.75
            ranks = [1, 2] if (lengths[0] > lengths[1]) == longer_wins else [2, 1]
            judgments.append(judged(prompt, labeler, ranks, lengths))
    figure = longer_preferred(judgments)
    assert figure.interval is not None
    assert 0.5 < figure.interval.low < 0.75 < figure.interval.high < 1.0
