"""One model told for two cohorts, rated by both: the interaction, shared quality, and of whom nothing is told."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from labeling.reports.columns import Codes
from tests.training.test_verdicts import coded
from training.authors import Author
from training.conditions import Condition
from training.evaluation import Evaluation
from training.rated import Rated
from training.two_by_two import claimed_of, squares, wanting_of_squares

pytestmark = pytest.mark.sqlite

TERSE, WARM, LOUD = (Condition(name, "", name, place) for place, name in enumerate(("terse", "warm", "loud")))
PLAIN = Author("7", "PPO, round 1", "policy", "r1-ppo", own=True)
TOLD = [
    replace(PLAIN, key=f"7:{one.key}", label=f"PPO, round 1, told {one.name}", told=one) for one in (TERSE, WARM, LOUD)
]
COHORTS = ("terse", "warm", "loud")
Rate = Callable[[str, str], float]


def evaluation(rate: Rate, *, authors: list[Author], raters: int = 6, prompts: int = 40) -> Evaluation:
    """rate: the mean rating of what was told something ("" for nothing) by a rater of a cohort. Each cohort has so many
    raters; on every prompt one of each rates everything, with noise."""
    rng = np.random.default_rng(1)
    cohorts = COHORTS[: max(2, len(authors) - 1)]
    said: list[tuple[str, int, int, int]] = []
    for prompt in range(prompts):
        for place, cohort in enumerate(cohorts):
            for author in authors:
                mean = rate(author.told.name if author.told else "", cohort)
                value = int(np.clip(round(mean + rng.normal(0, 0.7)), 1, 7))
                said.append((author.key, prompt, place * raters + prompt % raters, value))
    keys, asked, who, values = (np.array(column) for column in zip(*said, strict=True))
    rated = Rated(
        authors=coded(keys), responses=np.zeros(len(said), dtype=np.int64), prompts=coded(asked),
        use_cases=coded(np.full(len(said), "chat")), labelers=who, people=tuple(range(raters * len(cohorts))),
        is_simulated=(False,) * raters * len(cohorts), submitted=np.zeros(len(said)),
        ratings=Codes(values - 1, tuple({"overall": value} for value in range(1, 8))), flags=coded(keys),
    )  # fmt: skip
    return Evaluation(
        campaign=SimpleNamespace(guideline=None, kept_by_rule=False),  # type: ignore[arg-type]
        authors=authors, subject=authors[0], baseline=authors[-1],
        raters="people", said=rated, by_source={}, prompts=prompts, called=dict(enumerate(COHORTS)),
        cohorts={name: who // raters == place for place, name in enumerate(cohorts)},
    )  # fmt: skip


def taste(told: str, cohort: str) -> float:
    """Told nothing everybody gives 4.5; for one's own 5, for the other 3."""
    return 4.5 if not told else 5.0 if told == cohort else 3.0


def test_the_interaction_is_the_sum_of_what_each_prefers_its_own_by() -> None:
    (square,) = squares(evaluation(taste, authors=[PLAIN, *TOLD[:2]]))
    assert (square.model, square.raters) == ("PPO, round 1", ("terse", "warm"))
    assert square.figure.known() == pytest.approx(4.0, abs=0.5)
    assert square.adjusted is not None
    assert square.adjusted < 0.01
    assert square.shared is not None
    assert square.shared.known() == pytest.approx(0.5, abs=0.4)
    means = {author.key: [round(figure.known()) for figure in figures] for author, figures in square.rows}
    assert (means["7:terse"], means["7:warm"]) == ([5, 3], [3, 5])


def test_it_is_claimed_with_shared_quality_and_with_what_cannot_be_claimed() -> None:
    found = evaluation(taste, authors=[PLAIN, *TOLD[:2]])
    sentence = claimed_of(squares(found)[0], over=True)
    assert sentence.startswith(
        "It can be claimed that terse and warm, in the mean of the two, prefer what PPO, round 1 writes for"
    )
    assert "that for one's own it is at most 0.25 worse than told nothing; not that it is so of other" in sentence
    assert claimed_of(squares(found)[0], over=False).startswith("Nothing is claimed while ratings still come in")


