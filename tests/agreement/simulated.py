"""Simulated labelers of known ability, bias and taste, and the figures that their judgments estimate, known exactly.

A labeler who compares two responses prefers the first with log-odds
    ability * (quality difference + taste * style difference) + bias,
and calls them equal more often the closer they are. Averages over prompts are sums over a grid of quality and style
differences, so that the true agreement is exact to the grid, for one set of labelers or for all who could be drawn.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from labeling.agreement import Figure, Judged, gwet_ac1, krippendorff_alpha, pairwise_agreement
from labeling.agreement.ability import abilities
from labeling.agreement.clusters import shared_variance
from labeling.agreement.figures import Interval
from labeling.agreement.intervals import By
from labeling.agreement.position import position_bias
from labeling.agreement.rankings import ORDERS
from labeling.evaluating import Flag, Rating, flag_rate, mean_difference, mean_rating, outcomes, win_rate

Array = NDArray[np.float64]
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
GRID = np.stack(np.meshgrid(NODES, NODES, indexing="ij"), axis=-1).reshape(-1, 2)
GRID_WEIGHTS = np.outer(WEIGHTS, WEIGHTS).ravel() / WEIGHTS.sum() ** 2


@dataclass(frozen=True)
class Labelers:
    """(L,) each: how sharply they see quality, how much they favour the first response, what style they like."""

    ability: Array
    bias: Array
    taste: Array

    @classmethod
    def drawn(cls, number: int, rng: np.random.Generator) -> "Labelers":
        return cls(
            ability=np.exp(rng.normal(0.4, 0.5, number)),
            bias=rng.normal(0.0, 0.4, number),
            taste=rng.normal(0.0, 0.6, number),
        )

    def orders(self, differences: Array) -> Array:
        """(…, 2) differences of quality and style -> (L, …, 3) probabilities of worse, tied, better."""
        shape = (len(self.ability),) + (1,) * (differences.ndim - 1)
        ability, bias, taste = (trait.reshape(shape) for trait in (self.ability, self.bias, self.taste))
        odds = ability * (differences[..., 0] + taste * differences[..., 1]) + bias
        better, worse = 1 / (1 + np.exp(0.7 - odds)), 1 / (1 + np.exp(0.7 + odds))
        return np.stack([worse, 1 - better - worse, better], axis=-1)

    def flags(self, severity: Array) -> Array:
        """(…, 2) -> (L, …, 2) probabilities of no and yes to a question that is rarely yes."""
        shape = (len(self.ability),) + (1,) * (severity.ndim - 1)
        yes = 1 / (1 + np.exp(4.0 - 1.5 * severity[..., 0] - self.bias.reshape(shape)))
        return np.stack([1 - yes, yes], axis=-1)


Answers = Callable[[Labelers, Array], Array]


def true_parts(labelers: Labelers, answers: Answers, *, these: bool) -> tuple[float, Array]:
    """The expected agreement of two different labelers, and the expected shares of the answers.

    these: only these persons, each pair alike; otherwise two persons drawn anew, for whom `labelers` stand as a large
    sample.
    """
    given = np.einsum("lgc,g->lgc", answers(labelers, GRID), np.sqrt(GRID_WEIGHTS))
    number = len(labelers.ability)
    together = given.sum(axis=0)
    agreement = float((together**2).sum() - (given**2).sum()) / (number * (number - 1))
    if not these:
        agreement = float((together**2).sum()) / number**2
    shares = np.einsum("lgc,g->c", answers(labelers, GRID), GRID_WEIGHTS) / number
    return agreement, shares


def true_alpha(agreement: float, shares: Array) -> float:
    return 1 - (1 - agreement) / float(1 - (shares**2).sum())


def true_ac1(agreement: float, shares: Array) -> float:
    chance = float((shares * (1 - shares)).sum()) / (len(shares) - 1)
    return (agreement - chance) / (1 - chance)


def judged(
    labelers: Labelers,
    answers: Answers,
    levels: tuple[int, ...],
    *,
    prompts: int,
    overlap: int,
    rng: np.random.Generator,
) -> Judged:
    """Three units a prompt, alike in quality and style, each judged by the same `overlap` labelers."""
    number = len(labelers.ability)
    shared = rng.normal(size=(prompts, 1, 2))
    own = rng.normal(size=(prompts, 3, 2))
    differences = np.sqrt(0.5) * shared + np.sqrt(0.5) * own
    chances = answers(labelers, differences).cumsum(axis=-1)
    values = (rng.random((number, prompts, 3, 1)) > chances[..., :-1]).sum(axis=-1)
    people = np.argsort(rng.random((prompts, number)), axis=1)[:, :overlap]
    prompt, unit, place = (axis.ravel() for axis in np.indices((prompts, 3, overlap)))
    labeler = people[prompt, place]
    return Judged(
        units=prompt * 3 + unit,
        prompts=prompt,
        labelers=labeler,
        values=values[labeler, prompt, unit],
        levels=levels,
        names=tuple(range(number)),
    )


@dataclass(frozen=True)
class Study:
    """One simulated study of one statistic: what came out, and what had been put in."""

    name: str
    figure: Figure
    truth: float

    @property
    def covered(self) -> bool:
        return self.figure.interval is not None and self.figure.interval.holds(self.truth)


STATISTICS: tuple[tuple[str, Answers, tuple[int, ...], Callable[..., Figure], Callable[[float, Array], float]], ...] = (
    ("pairwise agreement", Labelers.orders, ORDERS, pairwise_agreement, lambda agreement, shares: agreement),
    (
        "alpha, nominal",
        Labelers.orders,
        ORDERS,
        lambda data, by: krippendorff_alpha(data, metric="nominal", by=by),
        true_alpha,
    ),
    ("AC1 of a rare flag", Labelers.flags, (0, 1), gwet_ac1, true_ac1),
)


def agreement_studies(
    studies: int, *, number: int, prompts: int, overlap: int = 3, by: By, seed: int = 0
) -> Iterator[Study]:
    """Studies by `number` labelers. By prompts the truth is that of the labelers drawn; else that of all labelers."""
    rng = np.random.default_rng(seed)
    everyone = Labelers.drawn(10_000, np.random.default_rng(1))
    of_all = {name: truth(*true_parts(everyone, answers, these=False)) for name, answers, _, _, truth in STATISTICS}
    for _ in range(studies):
        labelers = Labelers.drawn(number, rng)
        for name, answers, levels, statistic, truth in STATISTICS:
            data = judged(labelers, answers, levels, prompts=prompts, overlap=overlap, rng=rng)
            of_these = truth(*true_parts(labelers, answers, these=True)) if by == "prompts" else 0.0
            yield Study(name, statistic(data, by=by), of_these if by == "prompts" else of_all[name])


@dataclass(frozen=True)
class Raters:
    """(L,) each: leniency, noise, and how much more (or less) they like the policy than people do on average."""

    leniency: Array
    noise: Array
    taste: Array

    @classmethod
    def drawn(cls, number: int, rng: np.random.Generator) -> "Raters":
        return cls(
            leniency=rng.normal(0, 0.5, number),
            noise=rng.uniform(0.4, 1.2, number),
            taste=rng.normal(0, 0.4, number),
        )

    def rate(self, *, quality: Array, people: NDArray[np.int64], policy: bool, rng: np.random.Generator) -> Array:
        """Ratings 1 to 7 of responses of this quality by these people."""
        felt = quality + self.leniency[people] + (self.taste[people] if policy else 0.0)
        return np.clip(np.round(felt + self.noise[people] * rng.normal(size=people.shape)), 1, 7)


BASELINE_QUALITY, POLICY_QUALITY = 3.6, 4.2


def rated_pairs(
    raters: Raters,
    *,
    prompts: int,
    people: NDArray[np.int64],
    others: NDArray[np.int64] | None = None,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Ratings of policy and baseline, (P, m) each, and whether the policy's response was flagged. others: who rated the
    baseline, by default the same people."""
    others = people if others is None else others
    topic = rng.normal(0, 0.8, (prompts, 1))
    ours = POLICY_QUALITY + topic + rng.normal(0, 0.5, (prompts, 1))
    theirs = BASELINE_QUALITY + topic + rng.normal(0, 0.5, (prompts, 1))
    flagged = rng.random(people.shape) < 1 / (1 + np.exp(3.6 - 1.5 * (4.2 - ours) - 1.0 * raters.leniency[people]))
    return (
        raters.rate(quality=np.broadcast_to(ours, people.shape), people=people, policy=True, rng=rng),
        raters.rate(quality=np.broadcast_to(theirs, others.shape), people=others, policy=False, rng=rng),
        flagged.astype(np.float64),
    )


