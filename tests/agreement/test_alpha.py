"""Krippendorff's alpha: by hand, against the plain definition, against a library, and where it is undefined."""

from itertools import permutations
from typing import Any

import krippendorff
import numpy as np
import pytest

from labeling.agreement import Judged, krippendorff_alpha
from labeling.agreement.alpha import Metric

METRICS: tuple[Metric, ...] = ("nominal", "ordinal", "interval")


def random_judged(seed: int, *, levels: int = 5, units: int = 30, labelers: int = 4) -> tuple[Judged, np.ndarray]:
    """Judgments with gaps, and the same as a table of labelers by units with NaN in the gaps."""
    rng = np.random.default_rng(seed)
    quality = rng.integers(levels, size=units)
    table = np.clip(quality + rng.integers(-1, 2, size=(labelers, units)), 0, levels - 1).astype(float)
    table[rng.random(table.shape) < 0.4] = np.nan
    rows = [(u, u // 3, w, None if np.isnan(v) else int(v)) for (w, u), v in np.ndenumerate(table)]
    return Judged.of(rows, levels=range(levels)), table


def plain_alpha(table: np.ndarray, metric: Metric) -> float:
    """Mean squared distance within units over that of all values, value by value as it is defined."""
    columns = [[v for v in column if not np.isnan(v)] for column in table.T]
    columns = [column for column in columns if len(column) > 1]
    values = [v for column in columns for v in column]

    def distance(a: float, b: float) -> float:
        if metric == "nominal":
            return float(a != b)
        if metric == "interval":
            return (a - b) ** 2
        low, high = sorted((a, b))
        between = sum(low <= v <= high for v in values) - (values.count(low) + values.count(high)) / 2
        return between**2

    observed = sum(distance(a, b) / (len(column) - 1) for column in columns for a, b in permutations(column, 2))
    expected = sum(distance(a, b) for a, b in permutations(values, 2)) / (len(values) - 1)
    return 1 - observed / expected


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_the_definition_and_with_a_library(metric: Metric, seed: int) -> None:
    judged, table = random_judged(seed)
    found = krippendorff_alpha(judged, metric=metric).known()
    assert found == pytest.approx(plain_alpha(table, metric), abs=1e-12)
    domain = list(range(5))
    assert found == pytest.approx(
        krippendorff.alpha(table, level_of_measurement=metric, value_domain=domain), abs=1e-12
    )


def test_two_labelers_by_hand() -> None:
    """Values 1 1, 1 2, 2 2: one unit of three differs, o_12 = 1, n_1 = n_2 = 3: 1 - 5 * 2 / (2 * 9) = 4 / 9."""
    rows = [(u, u, w, v) for u, pair in enumerate([(1, 1), (1, 2), (2, 2)]) for w, v in enumerate(pair)]
    for metric in METRICS:
        assert krippendorff_alpha(Judged.of(rows), metric=metric).known() == pytest.approx(4 / 9)


def test_an_ordinal_alpha_knows_only_the_order() -> None:
    judged, _ = random_judged(5)
    stretched = Judged.of(
        [
            (int(u), 0, int(w), 10 ** int(v))
            for u, w, v in zip(judged.units, judged.labelers, judged.values, strict=True)
        ],
        levels=[10**v for v in range(5)],
    )
    ordinal, wide = (krippendorff_alpha(one, metric="ordinal").known() for one in (judged, stretched))
    assert ordinal == pytest.approx(wide)
    assert krippendorff_alpha(judged, metric="interval").known() != pytest.approx(
        krippendorff_alpha(stretched, metric="interval").known()
    )


def test_a_level_that_nobody_used_changes_nothing() -> None:
    rows = [(u, u, w, v) for u, pair in enumerate([(1, 1), (1, 3), (3, 3)]) for w, v in enumerate(pair)]
    for metric in METRICS:
        few, many = (krippendorff_alpha(Judged.of(rows, levels=some), metric=metric) for some in ([1, 3], [1, 2, 3]))
        assert few.known() == pytest.approx(many.known())


def test_units_with_one_judgment_say_nothing() -> None:
    rows = [(u, u, w, v) for u, pair in enumerate([(1, 1), (1, 2), (2, 2)]) for w, v in enumerate(pair)]
    more = [*rows, ("alone", "alone", 0, 2)]
    assert krippendorff_alpha(Judged.of(more), metric="nominal").known() == pytest.approx(4 / 9)


def test_constant_ratings_have_no_alpha_and_say_so() -> None:
    figure = krippendorff_alpha(
        Judged.of([(u, u, w, 7) for u in range(9) for w in range(2)], levels=range(1, 8)), metric="ordinal"
    )
    assert figure.value is None
    assert "All judgments are 7" in figure.reason


def test_one_rater_has_no_alpha_and_says_so() -> None:
    figure = krippendorff_alpha(Judged.of([(u, u, "ada", u) for u in range(5)]), metric="nominal")
    assert "judged by two labelers" in figure.reason
    assert "judged by two labelers" in krippendorff_alpha(Judged.of([]), metric="nominal").reason


def test_an_interval_scale_needs_numbers() -> None:
    judged = Judged.of([(0, 0, w, v) for w, v in enumerate(("Yes", "No"))])
    with pytest.raises(ValueError, match="The level 'Yes' is not a number"):
        krippendorff_alpha(judged, metric="interval")


def test_of_comparisons_it_does_not_matter_which_response_is_called_the_first() -> None:
    """The same answers, once with the better response always first, once turned over at random."""
    chance = np.random.default_rng(3)
    better = chance.random((200, 1)) < 0.9
    said = np.where(chance.random((200, 2)) < 0.9, better, ~better)
    turned = chance.random((200, 1)) < 0.5

    def alpha(values: Any, **how: bool) -> float:
        rows = [(unit, unit, f"L{who}", int(values[unit, who])) for unit in range(200) for who in range(2)]
        return krippendorff_alpha(Judged.of(rows, levels=(0, 1)), metric="nominal", by="prompts", **how).known()

    assert alpha(said) < alpha(said ^ turned) - 0.2
    assert alpha(said, mirrored=True) == pytest.approx(alpha(said ^ turned, mirrored=True))
    assert alpha(said, mirrored=True) == pytest.approx(alpha(said ^ turned), abs=0.02)
