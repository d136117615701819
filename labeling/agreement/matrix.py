"""Whose preferences does a reward model know: accuracies of several on each cohort's held-out rankings.

A pair of responses that a labeler told apart is right where the model scores the better one higher; equal scores are
half right. Every such pair counts once. Beside the models stands the cohort itself: how often another of its labelers
orders the pair alike. A model may come above that: what labelers differ in by chance is in both of two labelers, and in
one only where a model is one of the two.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import stdtr

from labeling.agreement.clusters import (
    FEWEST_OF_BOTH,
    NO_VARIANCE,
    clustered_interval,
    codes,
    shared_variance,
    too_few_clusters,
)
from labeling.agreement.figures import Bools, Figure, Floats, Ints, undefined
from labeling.agreement.shares import share_interval
from labeling.evaluating import holm

ALL, EQUAL, OWN, TOLD, WRONG = (
    "all", "all, at equal n", "own cohort only", "conditioned", "conditioned, wrong name",
)  # fmt: skip
MODELS = (ALL, EQUAL, OWN, TOLD, WRONG)
COMPARED = ((OWN, EQUAL), (TOLD, ALL), (TOLD, WRONG), (OWN, TOLD))
"""What is asked of two models on the same pairs: the first less the second."""
CLAIMED = ((TOLD, WRONG), (OWN, EQUAL))
"""What the claim rests on, of all cohorts together: two tests, and the chance of even one false claim is LEVEL."""
LEVEL = 0.05
FEWEST_PEOPLE = 5
"""Labelers of a cohort from which on anything is said of it."""
FEWEST_HELD_OUT = FEWEST_OF_BOTH
"""Labelers of a cohort whom no model learned from, from which on there is an interval over labelers."""
FEWEST_RANKINGS = 30
"""Held-out rankings of a cohort, by labelers who are held out too."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """One held-out labeler's ranking of a held-out prompt. ranks: 1 is best, None not ranked. scores: by model, one for
    each response; a model that is missing was not asked. group: what the prompt shares with others, an author or a
    subject; by default it shares nothing."""

    prompt: Hashable
    labeler: Hashable
    cohort: str
    ranks: Sequence[int | None]
    scores: Mapping[str, Sequence[float]]
    group: Hashable = None

    @property
    def cluster(self) -> Hashable:
        return self.prompt if self.group is None else self.group


@dataclass(frozen=True, kw_only=True)
class Difference:
    """model less than_model on the same pairs of a cohort, in shares; where the cohort is "", the mean of all cohorts,
    each alike however many pairs it has. p_value: two-sided, of no difference. Both are of these trained models:
    prompts and labelers vary in them, training does not."""

    cohort: str
    model: str
    than_model: str
    figure: Figure
    p_value: Figure


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """cells: (model, cohort) -> accuracy. agreement: cohort -> how often another of its labelers orders a pair alike.
    wanting: cohort -> what is missing before anything can be said of it, in sentences."""

    cohorts: tuple[str, ...]
    cells: Mapping[tuple[str, str], Figure]
    agreement: Mapping[str, Figure]
    differences: tuple[Difference, ...]
    wanting: Mapping[str, tuple[str, ...]]

    def difference(self, model: str, than_model: str, cohort: str = "") -> Figure:
        for one in self.differences:
            if (one.model, one.than_model, one.cohort) == (model, than_model, cohort):
                return one.figure
        return undefined("It was not asked.")


def matrix_of(
    held_out: Iterable[HeldOut], *, people: Mapping[str, int], by_rule: Collection[str] = ()
) -> Matrix:  # fmt: skip
    """people: cohort -> how many labelers it has, whoever of them is held out; the matrix is of these cohorts. by_rule:
    those of them that background answers fill: every figure of them is of five held-out labelers, who are not counted.

    Raises ValueError where a model has another number of scores than there are responses.
    """
    given = list(held_out)
    wanting = {cohort: tuple(_wanting(cohort, number, given)) for cohort, number in people.items()}
    wanting |= {
        cohort: tuple(_wanting_by_rule(cohort, people[cohort], given)) for cohort in people if cohort in by_rule
    }
    pairs = _Pairs.of([one for one in given if not wanting.get(one.cohort, ("no such cohort",))])
    cells = {
        (model, cohort): undefined(" ".join(wanting[cohort])) if wanting[cohort] else pairs.accuracy(model, cohort)
        for model in MODELS
        for cohort in people
    }
    agreement = {
        cohort: undefined(" ".join(wanting[cohort]))
        if wanting[cohort]
        else _agreement(given, cohort, fewest=FEWEST_PEOPLE if cohort in by_rule else 2)
        for cohort in people
    }
    ready = [cohort for cohort in people if not wanting[cohort]]
    scopes = [*ready, ""] if len(ready) > 1 else ready
    differences = tuple(
        Difference(
            cohort=cohort, model=one, than_model=other, figure=pairs.difference(one, other, cohort),
            p_value=pairs.p_value(one, other, cohort),
        )
        for one, other in COMPARED
        for cohort in scopes
    )  # fmt: skip
    return Matrix(
        cohorts=tuple(people), cells=cells, agreement=agreement, differences=differences, wanting=wanting,
    )  # fmt: skip


def _wanting(cohort: str, people: int, held_out: Sequence[HeldOut]) -> Iterator[str]:
    """What is missing, and how many more would do."""
    own = [one for one in held_out if one.cohort == cohort]
    labelers = len({one.labeler for one in own})
    if people < FEWEST_PEOPLE:
        yield (
            f"{cohort} has {people} labelers and nothing is said of fewer than {FEWEST_PEOPLE}: "
            f"{FEWEST_PEOPLE - people} more would do."
        )
    if labelers < FEWEST_HELD_OUT:
        yield (
            f"{labelers} of its labelers are held out from training with rankings of held-out prompts; "
            f"{FEWEST_HELD_OUT - labelers} more would do."
        )
    if len(own) < FEWEST_RANKINGS:
        yield (f"They made {len(own)} rankings of held-out prompts; {FEWEST_RANKINGS - len(own)} more would do.")


def _wanting_by_rule(cohort: str, people: int, held_out: Sequence[HeldOut]) -> Iterator[str]:
    """The same of a cohort by a rule, in which nobody is counted below five."""
    own = [one for one in held_out if one.cohort == cohort]
    telling = {one.labeler for one in own if any(told_apart(one.ranks))}
    if people < FEWEST_PEOPLE or len(telling) < FEWEST_PEOPLE:
        yield (
            f"Fewer than {FEWEST_PEOPLE} labelers of {cohort}, which a rule fills, are held out from training with "
            f"rankings of held-out prompts, and nothing is said of so few; {FEWEST_PEOPLE} or more would do."
        )
    elif len(own) < FEWEST_RANKINGS:
        yield f"Fewer than {FEWEST_RANKINGS} rankings of held-out prompts are theirs; {FEWEST_RANKINGS} would do."


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Pairs that labelers told apart: (M,) each. right: model -> 1 right, 0 wrong, a half for equal scores, NaN where
    the model was not asked."""

    prompts: Ints
    labelers: Ints
    cohorts: tuple[str, ...]
    right: Mapping[str, Floats]

    @classmethod
    def of(cls, held_out: Sequence[HeldOut]) -> "_Pairs":
        prompts, labelers, cohorts = [], [], []
        right: dict[str, list[float]] = {model: [] for model in MODELS}
        for one in held_out:
            _check(one)
            for better, worse in told_apart(one.ranks):
                prompts.append(one.cluster)
                labelers.append(one.labeler)
                cohorts.append(one.cohort)
                for model in MODELS:
                    scores = one.scores.get(model)
                    right[model].append(np.nan if scores is None else _right(scores[better], scores[worse]))
        return cls(
            prompts=codes(prompts),
            labelers=codes(labelers),
            cohorts=tuple(cohorts),
            right={model: np.array(some, dtype=np.float64) for model, some in right.items()},
        )

    def _rows(self, cohort: str, models: Sequence[str]) -> Bools:
        inside = np.array([not cohort or one == cohort for one in self.cohorts], dtype=np.bool_)
        for model in models:
            inside &= np.isfinite(self.right[model])
        return inside

    def accuracy(self, model: str, cohort: str) -> Figure:
        rows = self._rows(cohort, [model])
        if not rows.any():
            return undefined(f"The model {model!r} scored none of its pairs.")
        right = self.right[model][rows]
        share = float(right.mean())
        return Figure(value=share, count=len(right)).with_interval(
            share_interval(share, right, prompts=self.prompts[rows], labelers=self.labelers[rows])
        )

    def difference(self, model: str, than_model: str, cohort: str) -> Figure:
        rows = self._rows(cohort, [model, than_model])
        if not rows.any():
            return undefined(f"{model!r} and {than_model!r} scored no pair both.")
        value, influences = self._mean_of_cohorts(rows, self.right[model][rows] - self.right[than_model][rows])
        return Figure(value=value, count=len(influences)).with_interval(
            clustered_interval(value, influences, prompts=self.prompts[rows], first=self.labelers[rows])
        )

    def _mean_of_cohorts(self, rows: Bools, apart: Floats) -> tuple[float, Floats]:
        """Each cohort alike; and how far each pair moves it. apart: of these rows."""
        cohort = codes([one for one, asked in zip(self.cohorts, rows, strict=True) if asked])
        sizes = np.bincount(cohort)
        means = np.bincount(cohort, weights=apart) / sizes
        return float(means.mean()), (apart - means[cohort]) / (len(sizes) * sizes[cohort])

    def p_value(self, model: str, than_model: str, cohort: str) -> Figure:
        """From the same standard error and degrees of freedom as the interval of the difference."""
        rows = self._rows(cohort, [model, than_model])
        if not rows.any():
            return undefined(f"{model!r} and {than_model!r} scored no pair both.")
        prompts, labelers = self.prompts[rows], self.labelers[rows]
        few = too_few_clusters(prompts, labelers)
        if few:
            return undefined(few)
        value, influences = self._mean_of_cohorts(rows, self.right[model][rows] - self.right[than_model][rows])
        variance = shared_variance(influences, prompts=prompts, first=labelers)
        if variance.total <= NO_VARIANCE:
            return undefined("Nothing varies between prompts or labelers; a test needs variation to compare with.")
        distance = abs(value) / float(np.sqrt(variance.total))
        return Figure(value=float(2 * stdtr(variance.degrees(), -distance)), count=len(influences))


