"""Do 95 % intervals hold what they promise? 2,000 simulated studies a row, ten minutes: `make trial PART=agreement`.

Labelers differ in ability, bias and taste; raters in leniency, noise and taste. What was put in is known exactly.
Asserted from 20 labelers on, with even loads; smaller numbers and uneven loads are printed as they are.
"""

import os

import pytest

from labeling.agreement.intervals import By
from tests.agreement.simulated import (
    Coverage,
    ability_studies,
    agreement_studies,
    alarm_rate,
    evaluation_studies,
    rival_coverage,
)
from tests.agreement.simulated_cohorts import interaction_studies, matrix_studies
from tests.agreement.simulated_orders import each_labeler_studies, order_studies, ordinal_studies

STUDIES = int(os.environ.get("ACCORD_TRIAL_STUDIES", "2000"))
PROMPTS = 60
RATED_PROMPTS = 100


def show(title: str, found: dict[str, Coverage]) -> None:
    for name, one in found.items():
        print(
            f"\n| {title} | {name} | {100 * one.share_covered:.1f} | {one.bias:+.4f} | {one.spread:.4f} "
            f"| {one.half_width:.4f} |",
            end="",
        )


def hold(found: dict[str, Coverage]) -> None:
    for one in found.values():
        assert 0.92 <= one.share_covered <= 0.98, one
        assert abs(one.bias) < one.spread / 4, one


@pytest.mark.parametrize("by", ["prompts", "prompts and labelers"])
@pytest.mark.parametrize("number", [40, 20, 10, 5])
def test_agreement_intervals_cover_what_was_put_in(number: int, by: By) -> None:
    found = Coverage.of_each(agreement_studies(STUDIES, number=number, prompts=PROMPTS, by=by))
    show(f"{number} labelers, by {by}", found)
    if number >= 20:
        hold(found)


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("number", [40, 20, 10, 5, 3])
def test_evaluation_intervals_cover_what_was_put_in(number: int, uneven: bool) -> None:
    found = Coverage.of_each(evaluation_studies(STUDIES, number=number, prompts=RATED_PROMPTS, uneven=uneven))
    show(f"{number} raters, {'uneven' if uneven else 'even'}", found)
    if number >= 20 and not uneven:
        hold(found)


@pytest.mark.parametrize("number", [40, 20, 10, 5])
def test_intervals_cover_where_each_response_is_handed_out_by_itself(number: int) -> None:
    found = Coverage.of_each(evaluation_studies(STUDIES, number=number, prompts=RATED_PROMPTS, single=True))
    show(f"{number} raters, single responses", found)
    # Whoever rated both of a prompt is met by chance: of so few a win rate's interval is wider than it need be.
    wins = found.pop("win rate")
    assert wins.share_covered >= 0.92
    if number >= 20:
        hold(found)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("number", [40, 20, 10])
def test_intervals_of_an_interaction_cover_what_was_put_in(number: int, single: bool) -> None:
    """Half of the raters are of each cohort."""
    found = Coverage.of_each(interaction_studies(STUDIES, number=number, prompts=RATED_PROMPTS, single=single))
    show(f"{number} raters, {'single responses' if single else 'the same people'}", found)
    if number >= 20:
        hold(found)


@pytest.mark.parametrize("number", [40, 20, 10, 6])
def test_intervals_of_the_matrix_cover_what_was_put_in(number: int) -> None:
    """Half of the held-out labelers are of each cohort; six are the fewest of whom anything is said."""
    found = Coverage.of_each(matrix_studies(STUDIES, number=number, prompts=PROMPTS))
    show(f"{number} held-out labelers", found)
    if number >= 20:
        hold(found)


@pytest.mark.parametrize("by", ["prompts", "prompts and labelers"])
@pytest.mark.parametrize("number", [40, 20, 10, 5])
def test_intervals_of_ordinal_alpha_cover_what_was_put_in(number: int, by: By) -> None:
    found = Coverage.of_each(ordinal_studies(STUDIES, number=number, prompts=PROMPTS, by=by))
    show(f"{number} labelers, by {by}", found)
    if number >= 20:
        hold(found)


@pytest.mark.parametrize(("number", "prompts"), [(40, 60), (20, 60), (10, 60), (5, 60), (20, 20)])
def test_intervals_of_orders_cover_what_was_put_in(number: int, prompts: int) -> None:
    found = Coverage.of_each(order_studies(STUDIES, number=number, prompts=prompts))
    show(f"{number} labelers, {prompts} prompts", found)
    if number >= 20 and prompts >= 60:
        hold(found)


@pytest.mark.parametrize(("number", "prompts"), [(40, 400), (20, 400), (20, 200), (20, 100), (10, 100)])
def test_intervals_of_each_labeler_cover_what_was_put_in(number: int, prompts: int) -> None:
    """Each labeler of each study is one estimate; how many prompts they judged is what counts."""
    found = Coverage.of_each(each_labeler_studies(STUDIES // 10, number=number, prompts=prompts))
    show(f"{number} labelers, {prompts * 3 // number} prompts each", found)


@pytest.mark.parametrize("number", [40, 20, 10])
def test_ability_and_lean_are_those_that_were_put_in(number: int) -> None:
    """Each labeler of each study is one estimate; ten prompts a labeler, three pairs each, judged by two."""
    found = Coverage.of_each(ability_studies(STUDIES, number=number, prompts=10 * number))
    show(f"{number} labelers", found)
    if number >= 20:
        hold(found)


@pytest.mark.parametrize("by", ["prompts", "prompts and labelers"])
def test_few_prompts_are_printed_as_they_are(by: By) -> None:
    show(
        f"20 labelers, 20 prompts, by {by}", Coverage.of_each(agreement_studies(STUDIES, number=20, prompts=20, by=by))
    )


@pytest.mark.parametrize("number", [20, 5])
def test_the_intervals_that_were_not_chosen_cover_less_or_too_much(number: int) -> None:
    found = rival_coverage(STUDIES, number=number, prompts=RATED_PROMPTS)
    for name, share in found.items():
        print(f"\n| {number} raters | {name} | {100 * share:.1f} |", end="")
    assert found["rows independent"] < 0.8


@pytest.mark.parametrize(("judgments", "responses"), [(300, 2), (300, 4), (60, 9), (12, 4)])
def test_an_absent_position_bias_raises_few_alarms_and_a_planted_one_many(judgments: int, responses: int) -> None:
    absent = alarm_rate(STUDIES, judgments=judgments, responses=responses, habit=0.0)
    planted = alarm_rate(STUDIES, judgments=judgments, responses=responses, habit=0.8, seed=1)
    print(f"\n| {judgments} rankings of {responses} | {100 * absent:.1f} | {100 * planted:.1f} |", end="")
    assert absent <= 0.07
    if judgments == 300:
        assert planted >= 0.95
