"""Do 95 % intervals of the figures that claims rest on hold what was put in? 200 studies each by 20 labelers; the trial
has 2,000 and asserts 92 to 98 %. Chance alone gives 91 to 98.5 % here."""

from collections.abc import Iterator

import pytest

from .simulated import Coverage, Study, evaluation_studies
from .simulated_cohorts import interaction_studies, matrix_studies
from .simulated_orders import each_labeler_studies, order_studies, ordinal_studies

STUDIES = 200


def hold(studies: Iterator[Study], *names: str) -> None:
    found = Coverage.of_each(studies)
    assert set(names) <= found.keys()
    for name in names:
        assert 0.91 <= found[name].share_covered <= 0.985, found[name]
        assert abs(found[name].bias) < found[name].spread / 3, found[name]


@pytest.mark.parametrize("single", [True, False])
def test_the_interaction_and_shared_quality_of_an_evaluation_two_by_two(single: bool) -> None:
    hold(interaction_studies(STUDIES, number=20, prompts=60, single=single), "interaction", "shared quality")


def test_a_mean_and_a_difference_where_each_response_is_handed_out_by_itself() -> None:
    hold(evaluation_studies(STUDIES, number=20, prompts=40, single=True), "mean", "difference")


def test_differences_of_the_matrix_of_reward_models() -> None:
    hold(
        matrix_studies(STUDIES, number=20, prompts=20),
        "told less wrong", "own less equal", "told less wrong, terse", "accuracy, told", "agreement, terse",
    )  # fmt: skip


def test_ordinal_alpha_of_ratings() -> None:
    hold(ordinal_studies(STUDIES, number=20, prompts=60, by="prompts"), "alpha, ordinal")
    hold(ordinal_studies(STUDIES, number=20, prompts=60, by="prompts and labelers"), "alpha, ordinal")


def test_tau_b_and_w() -> None:
    hold(order_studies(STUDIES, number=20, prompts=40, sets=2), "tau-b", "Kendall's W")


def test_the_agreement_of_each_labeler() -> None:
    hold(each_labeler_studies(STUDIES // 10, number=20, prompts=400), "agreement of a labeler")