def told_apart(ranks: Sequence[int | None]) -> Iterator[tuple[int, int]]:
    """Places of the better and the worse response of every pair that is no tie."""
    for one, other in combinations(range(len(ranks)), 2):
        first, second = ranks[one], ranks[other]
        if first is not None and second is not None and first != second:
            yield (one, other) if first < second else (other, one)


def _right(better: float, worse: float) -> float:
    return 0.5 if better == worse else float(better > worse)


def _check(one: HeldOut) -> None:
    for model, scores in one.scores.items():
        if len(scores) != len(one.ranks):
            raise ValueError(
                f"The model {model!r} has {len(scores)} scores for the {len(one.ranks)} responses of {one.prompt!r}."
            )


def _agreement(held_out: Sequence[HeldOut], cohort: str, *, fewest: int) -> Figure:
    """Of the pairs that one labeler told apart, the share that another of the cohort orders alike, their tie half:
    the other labeler in the place of a model. fewest: labelers who share prompts, from which on it is told."""
    by_prompt: dict[Hashable, list[HeldOut]] = {}
    for one in held_out:
        if one.cohort == cohort:
            by_prompt.setdefault(one.prompt, []).append(one)
    right, prompts, first, second = [], [], [], []
    for some in by_prompt.values():
        for one, other in combinations(some, 2):
            for truth, judge in ((one, other), (other, one)):
                for better, worse in told_apart(truth.ranks):
                    ours, theirs = judge.ranks[better], judge.ranks[worse]
                    if ours is None or theirs is None:
                        continue
                    right.append(_right(-ours, -theirs))
                    prompts.append(truth.cluster)
                    first.append(truth.labeler)
                    second.append(judge.labeler)
    if not right:
        return undefined("No held-out prompt was ranked by two of its held-out labelers.")
    if len(set(first)) < fewest:
        return undefined(f"Fewer than {fewest} of its held-out labelers ranked the same prompts.")
    values = np.array(right, dtype=np.float64)
    share = float(values.mean())
    who = codes([*first, *second])
    return Figure(value=share, count=len(values)).with_interval(
        clustered_interval(
            share, (values - share) / len(values), prompts=codes(prompts), first=who[: len(values)],
            second=who[len(values) :],
        )
    )  # fmt: skip


