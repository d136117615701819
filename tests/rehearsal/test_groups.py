"""The study of the rehearsal's two cohorts: who learns from whom, and the page."""

from labeling.agreement.matrix import ALL, EQUAL, OWN, TOLD, WRONG, HeldOut
from labeling.evaluating import Rating
from training.rehearsal.groups import as_many, only_by
from training.rehearsal.groups_page import (
    NOT_LOWER,
    POOLED,
    Groups,
    interaction_of,
    page_of,
    shared_quality_of,
    told_name,
)
from training.rehearsal.phrases import COHORTS
from training.rlhf.contract.records import Answer, Message, Ranking, RankingJudgment
from training.verdicts import MARGIN


def rankings() -> list[Ranking]:
    return [
        Ranking(
            id=f"p{number}", messages=(Message(role="user", content="Why?"),),
            responses=(Answer(id="a", text="a"), Answer(id="b", text="b")),
            judged=tuple(
                RankingJudgment(labeler=f"{cohort}-{place}", ranks=(1, 2), condition=cohort)
                for cohort in COHORTS
                for place in range(2)
            ),
        )
        for number in range(6)
    ]  # fmt: skip


def test_a_cohort_alone_and_as_many_of_everybody_are_as_many_rankings_of_the_same_prompts() -> None:
    own = only_by(rankings(), "warm")
    assert {said.condition for row in own for said in row.judged} == {"warm"}
    many = as_many(rankings(), seed=4)
    assert [(row.id, len(row.judged)) for row in many] == [(row.id, len(row.judged)) for row in own]
    assert {said.condition for row in many for said in row.judged} == set(COHORTS)
    assert many == as_many(rankings(), seed=4) != as_many(rankings(), seed=5)


def two_by_two() -> list[Rating]:
    """Told for the rater's own cohort 5 or 6, for the other 3; the pooled policy 4."""
    return [
        Rating(
            generator=(system, cohort), prompt=prompt, labeler=f"{cohort} {rater}",
            value={told_name(cohort): 5 + prompt % 2, POOLED: 4}.get(system, 3),
        )
        for system in (*map(told_name, COHORTS), POOLED)
        for cohort in COHORTS
        for rater in range(3)
        for prompt in range(10)
    ]  # fmt: skip


def test_the_interaction_and_the_quality_for_ones_own_are_those_worked_by_hand() -> None:
    assert round(interaction_of(two_by_two()).known(), 9) == 2 * (5.5 - 3)
    assert round(shared_quality_of(two_by_two()).known(), 9) == 5.5 - 4


def test_the_page_has_the_matrix_the_interaction_and_what_can_be_claimed() -> None:
    scores = {ALL: [2.0, 1.0], EQUAL: [1.0, 2.0], OWN: [2.0, 1.0], TOLD: [2.0, 1.0], WRONG: [1.0, 2.0]}
    held_out = [
        HeldOut(prompt=prompt, labeler=rater, cohort=cohort, ranks=[1, 2], scores=scores)
        for cohort in COHORTS
        for prompt in range(20)
        for rater in range(3)
    ]
    traits = dict.fromkeys(("right", "second fact", "idle sentences", "own questions", "ended", "words"), 0.5)
    found = Groups(held_out={4: held_out}, ratings=two_by_two(), traits={POOLED: traits}, cpu_seconds={4: 61.0})
    page = page_of(found, command="python -m training.rehearsal.groups", recipe="short")
    assert "| conditioned, wrong name | 0.000" in page
    assert "the interaction is 5.00" in page
    assert "| 4 | terse | 1.000 | 0.000 | 1.000 | 1.000 | 0.000 | 1.000 |" in page


def test_a_loss_counts_as_none_here_as_on_the_page_of_an_evaluation() -> None:
    assert NOT_LOWER == MARGIN
