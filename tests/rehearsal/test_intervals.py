import random

import pytest

from training.rehearsal.intervals import clustered_difference, difference, estimate, gain_at_equal_length


def test_the_error_of_a_mean_by_hand():
    found = estimate([1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert found.error == pytest.approx((5 / 3 / 4) ** 0.5)
    assert found.low == pytest.approx(2.5 - 1.96 * found.error)
    assert found.surely_above == pytest.approx(2.5 - 1.645 * found.error)


def test_one_value_has_no_error_that_could_be_told():
    with pytest.raises(ValueError, match="1 values; expected at least 2"):
        estimate([1.0])


def test_a_difference_is_paired_by_prompt_and_so_surer_than_two_means():
    worse = {f"p{number}": float(number) for number in range(50)}
    better = {prompt: value + 1.0 for prompt, value in reversed(worse.items())}
    assert (difference(better, worse).mean, difference(better, worse).error) == (1.0, 0.0)


def test_it_refuses_systems_that_answered_different_prompts():
    with pytest.raises(ValueError, match="2 prompts that only one of them answered"):
        difference({"a": 1.0, "b": 1.0}, {"a": 1.0, "c": 1.0})


def test_prompts_of_a_cluster_that_move_together_widen_the_interval():
    chance = random.Random(1)
    moved = {cluster: chance.gauss(0, 1) for cluster in range(20)}
    better = {f"{cluster}-{number}": moved[cluster] for cluster in moved for number in range(10)}
    worse = dict.fromkeys(better, 0.0)
    clusters = {prompt: prompt.split("-")[0] for prompt in better}
    plain, clustered = difference(better, worse), clustered_difference(better, worse, clusters)
    assert clustered.mean == pytest.approx(plain.mean)
    assert clustered.error == pytest.approx(estimate(list(moved.values())).error)
    assert clustered.error > 3 * plain.error


def test_each_prompt_a_cluster_of_its_own_changes_nothing():
    better = {"a": 1.0, "b": 2.0, "c": 4.0}
    worse = dict.fromkeys(better, 0.0)
    own = {prompt: prompt for prompt in better}
    assert clustered_difference(better, worse, own).error == pytest.approx(difference(better, worse).error)


def test_a_gain_that_is_all_length_is_none_at_equal_length():
    longer = {f"p{number}": float(number % 7) for number in range(70)}
    gains = {prompt: 0.5 * words for prompt, words in longer.items()}
    assert gain_at_equal_length(gains, longer).mean == pytest.approx(0.0, abs=1e-9)


def test_a_gain_beside_length_stays():
    longer = {f"p{number}": float(number % 7) for number in range(70)}
    gains = {prompt: 0.8 - 0.1 * words for prompt, words in longer.items()}
    assert gain_at_equal_length(gains, longer).mean == pytest.approx(0.8)


def test_equal_lengths_give_the_plain_gain():
    gains = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert gain_at_equal_length(gains, dict.fromkeys(gains, 3.0)).mean == 2.0


def test_a_line_through_two_prompts_says_nothing():
    with pytest.raises(ValueError, match="2 prompts; expected at least 3"):
        gain_at_equal_length({"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 1.0})
