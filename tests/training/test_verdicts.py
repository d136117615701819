"""What can be claimed of an evaluation: tests, what it would take, and whether it depends on who rates."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from labeling.reports.columns import Codes
from training.authors import Author
from training.evaluation import Evaluation
from training.rated import Rated
from training.verdicts import interactions, is_settled, more_words, paired_tests, said_of, verdict_of
from training.views.findings import claim_of
from training.virtues import VIRTUES, shows, virtues_of

pytestmark = pytest.mark.sqlite

POLICY, SFT, BASE = (Author(name, name, name, name) for name in ("policy", "sft", "base"))


def evaluation(
    rate: Callable[[str, int], float], *, prompts: int = 40, raters: int = 12, cohorts: bool = False, **more: Any
) -> Evaluation:
    """rate: mean rating of an author by a rater. Two raters a prompt and author, with noise."""
    rng = np.random.default_rng(0)
    said: list[tuple[str, int, int, int]] = []
    for prompt in range(prompts):
        for rater in rng.permutation(raters)[:2] if not cohorts else (prompt % 6, 6 + prompt % 6):
            for author in (POLICY, SFT, BASE):
                value = int(np.clip(round(rate(author.key, int(rater)) + rng.normal(0, 0.7)), 1, 7))
                said.append((author.key, prompt, int(rater), value))
    keys, asked, who, values = (np.array(column) for column in zip(*said, strict=True))
    rated = Rated(
        authors=coded(keys), responses=np.zeros(len(said), dtype=np.int64), prompts=coded(asked),
        use_cases=coded(np.full(len(said), "chat")), labelers=who, people=tuple(range(raters)),
        is_simulated=(False,) * raters, submitted=np.zeros(len(said)),
        ratings=Codes(values - 1, tuple({"overall": value} for value in range(1, 8))),
        flags=Codes(
            (keys == BASE.key).astype(np.int64),
            tuple({"misses_task": False, "hallucination": yes} for yes in (False, True)),
        ),
    )  # fmt: skip
    guideline = SimpleNamespace(
        flags=[{"name": name, "label": name} for name in ("misses_task", "hallucination")], scales=[]
    )
    halves = {"one": who < 6, "two": who >= 6}
    return Evaluation(
        campaign=SimpleNamespace(guideline=guideline, kept_by_rule=False),  # type: ignore[arg-type]
        authors=[POLICY, SFT, BASE], subject=POLICY, baseline=SFT,
        raters="people", said=rated, by_source={"people": raters}, prompts=prompts,
        cohorts=halves if cohorts else {}, **more,
    )  # fmt: skip


def coded(column: np.ndarray[Any, Any]) -> Codes:
    values, codes = np.unique(column, return_inverse=True)
    return Codes(codes.astype(np.int64), tuple(values.tolist()))


def says(found: Evaluation, *, over: bool = True) -> str:
    return verdict_of(found, paired_tests(found), subject="the policy", baseline="SFT", over=over)


def test_a_clear_difference_can_be_claimed_and_its_limits_are_said() -> None:
    sentence = says(evaluation(lambda author, _: {"policy": 5.5, "sft": 4.0, "base": 2.0}[author]))
    assert sentence.startswith("It can be claimed that raters like these find the policy better than SFT")
    assert "not that it is so on other kinds of prompt" in sentence


def test_nothing_is_claimed_while_ratings_still_come_in() -> None:
    clear = evaluation(lambda author, _: {"policy": 5.5, "sft": 4.0, "base": 2.0}[author])
    assert says(clear, over=False).startswith("Nothing is claimed while ratings still come in")


def test_no_difference_is_no_proof_of_likeness_and_what_it_would_take_is_said() -> None:
    sentence = says(evaluation(lambda author, _: 4.15 if author == "policy" else 4.0))
    assert sentence.startswith("It cannot be claimed that the policy is better or worse than SFT; nor that the two are")
    assert "more ratings" in sentence or "none" in sentence


def test_several_comparisons_at_once_are_harder_to_pass() -> None:
    tests = paired_tests(evaluation(lambda author, _: {"policy": 4.4, "sft": 4.0, "base": 4.2}[author]))
    assert all(one.adjusted is not None and one.adjusted >= one.p_value.known() for one in tests)
    assert [one.author for one in tests] == [POLICY, BASE]


def test_the_headline_knows_of_the_other_comparisons_too() -> None:
    found = evaluation(lambda author, _: {"policy": 4.36, "sft": 4.0, "base": 4.05}[author])
    own = paired_tests(found)[0]
    assert own.p_value.known() < 0.05 < (own.adjusted or 0)
    assert not is_settled(found)
    assert claim_of(found, over=True).endswith("beside the other comparisons it may be chance.")
    assert is_settled(evaluation(lambda author, _: {"policy": 5.5, "sft": 4.0, "base": 2.0}[author]))


def test_one_rater_alone_can_claim_nothing() -> None:
    found = evaluation(lambda author, _: {"policy": 6.0, "sft": 2.0, "base": 2.0}[author], raters=2)
    assert "Nothing can be claimed" in says(found)


def test_a_taste_of_one_cohort_is_an_interaction_and_a_better_model_is_none() -> None:
    def taste(author: str, rater: int) -> float:
        return 5.0 if (author == "policy") == (rater < 6) else 3.0

    depends = interactions(evaluation(taste, cohorts=True))[0]
    assert (depends.one, depends.other) == ("one", "two")
    assert depends.figure.interval is not None
    assert depends.figure.interval.low > 2
    assert depends.adjusted is not None
    assert depends.adjusted < 0.01
    same = interactions(evaluation(lambda author, _: 5.0 if author == "policy" else 3.0, cohorts=True))[0]
    assert same.figure.interval is not None
    assert same.figure.interval.holds(0)


def spoken(found: Evaluation, *, over: bool = True) -> str:
    return said_of(interactions(found)[0], subject="the policy", baseline="SFT", over=over)


def test_that_it_depends_on_who_rates_is_claimed_together_with_what_it_costs() -> None:
    def taste(author: str, rater: int, cost: float) -> float:
        return (5.0 if (author == "policy") == (rater < 6) else 3.0) - cost * (author == "policy")

    free = evaluation(lambda author, rater: taste(author, rater, -0.5), cohorts=True)
    assert interactions(free)[0].keeps_quality
    assert spoken(free).startswith("It can be claimed that one prefers the policy to SFT by ")
    assert spoken(free).endswith("the policy is at most 0.25 worse than SFT.")
    dear = evaluation(lambda author, rater: taste(author, rater, 1.0), cohorts=True)
    assert not interactions(dear)[0].keeps_quality
    assert "it cannot that nothing is lost by it" in spoken(dear)
    assert spoken(free, over=False).startswith("Nothing is claimed while")
    alike = evaluation(lambda author, _: 5.0 if author == "policy" else 3.0, cohorts=True)
    assert spoken(alike).startswith("It cannot be claimed that it matters whether one or two rates")


def test_shared_quality_is_that_of_the_two_cohorts_alone() -> None:
    """Others, who love the subject, do not hide what it costs the two."""
    found = evaluation(lambda author, rater: 2.0 if author == "policy" and rater % 6 < 3 else 6.0, cohorts=True)
    who = found.said.labelers
    (pair,) = interactions(replace(found, cohorts={"one": who < 3, "two": (who >= 6) & (who < 9)}))
    assert found.difference(POLICY).known() == pytest.approx(-2.0, abs=0.5)
    assert pair.shared.known() == pytest.approx(-4.0, abs=0.5)


def test_without_cohorts_nothing_depends_on_them() -> None:
    assert interactions(evaluation(lambda author, _: 4.0)) == []


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ({"a": False, "b": False}, True),
        ({"a": True, "b": False}, False),
        ({"a": True}, None),
        ({"a": False, "b": None}, None),
        ({}, None),
    ],
)
def test_a_virtue_is_shown_by_answers_and_not_by_silence(flags: dict[str, bool | None], shown: bool | None) -> None:
    assert shows(["a", "b"], flags) is shown


@pytest.mark.parametrize(("kept", "shown"), [(True, True), (False, False), (None, None)])
def test_a_constraint_that_is_not_satisfied_is_not_helpful(kept: bool | None, shown: bool | None) -> None:
    helpful = next(one for one in VIRTUES if one.name == "Helpful")
    flags = {"misses_task": False, "asks_back": False, "satisfies_constraint": kept}
    assert shows(helpful.against, flags, wanted=helpful.wanted) is shown


def test_only_what_the_guideline_asks_makes_a_column() -> None:
    found = virtues_of(evaluation(lambda author, _: 4.0))
    assert [one.name for one in found] == ["Helpful", "Honest"]
    honest = {author.key: figure.value for author, figure in found[1].shares}
    assert honest == {"policy": 1.0, "sft": 1.0, "base": 0.0}


def test_a_difference_that_these_ratings_would_have_found_is_not_called_settled() -> None:
    found = evaluation(lambda author, rater: 4.0 + 0.3 * ((rater + len(author)) % 3))
    (test,) = [one for one in paired_tests(found, difference=2.0) if one.author == POLICY]
    assert not test.is_settled
    assert more_words(test).startswith("A difference of 2.00 would have been settled by these ratings")


def test_a_model_beside_itself_has_no_verdict() -> None:
    found = evaluation(lambda author, _: 4.0)
    alone = replace(found, subject=found.baseline)
    assert verdict_of(alone, paired_tests(alone), subject="SFT", baseline="SFT", over=True) == ""
