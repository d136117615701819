"""Means, differences, win rates and flags of generators, and what would settle them."""

import numpy as np
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from labeling.evaluating import (
    Flag,
    Outcome,
    Rating,
    contrast,
    flag_rate,
    holm,
    mean_difference,
    mean_rating,
    outcomes,
    paired_p_value,
    settling,
    win_rate,
)

from .simulated import Coverage, evaluation_studies


def rate(generator: str, prompt: int, labeler: int, value: float | None) -> Rating:
    return Rating(generator=generator, prompt=prompt, labeler=labeler, value=value)


def study(gain: float, *, prompts: int = 60, labelers: int = 12, seed: int = 0) -> list[Rating]:
    """Two ratings each of policy and baseline on every prompt; labelers differ by half a point, tastes by a little."""
    rng = np.random.default_rng(seed)
    lenient, taste = rng.normal(0, 0.5, labelers), rng.normal(0, 0.2, labelers)
    found = []
    for prompt in range(prompts):
        topic = rng.normal(0, 0.7)
        for labeler in rng.permutation(labelers)[:2].tolist():
            for generator, quality in (("policy", 4 + gain + taste[labeler]), ("baseline", 4.0)):
                value = float(np.clip(round(quality + topic + lenient[labeler] + rng.normal(0, 0.7)), 1, 7))
                found.append(rate(generator, prompt, labeler, value))
    return found


def test_95_percent_intervals_cover_what_was_put_in() -> None:
    """200 studies by 20 raters; the trial has 2,000 and asserts 92 to 98 %. Chance alone gives 91 to 98.5 % here."""
    for found in Coverage.of_each(evaluation_studies(200, number=20, prompts=60)).values():
        assert 0.91 <= found.share_covered <= 0.985, found
        assert abs(found.bias) < found.spread / 3, found


def test_every_prompt_counts_alike_in_a_mean() -> None:
    ratings = [rate("policy", 0, labeler, 7) for labeler in range(9)] + [rate("policy", 1, 0, 1)]
    assert mean_rating(ratings, generator="policy").known() == pytest.approx(4.0)


def test_an_unanswered_rating_is_not_a_number() -> None:
    figure = mean_rating([rate("policy", 0, 0, None), rate("policy", 0, 1, 6)], generator="policy")
    assert (figure.value, figure.count) == (pytest.approx(6.0), 1)


def test_a_difference_uses_only_prompts_that_were_rated_for_both() -> None:
    ratings = [rate("policy", 0, 0, 5), rate("baseline", 0, 0, 3), rate("policy", 1, 0, 1), rate("baseline", 2, 0, 7)]
    figure = mean_difference(ratings, generator="policy", baseline="baseline")
    assert (figure.value, figure.count) == (pytest.approx(2.0), 2)


def test_pairing_by_prompt_makes_the_interval_of_a_difference_short() -> None:
    ratings = study(0.5)
    difference = mean_difference(ratings, generator="policy", baseline="baseline").interval
    one = mean_rating(ratings, generator="policy").interval
    assert difference is not None
    assert one is not None
    assert difference.high - difference.low < 0.8 * (one.high - one.low)


def test_where_each_prompt_has_a_labeler_of_its_own_the_test_is_students() -> None:
    """Labeler and prompt are one then; the paired t-test is its textbook form."""
    rng = np.random.default_rng(2)
    ours, theirs = rng.integers(1, 8, size=(2, 25)).astype(float)
    ratings = [rate("policy", p, p, v) for p, v in enumerate(ours)]
    ratings += [rate("baseline", p, p, v) for p, v in enumerate(theirs)]
    found = paired_p_value(ratings, generator="policy", baseline="baseline").known()
    assert found == pytest.approx(ttest_rel(ours, theirs).pvalue, abs=0.02)
    figure = mean_difference(ratings, generator="policy", baseline="baseline")
    textbook = ttest_rel(ours, theirs).confidence_interval()
    assert figure.interval is not None
    assert (figure.interval.low, figure.interval.high) == pytest.approx((textbook.low, textbook.high), abs=0.05)


def test_the_p_value_and_the_interval_say_the_same() -> None:
    for gain in (0.0, 0.2, 0.35, 0.5, 1.0):
        ratings = study(gain, seed=int(gain * 100))
        interval = mean_difference(ratings, generator="policy", baseline="baseline").interval
        assert interval is not None
        significant = paired_p_value(ratings, generator="policy", baseline="baseline").known() < 0.05
        assert significant == (not interval.holds(0.0))


def test_the_interaction_of_a_two_by_two_evaluation_is_a_contrast() -> None:
    values = {
        ("terse", "terse raters"): 5,
        ("terse", "warm raters"): 4,
        ("warm", "terse raters"): 3,
        ("warm", "warm raters"): 6,
    }
    ratings = [
        Rating(generator=cell, prompt=prompt, labeler=(cell[1], prompt % 4), value=value)
        for cell, value in values.items()
        for prompt in range(8)
    ]
    signs = {cell: 1.0 if cell[0] == cell[1].split()[0] else -1.0 for cell in values}
    assert contrast(ratings, signs).known() == pytest.approx(5 - 4 - 3 + 6)


def test_a_baseline_nobody_rated_is_named() -> None:
    ratings = [rate("policy", 0, 0, 5)]
    assert mean_difference(ratings, generator="policy", baseline="base").reason == "Nobody rated base."
    assert settling(ratings, generator="policy", baseline="base") == "Nobody rated base."
    assert paired_p_value(ratings, generator="policy", baseline="base").reason == "Nobody rated base."