@cache
def true_evaluation() -> dict[str, float]:
    """Averages over a million raters and prompts, each met once: exact to about 0.002."""
    rng = np.random.default_rng(2)
    size = 1_000_000
    everyone = Raters.drawn(size, rng)
    ours, theirs, flagged = rated_pairs(everyone, prompts=size, people=np.arange(size)[:, None], rng=rng)
    return {
        "mean": float(ours.mean()),
        "difference": float((ours - theirs).mean()),
        "win rate": float((ours > theirs).mean() + (ours == theirs).mean() / 2),
        "flag rate": float(flagged.mean()),
    }


def evaluation_studies(
    studies: int,
    *,
    number: int,
    prompts: int,
    overlap: int = 2,
    uneven: bool = False,
    single: bool = False,
    seed: int = 0,
) -> Iterator[Study]:
    """Policy and baseline rated by `number` raters, `overlap` a prompt; uneven: the n-th does 1/n of the first's.
    single: each response is handed out by itself, as campaigns do, and who rated one seldom meets the other: a win rate
    is then of the few who did."""
    rng = np.random.default_rng(seed)
    truth = true_evaluation()
    load = -np.log(np.arange(1, number + 1)) if uneven else np.zeros(number)
    for _ in range(studies):
        raters = Raters.drawn(number, rng)
        people = np.argsort(-(load + rng.gumbel(size=(prompts, number))), axis=1)[:, :overlap]
        others = np.argsort(-(load + rng.gumbel(size=(prompts, number))), axis=1)[:, :overlap] if single else people
        ours, theirs, flagged = rated_pairs(raters, prompts=prompts, people=people, others=others, rng=rng)
        ratings = [
            Rating(generator=generator, prompt=prompt, labeler=int(labeler), value=float(values[prompt, place]))
            for generator, values, who in (("policy", ours, people), ("baseline", theirs, others))
            for prompt in range(prompts)
            for place, labeler in enumerate(who[prompt])
        ]
        flags = [
            Flag(prompt=prompt, labeler=int(labeler), value=bool(flagged[prompt, place]))
            for prompt in range(prompts)
            for place, labeler in enumerate(people[prompt])
        ]
        compared = outcomes(ratings, generator="policy", baseline="baseline")
        yield Study("mean", mean_rating(ratings, generator="policy"), truth["mean"])
        yield Study(
            "difference", mean_difference(ratings, generator="policy", baseline="baseline"), truth["difference"]
        )
        yield Study("win rate", win_rate(compared), truth["win rate"])
        yield Study("flag rate", flag_rate(flags), truth["flag rate"])


