import pytest

from tests.rehearsal.village import VILLAGE
from training.rehearsal.accuracy import agreement
from training.rehearsal.prompts import make_prompt
from training.rehearsal.tastes import RANKERS, rank_all, true_utility
from training.rlhf.contract.records import Answer, Ranking

TEXTS = ("The heron eats mint. Its coat is grey.", "The heron eats mint.", "I do not know.", "The heron eats plums.")


def rows(count: int = 3) -> list[Ranking]:
    prompt = make_prompt("p", "What does the heron eat?", split="valid", group="heron")
    asked = [(prompt, [Answer(id=f"{n}-{place}", text=text) for place, text in enumerate(TEXTS)]) for n in range(count)]
    return list(rank_all(VILLAGE, asked, seed=1, labelers=RANKERS))


def by_place(row: Ranking):
    return [lambda answer: -float(answer[-1])]


def backwards(row: Ranking):
    return [lambda answer: float(answer[-1])]


def indifferent(row: Ranking):
    return [lambda answer: 0.0]


def test_scores_in_the_order_of_the_truth_agree_wholly_and_the_other_way_not_at_all():
    assert agreement(rows(), by_place, by_place, tie=0.0).mean == 1.0
    assert agreement(rows(), backwards, by_place, tie=0.0).mean == 0.0


def test_equal_scores_are_half_right():
    assert agreement(rows(), indifferent, by_place, tie=0.0).mean == 0.5


def test_pairs_that_are_tied_in_truth_are_left_out():
    tied = {0: 2.0, 1: 1.9, 2: 0.0, 3: -1.0}
    found = agreement(
        rows(), lambda row: [lambda a: float(a[-1] == "0")], lambda row: [lambda a: tied[int(a[-1])]], tie=0.35
    )
    assert found.mean == pytest.approx((2 + 3 * 0.5) / 5)


def test_every_judge_of_a_prompt_counts():
    found = agreement(rows(), by_place, lambda row: [*by_place(row), *backwards(row), *by_place(row)], tie=0.0)
    assert found.mean == pytest.approx(2 / 3)


def test_the_true_utility_agrees_with_itself():
    texts = {answer.id: answer.text for row in rows() for answer in row.responses}

    def taste(row: Ranking):
        return [lambda answer: true_utility(VILLAGE, row, texts[answer], "warm")]

    assert agreement(rows(), taste, taste, tie=0.35).mean == 1.0
