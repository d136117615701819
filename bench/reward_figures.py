"""What held-out scores of a reward model are worth: accuracy beside length and people, by length, and calibration.

Every figure counts the pairs that a labeler told apart, as the reward stage does; intervals are over groups of prompts
that belong together. Length is of the text in characters.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from bench.reward_data import Judged
from labeling.agreement.clusters import codes
from labeling.agreement.shares import ratio_interval
from labeling.agreement.sums import by_prompt
from training.rlhf.intervals import interval
from training.rlhf.losses import untied_pairs

Scores = Mapping[tuple[str, str], float]
"""By ids of row and response."""
CONFIDENCE_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
NEARLY_EQUAL, TWICE = 1.25, 2.0
"""How many times as long the longer response is."""


@dataclass(frozen=True)
class Pair:
    """One labeler's choice: scores and lengths of the better and of the worse response."""

    group: str
    better: float
    worse: float
    better_characters: int
    worse_characters: int

    @property
    def right(self) -> float:
        return above(self.better, self.worse)

    @property
    def longer_right(self) -> float:
        return above(self.better_characters, self.worse_characters)

    @property
    def ratio(self) -> float:
        """Of the longer to the shorter; an empty text counts as one character."""
        short, long = sorted((max(1, self.better_characters), max(1, self.worse_characters)))
        return long / short

    @property
    def surprise(self) -> float:
        """-log of the probability that the model gave to the choice, in nats; 0.693 where it knows nothing."""
        return float(np.logaddexp(0.0, self.worse - self.better))

    @property
    def confidence(self) -> float:
        """The probability of the side that the model favours, 0.5 to 1."""
        return 1 / (1 + math.exp(-min(500.0, abs(self.better - self.worse))))


@dataclass(frozen=True)
class Found:
    """A mean over pairs with its 95 % interval, None where too few groups can say. groups: those it stands on."""

    value: float | None
    low: float | None
    high: float | None
    pairs: int
    groups: int


def above(better: float, worse: float) -> float:
    return 1.0 if better > worse else 0.5 if better == worse else 0.0


def pairs_of(judged: Iterable[Judged], scores: Scores) -> list[Pair]:
    """Of the rows that were scored; the others were too long."""
    found = []
    for one in judged:
        answers = one.row.responses
        if (one.row.id, answers[0].id) not in scores:
            continue
        said = [scores[one.row.id, answer.id] for answer in answers]
        lengths = [len(answer.text) for answer in answers]
        for judgment in one.row.judged:
            found += [
                Pair(one.group, said[a], said[b], lengths[a], lengths[b]) for a, b in untied_pairs(judgment.ranks)
            ]
    return found


def share(pairs: Sequence[Pair], of: Callable[[Pair], float]) -> Found:
    """A mean of what lies in 0 to 1, with Wilson's interval over groups."""
    if not pairs:
        return Found(None, None, None, 0, 0)
    sums = by_prompt(np.array([[of(pair), 1.0] for pair in pairs]), codes(pair.group for pair in pairs))
    value = float(sums[:, 0].sum() / sums[:, 1].sum())
    reach = ratio_interval(value, sums)
    low, high = (None, None) if isinstance(reach, str) else (reach.low, reach.high)
    return Found(value, low, high, len(pairs), len(sums))


def mean(pairs: Sequence[Pair], of: Callable[[Pair], float]) -> Found:
    """Any mean over pairs, with a bootstrap interval over groups."""
    return mean_of([(pair.group, of(pair)) for pair in pairs])


def mean_of(values: Sequence[tuple[str, float]]) -> Found:
    """values: the group of a pair, and what is averaged over pairs."""
    totals: dict[str, list[float]] = defaultdict(list)
    for group, value in values:
        totals[group].append(value)
    found = interval([sum(of_group) for of_group in totals.values()], [float(len(one)) for one in totals.values()])
    return Found(found["mean"], found["low"], found["high"], len(values), len(totals))