def test_a_gain_that_costs_shared_quality_is_said_to() -> None:
    found = evaluation(lambda told, cohort: taste(told, cohort) if told else 6.0, authors=[PLAIN, *TOLD[:2]])
    (square,) = squares(found)
    assert not square.keeps_quality
    assert "it cannot that nothing is lost by it" in claimed_of(square, over=True)


def test_a_model_that_is_better_told_one_thing_to_everybody_has_no_interaction() -> None:
    (square,) = squares(evaluation(lambda told, _: 5.0 if told == "terse" else 3.0, authors=[PLAIN, *TOLD[:2]]))
    assert square.adjusted is not None
    assert square.adjusted >= 0.05
    assert claimed_of(square, over=True).startswith("It cannot be claimed that it matters to terse and warm")


def test_one_that_writes_for_the_other_is_not_praised() -> None:
    (square,) = squares(evaluation(lambda told, one: 8.0 - taste(told, one), authors=[PLAIN, *TOLD[:2]]))
    assert "writes for the other of them to what it writes for themselves" in claimed_of(square, over=True)


def test_without_the_model_told_nothing_the_baseline_is_beside_it_or_nothing_is_known_of_what_it_costs() -> None:
    sft = Author("3", "SFT, round 1", "sft", "r1-sft", own=True)
    (square,) = squares(evaluation(taste, authors=[*TOLD[:2], sft]))
    assert square.beside == sft
    assert "worse than SFT, round 1; not that" in claimed_of(square, over=True)
    (alone,) = squares(evaluation(taste, authors=TOLD[:2]))
    assert (alone.beside, alone.shared) == (None, None)
    assert "nothing of what it costs" in claimed_of(alone, over=True)


def test_of_fewer_than_five_raters_of_a_cohort_nothing_is_told_and_what_would_do_is_said() -> None:
    few = evaluation(taste, authors=[PLAIN, *TOLD[:2]], raters=4)
    assert squares(few) == []
    (sentence,) = wanting_of_squares(few)
    assert "fewer than 5 raters of terse who are not in warm rated each" in sentence
    assert wanting_of_squares(evaluation(taste, authors=[PLAIN, *TOLD[:2]], raters=5)) == []


def test_raters_of_both_cohorts_speak_for_neither() -> None:
    found = evaluation(taste, authors=[PLAIN, *TOLD[:2]])
    both = dict(found.cohorts) | {"warm": found.cohorts["warm"] | (found.said.labelers < 2)}
    assert squares(replace(found, cohorts=both)) == []


def test_what_a_rater_of_both_said_is_in_no_figure() -> None:
    found = evaluation(taste, authors=[PLAIN, *TOLD[:2]])
    theirs = found.said.labelers == 0
    both = replace(found, cohorts=dict(found.cohorts) | {"warm": found.cohorts["warm"] | theirs})
    gone = replace(
        found, said=found.said.only(~theirs), cohorts={name: one[~theirs] for name, one in found.cohorts.items()}
    )
    (mixed,), (without,) = squares(both), squares(gone)
    assert mixed.figure.known() == pytest.approx(without.figure.known())
    assert [[one.count for one in figures] for _, figures in mixed.rows] == [
        [one.count for one in figures] for _, figures in without.rows
    ]


def test_several_pairs_are_held_together() -> None:
    weak = evaluation(
        lambda told, cohort: 4.0 + 0.25 * (told == cohort), authors=[PLAIN, *TOLD], prompts=30
    )  # fmt: skip
    three = squares(weak)
    assert [square.raters for square in three] == [("terse", "warm"), ("terse", "loud"), ("warm", "loud")]
    alone = [squares(replace(weak, authors=[PLAIN, *square.told]))[0] for square in three]
    assert all((one.adjusted or 0) >= (own.adjusted or 0) for one, own in zip(three, alone, strict=True))
    assert any((one.adjusted or 0) > (own.adjusted or 0) for one, own in zip(three, alone, strict=True))


def test_a_renamed_cohort_is_still_the_one_that_the_model_was_told_of() -> None:
    found = evaluation(taste, authors=[PLAIN, *TOLD[:2]])
    renamed = replace(
        found, called={0: "Brief", 1: "warm"}, cohorts={"Brief": found.cohorts["terse"], "warm": found.cohorts["warm"]}
    )
    assert squares(renamed)[0].raters == ("Brief", "warm")
