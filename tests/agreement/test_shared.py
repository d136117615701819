"""What two labelers said of the units that they share: against looking at every pair of judgments, one by one."""

from collections import defaultdict
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from labeling.agreement import Figure, Judged, gwet_ac1, krippendorff_alpha, pairwise_agreement
from labeling.agreement.clusters import shared_variance
from labeling.agreement.pairwise import agreement_between, agreement_of_each, agreement_of_pairs
from labeling.agreement.shared import Shared, shared_units
from labeling.agreement.shares import ratio_interval

LEVELS = (-1, 0, 1)


def some(seed: int, *, repeats: bool = True) -> Judged:
    """Units of one to five judgments; in some one labeler judged twice, and the rows come in any order."""
    rng = np.random.default_rng(seed)
    rows = []
    for prompt in range(15):
        for unit in range(int(rng.integers(1, 4))):
            who = rng.permutation(7)[: rng.integers(1, 6)]
            who = np.r_[who, who[:1]] if repeats and rng.random() < 0.3 else who
            rows += [(f"{prompt}-{unit}", prompt, int(one), int(rng.integers(-1, 2))) for one in who]
    return Judged.of([rows[place] for place in rng.permutation(len(rows))], levels=LEVELS, repeats="count")


def pairs_of(judged: Judged) -> list[tuple[int, int]]:
    """Rows of every two judgments of one unit, who has the lower code first."""
    found = [(i, j) for i, j in combinations(range(len(judged)), 2) if judged.units[i] == judged.units[j]]
    return [(i, j) if judged.labelers[i] <= judged.labelers[j] else (j, i) for i, j in found]


def as_rows(blocks: list[Shared]) -> dict[tuple[int, int, int], list[float]]:
    return {
        (int(prompt), int(one), int(other)): [float(number), *sums.tolist()]
        for block in blocks
        for prompt, one, other, number, sums in zip(
            block.prompts, block.first, block.second, block.pairs, block.sums, strict=True
        )
    }


