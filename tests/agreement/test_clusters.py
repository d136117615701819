"""The variance of sums whose terms share prompts and labelers, against adding up all products one by one."""

import numpy as np
import pytest

from labeling.agreement.clusters import clustered_interval, effective_clusters, shared_variance, too_few_clusters


def products(influence: np.ndarray, members: list[set[object]]) -> float:
    return sum(
        influence[i] * influence[j]
        for i in range(len(influence))
        for j in range(len(influence))
        if members[i] & members[j]
    )


def test_it_is_the_sum_of_all_products_that_share_a_prompt_or_a_labeler() -> None:
    rng = np.random.default_rng(0)
    influence = rng.normal(size=60)
    prompts, first, second = rng.integers(9, size=60), rng.integers(7, size=60), rng.integers(7, size=60)
    found = shared_variance(influence, prompts=prompts, first=first, second=second)
    of_labelers = products(influence, [{a, b} for a, b in zip(first, second, strict=True)])
    of_prompts = products(influence, [{p} for p in prompts])
    of_both = products(influence, [{(p, a), (p, b)} for p, a, b in zip(prompts, first, second, strict=True)])
    number = effective_clusters(prompts)
    assert found.prompts == pytest.approx(of_prompts * number / (number - 1))
    number = found.effective_labelers
    assert found.labelers == pytest.approx(of_labelers * number / (number - 1))
    assert found.both == pytest.approx(of_both)
    assert found.total == pytest.approx(max(found.prompts + found.labelers - found.both, found.prompts, found.labelers))


def test_independent_rows_have_the_textbook_standard_error() -> None:
    """Every row its own prompt, every labeler as many rows: prompts alone vary."""
    values = np.random.default_rng(1).normal(size=100)
    own = np.arange(100)
    found = shared_variance((values - values.mean()) / 100, prompts=own, first=own)
    assert found.prompts == pytest.approx(values.var(ddof=1) / 100)
    assert found.both == pytest.approx(found.prompts * 99 / 100)


def test_a_busy_labeler_and_nineteen_idle_ones_are_not_twenty() -> None:
    assert effective_clusters(np.repeat(np.arange(20), 5)) == pytest.approx(20)
    assert effective_clusters(np.r_[np.zeros(100, dtype=np.int64), np.arange(1, 20)]) < 1.5
    labelers = np.r_[np.zeros(100, dtype=np.int64), np.arange(1, 20)]
    assert "one labeler" in too_few_clusters(np.arange(119), labelers)
    assert "one labeler" in str(clustered_interval(0.0, np.ones(119), prompts=np.arange(119), first=labelers))


def test_no_rows_are_too_few() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert "0 prompts and 0 labelers" in too_few_clusters(nothing, nothing)
