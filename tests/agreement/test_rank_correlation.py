"""Kendall's tau-b and W."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, kendalltau

from labeling.agreement import Ranking, concordance, mean_concordance, mean_tau_b, tau_b
from labeling.agreement.rank_correlation import mean_tau_b_of
from labeling.agreement.rankings import comparisons_of, pairs_a_task


@pytest.mark.parametrize("seed", range(20))
def test_tau_b_agrees_with_scipy_ties_and_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(1, 5, size=(2, 7)).tolist()
    assert tau_b(first, second).known() == pytest.approx(kendalltau(first, second).statistic)


@pytest.mark.parametrize("seed", range(10))
def test_w_is_friedmans_statistic_over_its_greatest_value(seed: int) -> None:
    """W = chi-square / (m (n - 1)), ties corrected in both: another way to the same number."""
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 4, size=(4, 5))
    found = concordance(table.tolist()).known()
    assert found == pytest.approx(friedmanchisquare(*table.T).statistic / (4 * (5 - 1)))


def test_the_same_order_is_one_and_its_reverse_minus_one() -> None:
    assert tau_b([1, 2, 3], [1, 2, 3]).value == 1.0
    assert tau_b([1, 2, 3], [3, 2, 1]).value == -1.0
    assert concordance([[1, 2, 3], [1, 2, 3]]).value == 1.0
    assert concordance([[1, 2, 3], [3, 2, 1]]).value == 0.0


def test_only_what_both_ranked_counts() -> None:
    assert tau_b([1, None, 2, 3], [1, 2, None, 3]).count == 1


def test_all_ties_have_no_order_and_say_so() -> None:
    assert "ranked all responses as equal" in tau_b([1, 1, 1], [1, 2, 3]).reason
    assert "ranked all responses as equal" in concordance([[1, 1], [1, 1]]).reason


def test_too_little_to_rank_says_so() -> None:
    assert "Both ranked 1 of the responses" in tau_b([1, None], [1, 2]).reason
    assert "One ranking alone" in concordance([[1, 2]]).reason
    assert "All labelers ranked 0" in concordance([[1, None], [None, 1]]).reason
    assert "no tau" in mean_tau_b([]).reason


def test_the_mean_leaves_out_what_is_undefined_and_counts_what_it_rests_on() -> None:
    rankings = [
        Ranking(prompt=prompt, labeler=labeler, ranks=ranks)
        for prompt, group in enumerate([([1, 2], [1, 2], [2, 1]), ([1, 1], [1, 2]), ([2, 1], [2, 1])])
        for labeler, ranks in enumerate(group)
    ]
    figure = mean_tau_b(rankings)
    assert figure.count == 4
    assert figure.known() == pytest.approx((1 - 1 - 1 + 1) / 4)
    assert mean_concordance(rankings).count == 3


def test_the_mean_of_tau_b_is_the_mean_of_each_pairs() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, 5, size=(20, 4, 5))
    ranks: list[list[list[int | None]]] = [[[r or None for r in one] for one in group] for group in drawn.tolist()]
    rankings = [Ranking(prompt=p, labeler=w, ranks=one) for p, group in enumerate(ranks) for w, one in enumerate(group)]
    each = [tau_b(one, other).value for group in ranks for one, other in combinations(group, 2)]
    defined = [tau for tau in each if tau is not None]
    assert mean_tau_b(rankings).count == len(defined) < len(each)
    assert mean_tau_b(rankings).known() == pytest.approx(np.mean(defined))


def test_the_pairs_of_one_prompt_are_resampled_together() -> None:
    """Per prompt the mean tau is 1 or -1/3, six of each: a standard error of 0.19, and 0.11 as 72 pairs apart."""
    groups = [([1, 2, 3],) * 4 if prompt % 2 else ([1, 2, 3], [3, 2, 1]) * 2 for prompt in range(12)]
    rankings = [
        Ranking(prompt=p, labeler=w, ranks=one) for p, group in enumerate(groups) for w, one in enumerate(group)
    ]
    interval = mean_tau_b(rankings, bootstrap=True).interval
    assert interval is not None
    assert interval.high - interval.low > 0.6


def test_it_refuses_two_rankings_by_one_labeler() -> None:
    twice = [Ranking(prompt="p", labeler="ada", ranks=[1, 2])] * 2
    for mean in (mean_tau_b, mean_concordance):
        with pytest.raises(ValueError, match="Labeler 'ada' ranked prompt 'p' twice"):
            mean(twice)


def test_two_who_ranked_one_prompt_in_two_tasks_have_two_taus() -> None:
    """The same order in one task, the opposite in the other."""
    ranks = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    judged = comparisons_of(
        ranks, tasks=np.array([0, 0, 1, 1]), prompts=np.zeros(4, dtype=np.int64), labelers=np.array([0, 1, 0, 1]),
        names=("one", "other"),
    )  # fmt: skip
    found = mean_tau_b_of(judged, pairs_a_task=pairs_a_task(ranks))
    assert (found.known(), found.count) == (pytest.approx(0.0), 2)