def test_the_baseline_has_no_difference_from_itself() -> None:
    assert mean_difference(study(0.5), generator="baseline", baseline="baseline").value is None


def test_two_generators_on_different_prompts_cannot_be_paired() -> None:
    ratings = [rate("policy", 0, 0, 5), rate("base", 1, 0, 3)]
    assert "No prompt was rated for all of policy, base" in contrast(ratings, {"policy": 1.0, "base": -1.0}).reason


def test_one_rater_gives_a_mean_without_an_interval() -> None:
    figure = mean_rating([rate("policy", prompt, 0, 1 + prompt % 7) for prompt in range(30)], generator="policy")
    assert figure.defined
    assert "30 prompts and 1 labelers" in figure.interval_reason


def test_constant_ratings_give_no_interval_of_no_width() -> None:
    ratings = [rate(generator, p, w, 7) for generator in ("policy", "base") for p in range(9) for w in range(4)]
    figure = mean_rating(ratings, generator="policy")
    assert (figure.value, figure.interval) == (pytest.approx(7.0), None)
    assert "Nothing varies" in figure.interval_reason
    assert "Nothing varies" in paired_p_value(ratings, generator="policy", baseline="base").reason
    assert "Nothing varies" in str(settling(ratings, generator="policy", baseline="base"))


def test_holm_agrees_with_a_library() -> None:
    p_values = [0.01, 0.04, 0.03, 0.5, 0.9]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())
    assert holm([]) == []


def test_a_tie_is_half_a_win_to_each() -> None:
    ratings = [rate("policy", p, 0, v) for p, v in enumerate((5, 4, 3, 3))]
    ratings += [rate("base", p, 0, v) for p, v in enumerate((3, 4, 4, 2))]
    compared = outcomes(ratings, generator="policy", baseline="base")
    assert compared.values.tolist() == [1.0, 0.5, 0.0, 1.0]
    assert win_rate(compared).known() == pytest.approx(0.625)
    assert win_rate(outcomes(ratings, generator="base", baseline="policy")).known() == pytest.approx(0.375)


def test_ratings_by_different_labelers_are_no_comparison() -> None:
    ratings = [rate("policy", 0, 0, 5), rate("base", 0, 1, 3)]
    assert not len(outcomes(ratings, generator="policy", baseline="base").values)
    assert "Nobody compared the two" in win_rate([]).reason


def test_winning_every_time_does_not_feign_certainty() -> None:
    figure = win_rate([Outcome(prompt=p, labeler=p % 5, value=1.0) for p in range(20)])
    assert figure.value == 1.0
    assert figure.interval is not None
    assert 0.6 < figure.interval.low < 0.9
    assert figure.interval.high == 1.0


def test_a_flag_never_raised_may_still_be_raised() -> None:
    flags = [Flag(prompt=p, labeler=w, value=False) for p in range(100) for w in range(5)]
    figure = flag_rate(flags)
    assert figure.value == 0.0
    assert figure.interval is not None
    assert figure.interval.low == 0.0
    assert 0.03 < figure.interval.high < 0.1


def test_an_unanswered_flag_is_not_a_no() -> None:
    flags = [Flag(prompt=0, labeler=0, value=True), Flag(prompt=1, labeler=0, value=None)]
    assert (flag_rate(flags).value, flag_rate(flags).count) == (1.0, 1)
    assert "Nobody answered" in flag_rate(flags[1:]).reason


def test_what_is_settled_needs_no_more_ratings() -> None:
    found = settling(study(1.5), generator="policy", baseline="baseline")
    assert not isinstance(found, str)
    assert found.more_ratings == 0
    assert (found.prompts, found.labelers) == (60, 12)


def test_as_many_more_ratings_as_it_says_do_settle_it() -> None:
    """A gain of 0.25 is open after 60 prompts by 12; of studies of the size it asks for, about 80 % settle it."""
    found = settling(study(0.25, seed=5), generator="policy", baseline="baseline", difference=0.25)
    assert not isinstance(found, str)
    assert found.more_ratings > 0
    settled = 0
    for seed in range(40):
        ratings = study(0.25, prompts=found.prompts, labelers=found.labelers, seed=100 + seed)
        interval = mean_difference(ratings, generator="policy", baseline="baseline").interval
        settled += interval is not None and not interval.holds(0.0)
    assert 0.6 <= settled / 40 <= 0.975


def test_a_larger_difference_takes_fewer_ratings() -> None:
    wanted = [settling(study(0.2), generator="policy", baseline="baseline", difference=d) for d in (0.1, 0.2, 0.4)]
    more = [one.more_ratings for one in wanted if not isinstance(one, str)]
    assert more[0] > more[1] > more[2]


def test_a_difference_of_nothing_is_never_settled() -> None:
    found = settling(study(0.2), generator="policy", baseline="baseline", difference=0.001)
    assert isinstance(found, str)
    assert "more than 1000 times the ratings" in found


def test_where_labelers_disagree_more_prompts_alone_do_not_help() -> None:
    """Half of the people find the policy two points better, half one point worse; prompts make no difference."""
    rng = np.random.default_rng(0)
    ratings = []
    for prompt in range(50):
        for labeler in range(8):
            taste = 2.0 if labeler % 2 else -1.0
            ratings.append(rate("policy", prompt, labeler, 4 + taste + rng.normal(0, 0.1)))
            ratings.append(rate("baseline", prompt, labeler, 4 + rng.normal(0, 0.1)))
    found = settling(ratings, generator="policy", baseline="baseline")
    assert not isinstance(found, str)
    assert found.labelers > 8
    assert not found.same_labelers_suffice
