"""How well a reward model knows people it never learned from: cross-validation over groups of labelers.

The labelers of the training data are dealt into F groups. For each group a model learns from all the others' rankings,
and is measured on held-out prompts: once on those it learned from, once on those it did not. Ouyang et al. 2022
(section 4.1) found 72.4 ± 0.4 % and 69.6 ± 0.9 %: what it learned is more than the taste of a few. The intervals are
over prompts and labelers both, since the claim is about people who were never met.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.rlhf.accuracies import Scores
from training.rlhf.chance import shuffled
from training.rlhf.contract.exit_codes import DataRefused
from training.rlhf.intervals import two_way_interval
from training.rlhf.rankings import Item, Items, agreement

Counted = list[list[Any]]
"""Of each labeler of each item: prompt, labeler, comparisons ordered alike, comparisons. As numbers and text, to stand
in a checkpoint."""


@dataclass(frozen=True)
class Fold:
    """number: from 1. held_out: the labelers that this fold's model never learns from. train: the others' rankings."""

    number: int
    held_out: frozenset[str]
    train: list[Item]


def deal(train: Items, validation: Items, *, folds: int, seed: int) -> list[Fold]:
    """The folds of a run; none for 0. Raises DataRefused where they cannot be, with the counts."""
    if not folds:
        return []
    labelers = train.labelers
    if len(labelers) < folds:
        raise DataRefused(
            f"reward.folds is {folds}, but data.train holds rankings of {len(labelers)} labelers; expected a labeler "
            "for every fold at least, or 0 folds"
        )
    if not validation.items:
        raise DataRefused(f"reward.folds is {folds}, but data.validation holds nothing to measure the folds on")
    order = [labelers[place] for place in shuffled(len(labelers), seed=seed, purpose="folds of labelers")]
    return [_fold(train, number, frozenset(order[number - 1 :: folds])) for number in range(1, folds + 1)]


def _fold(train: Items, number: int, held_out: frozenset[str]) -> Fold:
    items = train.judged_by(lambda judge: judge.labeler not in held_out)
    if not items:
        raise DataRefused(
            f"fold {number} has nothing to learn from: all rankings are by its {len(held_out)} held-out labelers; "
            "expected fewer reward.folds, or more labelers"
        )
    return Fold(number, held_out, items)


def measured(fold: Fold, items: Sequence[Item], scores: Scores) -> dict[str, Any]:
    """Agreement on held-out prompts with those it learned from and with all others, as it stands in a checkpoint."""
    known = {judge.labeler for item in fold.train for judge in item.judges}

    def counted(labelers: set[str]) -> Counted:
        found = [
            [item.id, name, *agreement(item.judged_by(lambda judge, name=name: judge.labeler == name), said)]  # type: ignore[misc]
            for item, said in zip(items, scores, strict=True)
            for name in sorted({judge.labeler for judge in item.judges} & labelers)
        ]
        return [one for one in found if one[3]]

    groups = {
        "learned_from": counted(known),
        "held_out": counted({judge.labeler for item in items for judge in item.judges} - known),
    }
    return {"fold": fold.number, "labelers_held_out": len(fold.held_out), **groups}


def report(done: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For report.json: over all folds and one by one; nothing where there are none."""
    if not done:
        return {}

    def share(folds: Sequence[dict[str, Any]], name: str) -> Any:
        return two_way_interval([(*row,) for fold in folds for row in fold[name]])

    groups = ("learned_from", "held_out")
    return {
        "count": len(done),
        **{name: share(done, name) for name in groups},
        "each": [
            {"fold": fold["fold"], "labelers_held_out": fold["labelers_held_out"]}
            | {name: share([fold], name) for name in groups}
            for fold in done
        ],
    }
