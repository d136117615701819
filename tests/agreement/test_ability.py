"""Ability of labelers: what was put in comes out, and who is unknown has a reason."""

import numpy as np
import pytest

from labeling.agreement import Judged
from labeling.agreement.ability import Ability, abilities

from .simulated import Coverage, ability_studies
from .simulated import compared_by_ability as study

pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def found() -> dict[str, Ability]:
    judged, shown = study(ability=[0.5, 1.0, 2.0, 4.0] * 3, lean=[0.0] * 9 + [1.0] * 3, prompts=1_200)
    return abilities(judged, shown=shown)


def test_who_sees_more_sharply_comes_out_above(found: dict[str, Ability]) -> None:
    values = [found[f"L{code}"].ability.known() for code in range(12)]
    means = [np.mean(values[kind::4]) for kind in range(4)]
    assert means == sorted(means)
    assert means[3] / means[0] > 3


def test_a_lean_to_what_is_shown_first_is_found_where_it_was_put(found: dict[str, Ability]) -> None:
    leans = [found[f"L{code}"].first for code in range(12)]
    assert all(one.interval is not None and one.interval.low > 0 for one in leans[9:])
    assert sum(one.interval is not None and not one.interval.holds(0) for one in leans[:9]) <= 2


def test_intervals_hold_what_was_put_in(found: dict[str, Ability]) -> None:
    put_in = np.array([0.5, 1.0, 2.0, 4.0] * 3)
    put_in /= np.exp(np.log(put_in).mean())
    held = [
        interval.holds(put_in[code])
        for code in range(12)
        if (interval := found[f"L{code}"].ability.interval) is not None
    ]
    assert sum(held) >= 10


def test_weights_follow_ability_and_stay_in_reach(found: dict[str, Ability]) -> None:
    weights = [found[f"L{code}"].weight for code in range(12)]
    assert max(weights) <= 2.0
    assert min(weights) >= 0.25
    assert weights[3] > weights[0]


def test_the_gradient_is_that_of_the_likelihood() -> None:
    from labeling.agreement.ability import _Model, _shared

    judged, shown = study(ability=[0.5, 2.0, 1.0], lean=[0.3, 0.0, -0.3], prompts=60)
    model = _Model.of(judged, _shared(judged), np.arange(3), shown)
    at = np.array([0.1, -0.2, 0.3, 0.2, -0.1, 0.4, -0.5])
    _, gradient = model.loss(at)
    for place in range(len(at)):
        step = np.zeros(len(at))
        step[place] = 1e-6
        slope = (model.loss(at + step)[0] - model.loss(at - step)[0]) / 2e-6
        assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_who_shares_too_little_has_a_reason_and_the_weight_of_everybody() -> None:
    judged, shown = study(ability=[1.0, 1.0, 1.0], lean=[0.0] * 3, prompts=4)
    for one in abilities(judged, shown=shown).values():
        assert one.ability.value is None
        assert "Fewer than 30" in one.ability.reason
        assert one.weight == 1.0


def test_the_reason_rests_on_what_was_shared_and_says_how_many_more_would_do() -> None:
    judged, shown = study(ability=[1.0] * 12, lean=[0.0] * 12, prompts=24)
    shared = np.bincount(judged.labelers)
    for code, one in enumerate(abilities(judged, shown=shown).values()):
        assert f"shared with others: {shared[code]}; {30 - shared[code]} more would do" in one.ability.reason


def test_of_many_labelers_each_who_shares_enough_has_an_ability() -> None:
    """Of 27,000 pairs 6,000 are enough; drawn without regard to labelers, that is 40 judgments each."""
    judged, shown = study(ability=[1.5] * 300, lean=[0.0] * 300, prompts=9_000)
    found = abilities(judged, shown=shown)
    assert all(one.ability.value is not None for one in found.values())
    assert min(one.ability.count for one in found.values()) >= 30


def test_who_sees_the_opposite_of_the_others_weighs_least_however_sharp() -> None:
    judged, shown = study(ability=[2.0] * 24 + [-2.0] * 6, lean=[0.0] * 30, prompts=1_000)
    weights = [one.weight for one in abilities(judged, shown=shown).values()]
    assert max(weights[24:]) < 0.3
    assert min(weights[:24]) > 0.8


def test_without_orders_nothing_is_said_of_place() -> None:
    judged, _ = study(ability=[1.0, 2.0, 1.0], lean=[0.0] * 3, prompts=150)
    assert all(one.first.value is None for one in abilities(judged).values())


def test_it_refuses_what_is_no_comparison() -> None:
    ratings = Judged.of([("a", "p", "x", 3), ("a", "p", "y", 4)])
    with pytest.raises(ValueError, match="comparisons"):
        abilities(ratings)


def test_95_percent_intervals_cover_the_ability_and_the_lean_that_were_put_in() -> None:
    """A few studies by 20 labelers; the trial has 2,000 and asserts 92 to 98 %. Labelers of one study are no
    independent draws, and chance alone gives 90 to 99 % here."""
    for found in Coverage.of_each(ability_studies(6, number=20, prompts=200)).values():
        assert 0.90 <= found.share_covered <= 0.99, found
        assert abs(found.bias) < found.spread / 3, found