@dataclass(frozen=True)
class SetFigures:
    """All that is told of one set. by_fold: accuracy of each fold's model on what it had not seen."""

    accuracy: Found
    by_fold: tuple[float | None, ...]
    length_rule: str
    length: Found
    over_length: Found
    by_ratio: Mapping[str, Found]
    longer_preferred: Found
    shorter_preferred: Found
    surprise: Found
    calibration: tuple[tuple[str, float | None, Found], ...]
    """Bin of confidence, mean confidence in it, share that was right."""


def figures_of(folds: Sequence[Sequence[Pair]]) -> SetFigures:
    pairs = [pair for fold in folds for pair in fold]
    longer = share(pairs, lambda pair: pair.longer_right)
    reverse = (longer.value or 0) < 0.5
    by_length: Callable[[Pair], float] = lambda pair: 1 - pair.longer_right if reverse else pair.longer_right  # noqa: E731
    return SetFigures(
        accuracy=share(pairs, lambda pair: pair.right),
        by_fold=tuple(share(fold, lambda pair: pair.right).value for fold in folds),
        length_rule="the shorter one is better" if reverse else "the longer one is better",
        length=share(pairs, by_length),
        over_length=mean(pairs, lambda pair: pair.right - by_length(pair)),
        by_ratio={
            name: share([pair for pair in pairs if low <= pair.ratio < high], lambda pair: pair.right)
            for name, low, high in (
                ("below 1.25", 1.0, NEARLY_EQUAL), ("1.25 to 2", NEARLY_EQUAL, TWICE), ("2 and more", TWICE, math.inf),
            )
        },
        longer_preferred=share([pair for pair in pairs if pair.longer_right == 1], lambda pair: pair.right),
        shorter_preferred=share([pair for pair in pairs if pair.longer_right == 0], lambda pair: pair.right),
        surprise=mean(pairs, lambda pair: pair.surprise),
        calibration=tuple(_calibration(pairs)),
    )  # fmt: skip


def _calibration(pairs: Sequence[Pair]) -> Iterable[tuple[str, float | None, Found]]:
    for low, high in zip(CONFIDENCE_EDGES, CONFIDENCE_EDGES[1:], strict=False):
        inside = [pair for pair in pairs if low <= pair.confidence < high or pair.confidence == high == 1.0]
        told = sum(pair.confidence for pair in inside) / len(inside) if inside else None
        yield f"{low} to {high}", told, share(inside, lambda pair: pair.right)


@dataclass(frozen=True)
class SetFacts:
    """What a set is before anything is learned. human: how often one labeler's choice is another's, both untied."""

    rankings: int
    pairs: int
    tied: int
    labelers: int
    responses: str
    groups: int
    human: Found


def facts_of(judged: Sequence[Judged]) -> SetFacts:
    rows = [one.row for one in judged]
    pairs = sum(len(untied_pairs(said.ranks)) for row in rows for said in row.judged)
    compared = sum(
        (ranked := sum(rank is not None for rank in said.ranks)) * (ranked - 1) // 2
        for row in rows
        for said in row.judged
    )
    sizes = [len(row.responses) for row in rows]
    return SetFacts(
        rankings=len(rows),
        pairs=pairs,
        tied=compared - pairs,
        labelers=len({said.labeler for row in rows for said in row.judged}),
        responses=str(min(sizes)) if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}",
        groups=len({one.group for one in judged}),
        human=human_agreement(judged),
    )


def human_agreement(judged: Iterable[Judged]) -> Found:
    """How often a labeler's untied choice is another labeler's of the same pair, if that one told them apart too: the
    most that a model is to be expected to reach on single choices. None where nobody judged what another did."""
    agreed: list[Pair] = []
    for one in judged:
        for first, second in permutations(one.row.judged, 2):
            others = set(untied_pairs(second.ranks))
            for better, worse in untied_pairs(first.ranks):
                if (better, worse) in others or (worse, better) in others:
                    agreed.append(Pair(one.group, float((better, worse) in others), 0.5, 0, 0))
    return share(agreed, lambda pair: pair.right)
