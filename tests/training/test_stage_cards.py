"""How figures and durations are written on the page of a round."""

import pytest

from training.durations import duration
from training.views.curves import scale_of
from training.views.stage_cards import signed


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3599, "59 min"), (4320, "1 h 12 min"), (200_000, "2 d 7 h")],
)
def test_a_duration_has_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-0.37", "−0.37"),
        ("-0.000", "0.000"),
        ("-0", "0"),
        ("-0.001", "−0.001"),
        ("held-out -3", "held-out −3"),
        ("1e-5", "1e−5"),
    ],
)
def test_minus_is_a_minus_and_nothing_is_minus_zero(text: str, shown: str) -> None:
    assert signed(text) == shown


@pytest.mark.parametrize(
    ("values", "edges"), [([], (0, 1)), ([3, 3], (3, 6)), ([8.05, 8.34], (8.04, 8.34)), ([-0.2, 0.1], (-0.2, 0.1))]
)
def test_the_edges_of_a_curve_hold_all_its_values(values: list[float], edges: tuple[float, float]) -> None:
    low, high = scale_of(values)
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
    assert high > low
    assert low == pytest.approx(edges[0], abs=0.05 * (high - low))
