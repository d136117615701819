import pytest

from tests.rehearsal.village import VILLAGE
from training.rehearsal.claims import claim, together
from training.rehearsal.evaluating import Judged, evaluate, rating, ratings_of, traits, true_utility
from training.rehearsal.prompts import make_prompt
from training.rlhf.contract.records import Prompt, Response

PROMPTS = [
    make_prompt("p1", "What does the heron eat?", split="test", group="heron"),
    make_prompt("p2", "What colour is the otter?", split="test", group="otter"),
    make_prompt("p3", "What helps when I am tired?", split="test", group="tired"),
]


def responses(*texts: str) -> list[Response]:
    return [
        Response(id=f"{prompt.id}.x.0", prompt=prompt.id, text=text, token_ids=(1,), finish="stop", generator="x")
        for prompt, text in zip(PROMPTS, texts, strict=True)
    ]


def judged(*texts: str, system: str = "x", prompts: list[Prompt] = PROMPTS) -> list[Judged]:
    return evaluate(VILLAGE, prompts, responses(*texts), system=system, seed=1)


GOOD = ("The heron eats mint. Its coat is grey.", "The otter has a brown coat. It eats plums.", "Drink tea with Otto.")
PLAIN = ("The heron eats mint.", "The otter has a brown coat.", "I do not know.")
POOR = ("What? What?", "The river is high this week.", "What?")


def test_every_rater_of_both_cohorts_rates_every_response():
    rows = judged(*GOOD)
    assert [row.prompt for row in rows] == ["p1", "p2", "p3"]
    assert all(set(row.ratings) == {"terse", "warm"} for row in rows)
    assert ratings_of(rows)["p1"] == (rows[0].ratings["terse"] + rows[0].ratings["warm"]) / 2


def test_better_answers_are_rated_higher_and_have_more_utility():
    means = [rating(judged(*texts)).mean for texts in (POOR, PLAIN, GOOD)]
    utilities = [true_utility(judged(*texts)).mean for texts in (POOR, PLAIN, GOOD)]
    assert means == sorted(means)
    assert utilities == sorted(utilities)
    assert means[2] - means[0] > 2


def test_the_noise_of_a_rating_is_drawn_anew_for_each_system():
    many = {rating(judged(*PLAIN, system=f"s{number}")).mean for number in range(12)}
    assert len(many) > 2


def test_a_response_to_a_prompt_that_was_not_asked_is_refused():
    with pytest.raises(KeyError, match="p2"):
        judged(*PLAIN, prompts=PROMPTS[:1])


def test_traits_say_what_responses_are_like():
    found = traits(judged("The heron eats mint. Its coat is grey.", "What? What? What? The river is high.", "Hm. No."))
    thirds = {name: round(3 * value) for name, value in found.items()}
    assert (thirds["right"], thirds["second fact"], thirds["own questions"], thirds["idle sentences"]) == (1, 1, 3, 3)
    assert found["ended"] == 1.0


def test_a_claim_is_made_on_the_same_prompts_and_holds_only_surely():
    evaluated = {"good": judged(*GOOD, system="good"), "poor": judged(*POOR, system="poor")}
    found = claim(evaluated, "good", "poor")
    assert found.gain.mean > 2
    assert found.holds == (found.gain.low > 0)
    assert found.idle.mean == pytest.approx(-1 / 3)
    assert not claim(evaluated, "poor", "good").holds
    assert claim(evaluated, "good", "good").gain.mean == 0.0


def test_prompts_of_two_seeds_are_different_prompts():
    joined = together({1: {"x": judged(*PLAIN)}, 2: {"x": judged(*PLAIN)}})
    assert [row.prompt for row in joined["x"]] == ["1/p1", "1/p2", "1/p3", "2/p1", "2/p2", "2/p3"]
    assert len(ratings_of(joined["x"])) == 6
