"""Pairwise agreement and how ties enter it."""

from itertools import combinations

import numpy as np
import pytest

from labeling.agreement import Judged, Ranking, agreement_of_each, agreement_of_pairs, comparisons, pairwise_agreement
from labeling.agreement.pairwise import Ties


def two(first: list[int | None], second: list[int | None]) -> Judged:
    return comparisons(
        [Ranking(prompt="p", labeler="ada", ranks=first), Ranking(prompt="p", labeler="ben", ranks=second)]
    )


@pytest.mark.parametrize(("ties", "share", "count"), [("answer", 1 / 3, 3), ("left out", 1 / 2, 2), ("half", 1 / 2, 3)])
def test_a_tie_against_a_preference_counts_as_the_convention_says(ties: Ties, share: float, count: int) -> None:
    """B A C against A BC: A and B the other way round, A and C the same, B and C tied by one of the two."""
    figure = pairwise_agreement(two([2, 1, 3], [1, 2, 2]), ties=ties)
    assert figure.known() == pytest.approx(share)
    assert figure.count == count


def test_tie_and_tie_agree() -> None:
    assert pairwise_agreement(two([1, 1], [1, 1])).value == 1.0
    assert pairwise_agreement(two([1, 1], [1, 1]), ties="half").value == 1.0
    untied = pairwise_agreement(two([1, 1, 2], [1, 1, 2]), ties="left out")
    assert (untied.value, untied.count) == (1.0, 2)
    assert "ties left out nothing remains" in pairwise_agreement(two([1, 1], [1, 1]), ties="left out").reason


def test_ranks_with_gaps_are_the_same_order() -> None:
    assert pairwise_agreement(two([1, 1, 3], [1, 1, 2])).value == 1.0


def test_a_response_that_one_did_not_rank_is_left_out() -> None:
    assert pairwise_agreement(two([1, 2, None], [1, 2, 3])).count == 1


def test_it_refuses_rankings_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="Prompt 'p' was ranked with 2 and with 3 responses"):
        two([1, 2], [1, 2, 3])


def test_leaving_out_ties_needs_comparisons() -> None:
    judged = Judged.of([(0, 0, w, "no") for w in range(2)])
    with pytest.raises(ValueError, match="needs comparisons"):
        pairwise_agreement(judged, ties="half")


def test_one_labeler_alone_agrees_with_nobody() -> None:
    assert (
        "judged by two labelers" in pairwise_agreement(comparisons([Ranking(prompt=0, labeler=0, ranks=[1, 2])])).reason
    )


def test_it_agrees_with_counting_one_by_one() -> None:
    rng = np.random.default_rng(0)
    rankings = [
        Ranking(prompt=prompt, labeler=labeler, ranks=rng.integers(1, 4, size=4).tolist())
        for prompt in range(12)
        for labeler in rng.permutation(6)[: rng.integers(1, 5)].tolist()
    ]
    agree, total = 0, 0
    for one, other in combinations(rankings, 2):
        if one.prompt == other.prompt:
            for i, j in combinations(range(4), 2):
                total += 1
                agree += np.sign(one.ranks[i] - one.ranks[j]) == np.sign(other.ranks[i] - other.ranks[j])  # type: ignore[operator]
    figure = pairwise_agreement(comparisons(rankings))
    assert figure.count == total
    assert figure.known() == pytest.approx(agree / total)
    of_pairs = agreement_of_pairs(comparisons(rankings))
    assert sum(one.count for one in of_pairs.values()) == total
    assert sum(one.count * one.known() for one in of_pairs.values()) == pytest.approx(agree)


def test_the_odd_one_out_is_seen_in_the_agreement_of_each_and_of_each_pair() -> None:
    said = {"ada": [1, 2], "ben": [1, 2], "cleo": [2, 1], "dan": None}
    rankings = [
        Ranking(prompt=prompt, labeler=name, ranks=ranks)
        for prompt in range(4)
        for name, ranks in said.items()
        if ranks is not None
    ]
    judged = comparisons([*rankings, Ranking(prompt="own", labeler="dan", ranks=[1, 2])])
    each = agreement_of_each(judged)
    assert {name: figure.value for name, figure in each.items()} == {"ada": 0.5, "ben": 0.5, "cleo": 0.0, "dan": None}
    assert "dan shares no judged unit" in each["dan"].reason
    pairs = agreement_of_pairs(judged)
    assert {pair: figure.value for pair, figure in pairs.items()} == {
        ("ada", "ben"): 1.0,
        ("ada", "cleo"): 0.0,
        ("ben", "cleo"): 0.0,
    }


def test_each_labelers_interval_holds_what_is_true_of_them_in_95_of_100_studies() -> None:
    """Two hundred studies: ada agrees with each colleague on 7 of 10 units, those of one prompt alike."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        chance = rng.beta(7, 3, size=80)
        same = rng.random((80, 3)) < chance[:, None]
        rows = [
            (f"{prompt}-{unit}", prompt, name, 1 if name == "ada" or same[prompt, unit] else -1)
            for prompt in range(80)
            for unit in range(3)
            for name in ("ada", f"other-{prompt % 5}")
        ]
        found = agreement_of_each(Judged.of(rows, levels=(-1, 0, 1)), intervals=True)["ada"]
        assert found.interval is not None
        held += found.interval.holds(0.7)
    assert 0.92 <= held / 200 <= 0.98, held