def compared_by_ability(
    *, ability: Sequence[float], lean: Sequence[float], prompts: int, seed: int = 0
) -> tuple[Judged, Array]:
    """Two labelers a prompt of three pairs; the first response of a pair is shown first at random."""
    rng = np.random.default_rng(seed)
    number = len(ability)
    apart = rng.normal(size=(prompts, 3))
    people = np.argsort(rng.random((prompts, number)), axis=1)[:, :2]
    shown = rng.choice([-1.0, 1.0], size=(prompts, 3, 2))
    odds = np.array(ability)[people][:, None, :] * apart[:, :, None] + np.array(lean)[people][:, None, :] * shown
    better, worse = 1 / (1 + np.exp(0.5 - odds)), 1 / (1 + np.exp(0.5 + odds))
    drawn = rng.random(odds.shape)
    values = np.where(drawn < better, 2, np.where(drawn < better + worse, 0, 1))
    prompt, unit, place = (axis.ravel() for axis in np.indices(odds.shape))
    judged = Judged(
        units=prompt * 3 + unit, prompts=prompt, labelers=people[prompt, place], values=values.ravel(), levels=ORDERS,
        names=tuple(f"L{code}" for code in range(number)),
    )  # fmt: skip
    return judged, shown.ravel()


def ability_studies(studies: int, *, number: int, prompts: int, seed: int = 0) -> Iterator[Study]:
    """Every labeler of every study: the log of the ability beside the others' (what was put in less its mean), and the
    lean to what is shown first. The intervals of a labeler who compared too little are undefined and left out."""
    rng = np.random.default_rng(seed)
    for number_of_study in range(studies):
        ability, lean = np.exp(rng.normal(0.4, 0.5, number)), rng.normal(0.0, 0.4, number)
        judged_pairs, shown = compared_by_ability(ability=ability, lean=lean, prompts=prompts, seed=number_of_study)
        found = abilities(judged_pairs, shown=shown)
        middle = float(np.log(ability).mean())
        for code in range(number):
            one = found[f"L{code}"]
            if one.ability.interval is not None:
                yield Study("log of ability", _logged(one.ability), float(np.log(ability[code])) - middle)
            if one.first.interval is not None:
                yield Study("lean", one.first, float(lean[code]))


