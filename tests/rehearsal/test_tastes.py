from dataclasses import replace

import pytest

from tests.rehearsal.village import VILLAGE
from training.rehearsal.prompts import make_prompt
from training.rehearsal.tastes import RANKERS, RATERS, Labeler, rank, rank_all, rate, rate_all, true_utility
from training.rlhf.contract.records import Answer, RankingJudgment

PROMPT = make_prompt("p1", "What does the heron eat?", split="train", group="heron")
SURE = Labeler("simulated-sure", "terse", noise=0.0)
BEST, PLAIN, SHRUG, WRONG = (
    "The heron eats mint. Its coat is grey.",
    "The heron eats mint.",
    "I do not know.",
    "The heron eats plums.",
)


def answers(*texts: str) -> list[Answer]:
    return [Answer(id=f"r{number}", text=text) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "terse", "warm"),
    [
        (PLAIN, 2.2, 1.7),
        (BEST, 2.2 + 0.8 - 0.12 * 2, 2.2 + 0.8 - 0.5),
        (SHRUG, 0.0, -0.5),
        (WRONG, -1.3, -1.8),
        ("Hello, my friend. It eats mint. Come by any time.", 2.2 - 0.12 * 4 - 1.4, 2.2 + 1.8 - 0.5),
        ("It eats mint. The bells ring at noon.", 2.2 - 0.5 - 0.12 * 2, 2.2 - 0.5 - 0.5),
        ("What? What? What?", -1.6, -2.1),
        ("", -1.5, -2.0),
    ],
)
def test_utility_is_the_sum_that_was_written_down(text: str, terse: float, warm: float):
    assert true_utility(VILLAGE, PROMPT, text, "terse") == pytest.approx(terse)
    assert true_utility(VILLAGE, PROMPT, text, "warm") == pytest.approx(warm)


def test_true_sentences_without_the_answer_gain_nothing():
    assert true_utility(VILLAGE, PROMPT, "Its coat is grey.", "terse") == 0.0


def test_it_ranks_by_utility_and_densely():
    assert rank(VILLAGE, PROMPT, answers(WRONG, BEST, SHRUG, PLAIN), SURE, seed=1) == (4, 1, 3, 2)


def test_it_ties_what_is_about_equal():
    longer = "The heron eats mint. It sleeps under the bridge."  # a word more than BEST: 0.12 less
    assert rank(VILLAGE, PROMPT, answers(longer, WRONG, BEST, SHRUG), SURE, seed=1) == (1, 3, 1, 2)


def test_the_same_response_pleases_the_same_labeler_equally_wherever_it_stands():
    labeler = replace(RANKERS[3], careless=0.5)
    shown = answers(WRONG, BEST, SHRUG, PLAIN)
    ranks = rank(VILLAGE, PROMPT, shown, labeler, seed=1)
    backwards = rank(VILLAGE, PROMPT, shown[::-1], labeler, seed=1)
    assert ranks == backwards[::-1]


def test_one_labeler_is_careless_and_one_favours_what_stands_first():
    assert [labeler.name for labeler in RANKERS if labeler.careless] == ["simulated-terse-4"]
    (habit,) = [labeler for labeler in RANKERS if labeler.first_bonus]
    same = answers(*[PLAIN] * 4)
    assert rank(VILLAGE, PROMPT, same, replace(habit, noise=0.0), seed=1) == (1, 2, 2, 2)
    careless = [
        rate(VILLAGE, PROMPT, Answer(id=f"r{n}", text=BEST), replace(SURE, careless=1.0), seed=1) for n in range(50)
    ]
    assert min(careless) <= 2


def test_nobody_who_ranks_also_rates_the_evaluation():
    assert not {labeler.name for labeler in RANKERS} & {labeler.name for labeler in RATERS}
    for cohort in ("terse", "warm"):
        assert len([labeler for labeler in (*RANKERS, *RATERS) if labeler.cohort == cohort]) == 7


def test_ratings_stay_between_one_and_seven():
    warm = replace(SURE, cohort="warm")
    worst, best = "What? What? No. No. No. The hat", f"Hello, my friend. {BEST} Come by any time."
    assert [rate(VILLAGE, PROMPT, answer, warm, seed=1) for answer in answers(worst, best)] == [1, 7]


def test_a_ranking_row_has_one_labeler_of_each_cohort_and_goes_round_among_them():
    sampled = [
        (replace(PROMPT, id=f"p{number}"), [Answer(id=f"p{number}-{place}", text=PLAIN) for place in range(4)])
        for number in range(4)
    ]
    rows = list(rank_all(VILLAGE, sampled, seed=1))
    assert [[judgment.condition for judgment in row.judged] for row in rows] == [["terse", "warm"]] * 4
    assert {judgment.labeler for row in rows for judgment in row.judged} == {labeler.name for labeler in RANKERS}


def test_ranks_are_given_back_in_the_order_of_the_row_not_in_the_order_shown():
    (row,) = rank_all(
        VILLAGE, [(PROMPT, answers(WRONG, BEST, SHRUG, PLAIN))], seed=1, labelers=[SURE, replace(SURE, cohort="warm")]
    )
    expected = RankingJudgment(labeler="simulated-sure", ranks=(4, 1, 3, 2), condition="terse")
    assert row.judged[0] == expected


def test_another_seed_is_another_day_of_the_same_people():
    days = {
        tuple(rank(VILLAGE, PROMPT, answers(PLAIN, BEST, PLAIN, PLAIN), RANKERS[7], seed=seed)) for seed in range(20)
    }
    assert len(days) > 3


def test_every_rater_rates_in_a_seat_of_their_own():
    said = rate_all(VILLAGE, PROMPT, answers(PLAIN)[0], seed=1)
    assert [judgment.labeler for judgment in said] == [labeler.name for labeler in RATERS]
    assert all(judgment.labeler.startswith("simulated-") for judgment in said)
    assert all(1 <= (judgment.ratings["overall"] or 0) <= 7 for judgment in said)


def test_more_judges_of_a_cohort_are_different_people():
    sampled = [(replace(PROMPT, id=f"p{number}"), answers(PLAIN, BEST)) for number in range(4)]
    for row in rank_all(VILLAGE, sampled, seed=1, judges_per_cohort=2):
        assert len({judgment.labeler for judgment in row.judged}) == 4
        assert [judgment.condition for judgment in row.judged] == ["terse", "terse", "warm", "warm"]


def test_it_refuses_more_judges_than_a_cohort_has():
    with pytest.raises(ValueError, match="9 judges are asked of cohort terse, which has 4"):
        list(rank_all(VILLAGE, [(PROMPT, answers(PLAIN, BEST))], seed=1, judges_per_cohort=9))
