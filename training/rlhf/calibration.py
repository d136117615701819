"""Whether a reward model means what it says: of what it calls 80 % likely, is it right in 80 % of the cases?

The probability that a labeler prefers one response is the sigmoid of the difference of the scores. Each comparison is
read from the side that the model expects, so that all probabilities are from a half to 1.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from training.rlhf.accuracies import Scores, over_prompts
from training.rlhf.losses import untied_pairs
from training.rlhf.rankings import Item

BINS = 5
"""Of equal width between a half and 1."""


def calibration(items: Sequence[Item], scores: Scores) -> dict[str, Any]:
    """bins: what was expected (the mean probability) beside what was observed (the share, with its interval over
    prompts), empty ones left out. expected_error: the mean distance of the two, by comparisons (ECE); null for none.

    Source: Guo et al. 2017, section 2 (https://arxiv.org/abs/1706.04599).
    """
    bins: dict[int, list[tuple[str, float, float]]] = defaultdict(list)
    for item, said in zip(items, scores, strict=True):
        for better, worse in (pair for ranks, _ in item.orders for pair in untied_pairs(ranks)):
            difference = said[better] - said[worse]
            expected = 1 / (1 + math.exp(-abs(difference)))
            right = 1.0 if difference > 0 else 0.5 if difference == 0 else 0.0
            bins[min(BINS - 1, int((expected - 0.5) * 2 * BINS))].append((item.id, expected, right))
    told = [_bin(number, rows) for number, rows in sorted(bins.items())]
    comparisons = sum(one["comparisons"] for one in told)
    wrong = sum(one["comparisons"] * abs(one["expected"] - one["observed"]["mean"]) for one in told)
    return {"bins": told, "expected_error": wrong / comparisons if comparisons else None}


def _bin(number: int, rows: Sequence[tuple[str, float, float]]) -> dict[str, Any]:
    width = 0.5 / BINS
    return {
        "from": 0.5 + number * width,
        "to": 0.5 + (number + 1) * width,
        "comparisons": len(rows),
        "expected": sum(expected for _, expected, _ in rows) / len(rows),
        "observed": over_prompts((prompt, right, 1.0) for prompt, _, right in rows),
    }
