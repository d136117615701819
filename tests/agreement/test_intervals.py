"""Intervals of agreement: over prompts, and over prompts and labelers."""

import numpy as np
import pytest

from labeling.agreement import Figure, Judged, gwet_ac1, krippendorff_alpha, pairwise_agreement
from labeling.agreement.figures import Totals
from labeling.agreement.intervals import By, bootstrap_by_prompt

from .simulated import Coverage, Labelers, agreement_studies, judged

STATISTICS = (pairwise_agreement, gwet_ac1, lambda data, by: krippendorff_alpha(data, metric="ordinal", by=by))


def some(prompts: int, labelers: int) -> Judged:
    rng = np.random.default_rng(4)
    people = Labelers.drawn(labelers, rng)
    return judged(people, Labelers.orders, (-1, 0, 1), prompts=prompts, overlap=3, rng=rng)


@pytest.mark.parametrize("by", ["prompts", "prompts and labelers"])
def test_95_percent_intervals_cover_what_was_put_in(by: By) -> None:
    """200 studies by 20 labelers; the trial has 2,000 and asserts 92 to 98 %. Chance alone gives 91 to 98.5 % here."""
    for found in Coverage.of_each(agreement_studies(200, number=20, prompts=60, by=by)).values():
        assert 0.91 <= found.share_covered <= 0.985, found
        assert abs(found.bias) < found.spread / 3, found


def test_speaking_of_people_and_not_of_these_persons_is_wider() -> None:
    data = some(60, 8)
    for statistic in STATISTICS:
        these, people = (statistic(data, by=by).interval for by in ("prompts", "prompts and labelers"))
        assert these is not None
        assert people is not None
        assert people.high - people.low > 1.1 * (these.high - these.low)


def test_the_same_judgments_give_the_same_interval_twice() -> None:
    assert pairwise_agreement(some(30, 6), by="prompts") == pairwise_agreement(some(30, 6), by="prompts")


def test_copying_each_unit_within_its_prompt_does_not_feign_certainty() -> None:
    data = some(30, 6)
    units = int(data.units.max()) + 1
    twice = Judged(
        units=np.r_[data.units, data.units + units],
        prompts=np.tile(data.prompts, 2),
        labelers=np.tile(data.labelers, 2),
        values=np.tile(data.values, 2),
        levels=data.levels,
        names=data.names,
    )
    for by in ("prompts", "prompts and labelers"):
        once, copied = (pairwise_agreement(one, by=by).interval for one in (data, twice))
        assert once is not None
        assert copied is not None
        assert (copied.low, copied.high) == pytest.approx((once.low, once.high), abs=1e-9)


def test_few_prompts_have_no_interval_and_say_so() -> None:
    figure = pairwise_agreement(some(4, 6), by="prompts")
    assert figure.defined
    assert figure.interval is None
    assert figure.interval_reason.startswith("4 prompts are too few")


def test_two_labelers_are_not_all_people() -> None:
    data = some(30, 3)
    two = data.only(data.labelers < 2)
    assert "30 prompts and 2 labelers" in pairwise_agreement(two, by="prompts and labelers").interval_reason


def test_unknown_labelers_leave_only_the_interval_over_prompts() -> None:
    rows = [(u, u, None, int(v)) for u in range(30) for v in np.random.default_rng(u).integers(2, size=3)]
    data = Judged.of(rows)
    assert pairwise_agreement(data, by="prompts").interval is not None
    assert "name no labeler" in pairwise_agreement(data, by="prompts and labelers").interval_reason


def test_unanimity_gives_no_interval_of_no_width() -> None:
    data = Judged.of([(u, u, w, u % 2) for u in range(30) for w in range(3)])
    assert "Every resample" in pairwise_agreement(data, by="prompts").interval_reason
    assert "Nothing varies" in pairwise_agreement(data, by="prompts and labelers").interval_reason


def test_a_figure_that_most_resamples_lack_has_no_interval() -> None:
    """One prompt of ten has any variation: a third of the resamples are all alike, and alpha is undefined there."""
    data = Judged.of([(u, u, w, int(u == 0 and w == 0)) for u in range(10) for w in range(2)])
    assert "more than one in twenty" in krippendorff_alpha(data, metric="nominal", by="prompts").interval_reason


def test_the_bootstrap_of_a_mean_is_the_textbook_interval() -> None:
    """Of 400 values, within a twentieth of its width."""
    values = np.random.default_rng(1).normal(size=400)
    totals = Totals(sums=np.column_stack([values, np.ones(400)]), statistic=lambda sums: sums[:, 0] / sums[:, 1])
    found = bootstrap_by_prompt(totals, replicates=4000)
    assert not isinstance(found, str)
    half = 1.96 * values.std(ddof=1) / 20
    assert found.low == pytest.approx(values.mean() - half, abs=half / 10)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 10)


def test_resamples_are_drawn_in_pieces_without_changing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    data = some(30, 6)
    whole = pairwise_agreement(data, by="prompts")
    monkeypatch.setattr("labeling.agreement.intervals.AT_ONCE", 30 * 7)
    assert pairwise_agreement(data, by="prompts") == whole


def test_an_interval_says_over_what_it_speaks() -> None:
    figure: Figure = pairwise_agreement(some(30, 6), by="prompts and labelers")
    assert figure.interval is not None
    assert figure.interval.clusters == "prompts and labelers"
    assert figure.interval.holds(figure.known())