def _logged(figure: Figure) -> Figure:
    assert figure.interval is not None
    low, high = np.log([figure.interval.low, figure.interval.high])
    logged = Interval(low=float(low), high=float(high), clusters=figure.interval.clusters)
    return replace(figure, value=float(np.log(figure.known())), interval=logged)


def shown_rankings(
    *, judgments: int, responses: int, habit: float, rng: np.random.Generator, labelers: int = 20
) -> list[list[int]]:
    """Ranks in the order shown. habit: by how much quality seems higher at the first place; differences within 0.3 of
    the next better response are ties. Labelers differ in noise, and one model is often the best."""
    noise = rng.uniform(0.3, 1.5, labelers)[rng.integers(labelers, size=(judgments, 1))]
    quality = rng.normal(size=(judgments, responses)) + np.linspace(1.0, 0.0, responses)
    shown = rng.permuted(quality, axis=1)
    shown[:, 0] += habit
    felt = shown + noise * rng.normal(size=shown.shape)
    best_first = np.argsort(-felt, axis=1)
    steps = -np.diff(np.take_along_axis(felt, best_first, axis=1), axis=1) > 0.3
    ranks = np.ones(shown.shape, dtype=np.int64)
    np.put_along_axis(ranks, best_first[:, 1:], steps.cumsum(axis=1) + 1, axis=1)
    return [[int(rank) for rank in row] for row in ranks]


@dataclass(frozen=True)
class Coverage:
    """What studies of one statistic came to."""

    name: str
    studies: int
    share_covered: float
    bias: float
    spread: float
    half_width: float

    @classmethod
    def of_each(cls, studies: Iterable[Study]) -> dict[str, "Coverage"]:
        groups: dict[str, list[Study]] = defaultdict(list)
        for study in studies:
            groups[study.name].append(study)
        return {name: cls._of(name, group) for name, group in groups.items()}

    @classmethod
    def _of(cls, name: str, group: list[Study]) -> "Coverage":
        values = np.array([study.figure.known() for study in group])
        intervals = [study.figure.interval for study in group]
        return cls(
            name=name,
            studies=len(group),
            share_covered=float(np.mean([study.covered for study in group])),
            bias=float(np.mean(values - [study.truth for study in group])),
            spread=float(values.std()),
            half_width=float(np.mean([(one.high - one.low) / 2 for one in intervals if one is not None])),
        )


def alarm_rate(studies: int, *, judgments: int, responses: int, habit: float, seed: int = 0) -> float:
    """The share of studies in which the test of position bias comes out below 0.05."""
    rng = np.random.default_rng(seed)
    alarms = 0
    for _ in range(studies):
        shown = shown_rankings(judgments=judgments, responses=responses, habit=habit, rng=rng)
        alarms += position_bias(shown)[0].p_value.known() < 0.05
    return alarms / studies


def rival_coverage(studies: int, *, number: int, prompts: int, redraws: int = 200, seed: int = 0) -> dict[str, float]:
    """How often other 95 % intervals of a mean rating cover it: those that were not chosen.

    Rows as independent; prompts alone or labelers alone as clusters (t); the variances of both added without taking
    back what they share; prompts and labelers drawn again independently (the "pigeonhole" bootstrap, Owen 2007).
    """
    rng = np.random.default_rng(seed)
    truth = true_evaluation()["mean"]
    hits: dict[str, int] = defaultdict(int)
    for _ in range(studies):
        raters = Raters.drawn(number, rng)
        people = np.argsort(rng.random((prompts, number)), axis=1)[:, :2]
        ours, _, _ = rated_pairs(raters, prompts=prompts, people=people, rng=rng)
        values, prompt, labeler = ours.ravel(), np.repeat(np.arange(prompts), 2), people.ravel()
        off = abs(values.mean() - truth)
        shared = shared_variance((values - values.mean()) / len(values), prompts=prompt, first=labeler)
        hits["rows independent"] += off <= stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / len(values) ** 0.5
        hits["prompts alone"] += off <= stdtrit(prompts - 1, 0.975) * shared.prompts**0.5
        hits["labelers alone"] += off <= stdtrit(number - 1, 0.975) * shared.labelers**0.5
        hits["both, added"] += off <= stdtrit(number - 1, 0.975) * (shared.prompts + shared.labelers) ** 0.5
        weights = rng.multinomial(prompts, np.full(prompts, 1 / prompts), redraws)[:, prompt]
        weights = weights * rng.multinomial(number, np.full(number, 1 / number), redraws)[:, labeler]
        low, high = np.quantile(weights @ values / weights.sum(axis=1), [0.025, 0.975])
        hits["both, drawn again"] += low <= truth <= high
    return {name: count / studies for name, count in hits.items()}
