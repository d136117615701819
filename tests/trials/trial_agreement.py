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
