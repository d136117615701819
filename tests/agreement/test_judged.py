"""Judgments as plain data: what is refused, what is left out."""

import numpy as np
import pytest

from labeling.agreement.judged import Judged


def test_an_unanswered_value_is_no_answer() -> None:
    judged = Judged.of([("u", "p", "ada", True), ("u", "p", "ben", None)])
    assert len(judged) == 1
    assert judged.levels == (True,)


def test_numbers_are_put_in_order_and_words_kept_as_met() -> None:
    assert Judged.of([("u", "p", "ada", 5), ("v", "p", "ada", 2)]).levels == (2, 5)
    assert Judged.of([("u", "p", "ada", "Yes"), ("v", "p", "ada", "No")]).levels == ("Yes", "No")


def test_it_refuses_a_value_that_is_no_level() -> None:
    with pytest.raises(ValueError, match="The value 8 of unit 'u' is none of"):
        Judged.of([("u", "p", "ada", 8)], levels=range(1, 8))


def test_it_refuses_a_unit_under_two_prompts() -> None:
    with pytest.raises(ValueError, match="Unit 'u' stands under two prompts, 'p' and 'q'"):
        Judged.of([("u", "p", "ada", 1), ("u", "q", "ben", 1)])


def test_it_refuses_a_second_judgment_by_the_same_labeler_unless_told_to_count_it() -> None:
    rows = [("u", "p", "ada", 1), ("u", "p", "ada", 2)]
    with pytest.raises(ValueError, match="Labeler 'ada' judged unit 'u' twice"):
        Judged.of(rows)
    assert len(Judged.of(rows, repeats="count")) == 2


def test_unknown_labelers_are_never_the_same_person() -> None:
    assert len(Judged.of([("u", "p", None, 1), ("u", "p", None, 1)])) == 2


def test_only_the_first_judgments_up_to_the_overlap_count() -> None:
    rows = [
        ("u", "p", "ada", 1),
        ("v", "p", "ada", 1),
        ("u", "p", "ben", 2),
        ("u", "p", "cleo", 3),
        ("v", "p", "ben", 4),
    ]
    kept = Judged.of(rows).first(2)
    assert sorted(zip(kept.units.tolist(), kept.values.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 3)]
    assert len(Judged.of([]).first(2)) == 0


def test_counts_say_how_often_each_unit_got_each_value() -> None:
    counts, prompts = Judged.of([("u", "p", "ada", 1), ("v", "q", "ada", 2), ("u", "p", "ben", 1)]).counts()
    assert counts.tolist() == [[2, 0], [0, 1]]
    assert prompts.tolist() == [0, 1]


def test_a_judgment_knows_how_many_its_unit_has_and_whether_its_labeler_judged_it_again() -> None:
    rows = [("u", "p", "ada", 1), ("v", "p", "ada", 2), ("u", "p", "ada", 2), ("u", "p", None, 1), ("u", "p", None, 1)]
    judged = Judged.of(rows, repeats="count")
    assert judged.sizes().tolist() == [4, 1, 4, 4, 4]
    assert judged.again.tolist() == [True, False, True, False, False]
    assert judged.of_units(np.array([7, 8, 7, 7, 7])).tolist() == [7, 8]