def claim_of(matrix: Matrix) -> str:
    """One sentence of what can be claimed of these trained models and what cannot (Holm over the two tests)."""
    ready = [cohort for cohort in matrix.cohorts if not matrix.wanting[cohort]]
    if len(ready) < 2:
        return "Nothing can be claimed of the cohorts yet: fewer than two of them have what it takes."
    asked = [one for one in matrix.differences if (one.model, one.than_model) in CLAIMED and not one.cohort]
    known = [one for one in asked if one.figure.value is not None]
    if not known:
        return "Nothing can be claimed of the cohorts yet: the models that tell them apart have scored nothing."
    tested = [one for one in known if one.p_value.value is not None]
    adjusted = holm([one.p_value.known() for one in tested])
    surely = {
        (one.model, one.than_model): one.figure
        for one, p_value in zip(tested, adjusted, strict=True)
        if p_value <= LEVEL
    }
    if not surely:
        return (
            "It cannot be claimed of these trained models that the cohorts want different things of them, nor that "
            "they want the same: neither a cohort's name nor rankings of its own order its pairs better beyond chance."
        )
    said = []
    if named := surely.get((TOLD, WRONG)):
        said.append(
            f"told the right cohort's name a reward model orders {_points(named)} of their pairs rightly than told the "
            f"wrong one's{_though(matrix, ready, TOLD, WRONG)}"
        )
    if own := surely.get((OWN, EQUAL)):
        said.append(
            f"learned from its own cohort's rankings it orders {_points(own)} than learned from as many of everybody's"
            f"{_though(matrix, ready, OWN, EQUAL)}"
        )
    return (
        "It can be claimed of these trained models, each trained once, on labelers like these and prompts like these, "
        f"in the mean of {' and '.join(ready)}: {'; and '.join(said)}. Another training run, or another draw "
        "of as many rankings, may differ by more than the intervals say. Not that a policy trained with it would "
        "please them more: that is for people to rate."
    )


def _points(figure: Figure) -> str:
    assert figure.interval is not None
    low, high = sorted((100 * abs(figure.interval.low), 100 * abs(figure.interval.high)))
    word = "more" if figure.known() > 0 else "fewer"
    return f"{100 * abs(figure.known()):.1f} points ({low:.1f} to {high:.1f}) {word}"


def _though(matrix: Matrix, ready: Sequence[str], model: str, than_model: str) -> str:
    """Of which cohorts the opposite was seen of what is claimed of all in the mean; empty where of none."""
    whole = matrix.difference(model, than_model).known()
    others = [cohort for cohort in ready if (matrix.difference(model, than_model, cohort).value or 0.0) * whole < 0]
    return f", though not of {' and '.join(others)} taken alone" if others else ""
