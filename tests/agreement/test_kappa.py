"""Gwet's AC1 and Fleiss' kappa."""

import numpy as np
import pytest
from statsmodels.stats.inter_rater import fleiss_kappa as reference_kappa

from labeling.agreement import Judged, fleiss_kappa, gwet_ac1, krippendorff_alpha


def from_pairs(pairs: list[tuple[str, str]], levels: tuple[str, ...]) -> Judged:
    return Judged.of(((u, u, w, v) for u, pair in enumerate(pairs) for w, v in enumerate(pair)), levels=levels)


def test_ac1_of_two_raters_by_hand() -> None:
    """118 times no, 5 yes, 2 disagreements of 125: p_a = 123/125, pi = 12/250, p_e = 2 pi (1 - pi)."""
    judged = from_pairs([("no", "no")] * 118 + [("yes", "yes")] * 5 + [("yes", "no")] * 2, ("no", "yes"))
    chance = 2 * (12 / 250) * (1 - 12 / 250)
    assert gwet_ac1(judged).known() == pytest.approx((123 / 125 - chance) / (1 - chance))


def test_a_rare_flag_on_which_all_nearly_agree_is_not_called_chance() -> None:
    judged = from_pairs([("no", "no")] * 118 + [("yes", "no")] * 7, ("no", "yes"))
    assert krippendorff_alpha(judged, metric="nominal").known() < 0
    assert gwet_ac1(judged).known() > 0.9


def test_ac1_of_a_flag_that_nobody_raised_is_one() -> None:
    figure = gwet_ac1(from_pairs([("no", "no")] * 20, ("no", "yes")), by="prompts")
    assert figure.value == 1.0
    assert figure.interval is None
    assert "same figure" in figure.interval_reason


def test_ac1_needs_the_values_that_could_have_been_given() -> None:
    assert "Only one value" in gwet_ac1(from_pairs([("no", "no")] * 3, ("no",))).reason


def test_fleiss_kappa_agrees_with_a_library() -> None:
    rng = np.random.default_rng(3)
    counts = rng.multinomial(5, [0.2, 0.3, 0.5], size=40)
    rows = [(u, u, None, v) for u, row in enumerate(counts) for v, count in enumerate(row) for _ in range(count)]
    assert fleiss_kappa(Judged.of(rows)).known() == pytest.approx(reference_kappa(counts), abs=1e-12)


def test_fleiss_kappa_refuses_units_of_different_sizes() -> None:
    judged = Judged.of([("u", "u", w, w % 2) for w in range(3)] + [("v", "v", w, 0) for w in range(2)])
    assert "Units have 2 to 3 judgments" in fleiss_kappa(judged).reason


def test_undefined_kappas_say_why() -> None:
    assert "All judgments are 'no'" in fleiss_kappa(from_pairs([("no", "no")] * 3, ("no", "yes"))).reason
    for statistic in (fleiss_kappa, gwet_ac1):
        assert "judged by two labelers" in statistic(Judged.of([(u, u, "ada", u) for u in range(2)])).reason
        assert not statistic(Judged.of([], levels=(0, 1))).defined
