"""What to expect of a campaign's settings: rankings cut to fewer responses and fewer judges, and how labelers agree."""

import pytest

from training.rehearsal.accuracy import agreement_of_two, by_rank
from training.rehearsal.expecting import EVERY_JUDGE, _agreed, cut
from training.rlhf.contract.records import Answer, Message, Ranking, RankingJudgment


def said(labeler: str, cohort: str, *ranks: int) -> RankingJudgment:
    return RankingJudgment(labeler=labeler, ranks=ranks, condition=cohort)


ROW = Ranking(
    id="p", messages=(Message(role="user", content="?"),), split="valid",
    responses=tuple(Answer(id=name, text=name) for name in "abcd"),
    judged=(
        said("t1", "terse", 2, 4, 3, 1), said("t2", "terse", 1, 2, 2, 1),
        said("w1", "warm", 4, 3, 2, 1), said("w2", "warm", 1, 2, 3, 4),
    ),
)  # fmt: skip


def test_a_cut_keeps_the_first_responses_with_dense_ranks():
    found = cut(ROW, responses=3, judges=2)
    assert [answer.id for answer in found.responses] == ["a", "b", "c"]
    assert [one.ranks for one in found.judged] == [(1, 3, 2), (1, 2, 2), (3, 2, 1), (1, 2, 3)]


def test_a_cut_takes_as_many_judges_of_each_cohort_beginning_with_another_one_each_time():
    assert [one.labeler for one in cut(ROW, responses=4, judges=1, first=0).judged] == ["t1", "w1"]
    assert [one.labeler for one in cut(ROW, responses=4, judges=1, first=3).judged] == ["t2", "w2"]


def test_agreement_is_told_apart_within_a_cohort_and_across():
    rows = [cut(ROW, responses=2, judges=2)] * 2
    # On a and b: t1 and t2 say a, w1 says b, w2 says a.
    found = _agreed(rows, 2)
    assert found.within.mean == pytest.approx(2 / 4)  # t1 and t2 agree, w1 and w2 do not, each seen from both sides
    assert found.across.mean == pytest.approx(4 / 8)


def test_a_tie_of_the_first_is_half_right_and_one_of_the_second_tells_nothing():
    tied, told = said("x", "terse", 1, 1, 1, 1), said("y", "terse", 1, 2, 3, 4)
    both = [(tied, told)]
    two = lambda row: [(by_rank(row, one), by_rank(row, other)) for one, other in both]  # noqa: E731
    assert agreement_of_two([ROW, ROW], two, tie=0.0).mean == 0.5


def test_there_are_judges_enough_for_every_setting():
    assert EVERY_JUDGE == 4