@pytest.mark.parametrize("at_once", [2_000_000, 20, 1])
def test_it_sums_over_every_pair_of_judgments(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.agreement.shared.AT_ONCE", at_once)
    judged = some(1)
    rng = np.random.default_rng(2)
    symmetric, of_one = rng.normal(size=(3, 3)), np.repeat(rng.normal(size=(3, 1)), 3, axis=1)
    tables, alone = [symmetric + symmetric.T, of_one], rng.normal(size=3)
    weights = 1.0 / judged.sizes()
    expected: dict[tuple[int, int, int], np.ndarray] = defaultdict(lambda: np.zeros(3))
    for i, j in pairs_of(judged):
        key = (int(judged.prompts[i]), int(judged.labelers[i]), int(judged.labelers[j]))
        if key[1] != key[2]:
            expected[key] += [1, *(weights[i] * table[judged.values[i], judged.values[j]] for table in tables)]
    blocks = list(shared_units(judged, tables, weights=weights, alone=alone))
    found = as_rows(blocks)
    assert len(blocks) == {2_000_000: 1, 20: len(blocks), 1: 15}[at_once]
    for key, sums in expected.items():
        assert found.pop(key) == pytest.approx(sums.tolist(), abs=1e-12)
    assert all(one == other for _, one, other in found)
    selves: dict[tuple[int, int], np.ndarray] = defaultdict(lambda: np.zeros(2))
    for i, j in pairs_of(judged):
        if judged.labelers[i] == judged.labelers[j]:
            worth = weights[i] * tables[0][judged.values[i], judged.values[j]]
            selves[int(judged.prompts[i]), int(judged.labelers[i])] += [1, worth]
    for i in np.flatnonzero(judged.sizes() == 1):
        selves[int(judged.prompts[i]), int(judged.labelers[i])] += [1, weights[i] * alone[judged.values[i]]]
    assert {(prompt, one): pytest.approx(sums[:2], abs=1e-12) for (prompt, one, _), sums in found.items()} == {
        key: sums.tolist() for key, sums in selves.items()
    }


def test_no_block_holds_more_pairs_than_are_taken_at_once_unless_one_prompt_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("labeling.agreement.shared.AT_ONCE", 30)
    blocks = list(shared_units(some(1), [np.eye(3)]))
    assert len(blocks) > 3
    for block in blocks:
        assert block.pairs.sum() <= 30 or len(set(block.prompts.tolist())) == 1
    met = [set(block.prompts.tolist()) for block in blocks]
    assert not any(one & other for one, other in combinations(met, 2))


def test_nothing_judged_is_no_block() -> None:
    assert list(shared_units(Judged.of([], levels=LEVELS), [np.eye(3)])) == []


Statistic = Callable[[Judged], Figure]


@pytest.mark.parametrize(
    "statistic",
    [
        lambda judged: pairwise_agreement(judged, by="prompts and labelers"),
        lambda judged: krippendorff_alpha(judged, metric="ordinal", by="prompts and labelers"),
        lambda judged: gwet_ac1(judged, by="prompts and labelers"),
    ],
)
def test_figures_are_the_same_in_blocks(statistic: Statistic, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = statistic(some(3)).interval
    monkeypatch.setattr("labeling.agreement.shared.AT_ONCE", 9)
    parts = statistic(some(3)).interval
    assert whole is not None
    assert parts is not None
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_over_labelers_is_that_of_all_pairs_one_by_one(seed: int) -> None:
    judged = some(seed)
    pairs = np.array(pairs_of(judged))
    agree = (judged.values[pairs[:, 0]] == judged.values[pairs[:, 1]]).astype(float)
    influence = (agree - agree.mean()) / len(agree)
    variance = shared_variance(
        influence, prompts=judged.prompts[pairs[:, 0]], first=judged.labelers[pairs[:, 0]],
        second=judged.labelers[pairs[:, 1]],
    )  # fmt: skip
    figure = pairwise_agreement(judged, by="prompts and labelers")
    assert (figure.value, figure.count) == (pytest.approx(agree.mean(), abs=1e-12), len(agree))
    assert figure.interval is not None
    half = variance.reach(level=0.95) * variance.total**0.5
    assert figure.interval.low == pytest.approx(agree.mean() - half, abs=1e-9)


def checked(figure: Figure, agree: list[tuple[int, bool]]) -> None:
    """agree: the prompt of each pair, and whether the two agree."""
    assert figure.count == len(agree)
    assert figure.known() == pytest.approx(np.mean([same for _, same in agree]), abs=1e-12)
    prompts = sorted({prompt for prompt, _ in agree})
    sums = np.array([[sum(s for q, s in agree if q == p), sum(q == p for q, _ in agree)] for p in prompts], dtype=float)
    expected = ratio_interval(figure.known(), sums)
    if isinstance(expected, str):
        assert figure.interval_reason == expected
    else:
        assert figure.interval is not None
        ends = (figure.interval.low, figure.interval.high)
        assert ends == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_each_labeler_each_two_and_each_two_groups_are_those_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.agreement.shared.AT_ONCE", 9)
    judged = some(5, repeats=False)
    groups = judged.labelers % 3 - (judged.labelers == 6)
    of_each, of_two, between = defaultdict(list), defaultdict(list), defaultdict(list)
    for i, j in pairs_of(judged):
        said = (int(judged.prompts[i]), bool(judged.values[i] == judged.values[j]))
        one, other = (judged.names[judged.labelers[row]] for row in (i, j))
        of_two[one, other].append(said)
        of_each[one].append(said)
        of_each[other].append(said)
        if min(groups[i], groups[j]) >= 0:
            between[tuple(sorted((int(groups[i]), int(groups[j]))))].append(said)
    for found, expected in (
        (agreement_of_each(judged, intervals=True), of_each),
        (agreement_of_pairs(judged, intervals=True), of_two),
        (agreement_between(judged, groups), between),
    ):
        assert found.keys() == expected.keys()
        for key, agree in expected.items():
            checked(found[key], agree)


def test_a_labeler_who_judged_a_unit_again_agrees_with_themself_once() -> None:
    rows = [(0, 0, "ada", 1), (0, 0, "ada", -1), (0, 0, "ben", 1)]
    found = agreement_of_each(Judged.of(rows, levels=LEVELS, repeats="count"))
    assert (found["ada"].count, found["ada"].value) == (3, pytest.approx(1 / 3))
    assert (found["ben"].count, found["ben"].value) == (2, pytest.approx(1 / 2))
