"""Straight-lining, and agreement with oneself."""

from itertools import product

import pytest

from labeling.agreement.habits import HiddenRepeat, repeated_comparisons, run_chance, self_agreement, straight_lining


@pytest.mark.parametrize("length", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("chance", [0.2, 0.5, 0.9])
def test_the_chance_of_a_run_agrees_with_going_through_all_sequences(length: int, chance: float) -> None:
    draws = 5
    total = 0.0
    for hits in product((True, False), repeat=draws):
        if any(all(hits[at : at + length]) for at in range(draws - length + 1)):
            total += chance ** sum(hits) * (1 - chance) ** (draws - sum(hits))
    assert run_chance(length, draws, chance) == pytest.approx(total)


def test_an_answer_that_everyone_always_gives_runs_without_end() -> None:
    assert run_chance(50, 200, 1.0) == pytest.approx(1.0)


def test_the_same_answer_for_ever_stands_out_where_colleagues_vary() -> None:
    lining = straight_lining([4] * 30, everyone={1: 50, 4: 50, 7: 50})
    assert lining is not None
    assert (lining.longest_run, lining.run_answer, lining.commonest_share) == (30, 4, 1.0)
    assert lining.run_probability.known() < 1e-6


def test_rare_flags_left_unticked_by_all_are_no_straight_line() -> None:
    lining = straight_lining([False] * 30, everyone={False: 980, True: 20})
    assert lining is not None
    assert lining.run_probability.known() > 0.3


def test_rankings_as_shown_can_be_the_answers() -> None:
    lining = straight_lining([(1, 2, 3), (1, 2, 3), (2, 1, 3)], everyone={(1, 2, 3): 5, (2, 1, 3): 5})
    assert lining is not None
    assert (lining.longest_run, lining.run_answer) == (2, (1, 2, 3))


def test_no_answers_have_no_line_and_no_colleagues_no_comparison() -> None:
    assert straight_lining([], everyone={}) is None
    lining = straight_lining([1], everyone={})
    assert lining is not None
    assert "Nobody else answered" in lining.run_probability.reason


def repeat(prompt: int, first: int | None, again: int | None) -> HiddenRepeat:
    return HiddenRepeat(prompt=prompt, labeler="ada", first=first, again=again)


def test_self_agreement_is_the_share_answered_as_before() -> None:
    figure = self_agreement([repeat(prompt, 1, 1 if prompt % 4 else 2) for prompt in range(40)])
    assert figure.value == 0.75
    assert figure.count == 40
    assert figure.interval is not None
    assert figure.interval.low < 0.75 < figure.interval.high


def test_unanswered_repeats_do_not_count() -> None:
    assert self_agreement([repeat(0, 1, 1), repeat(1, None, 1), repeat(2, 1, None)]).count == 1
    assert "Nothing was shown twice" in self_agreement([repeat(0, None, 1)]).reason


def test_a_ranking_that_came_back_is_a_repeat_of_each_comparison() -> None:
    repeats = repeated_comparisons(prompt="p", labeler="ada", first=[1, 2, 2], again=[1, 3, 2])
    assert [(one.first, one.again) for one in repeats] == [(1, 1), (1, 1), (0, -1)]
    with pytest.raises(ValueError, match="ranked with 2 and again with 1 responses"):
        repeated_comparisons(prompt="p", labeler="ada", first=[1, 2], again=[1])
