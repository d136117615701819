"""How sharply each labeler sees what others see: Bradley-Terry with ability, and a lean towards what is shown first.

A labeler l who compares two responses that lie d apart prefers the first with log-odds a_l d + b_l s, where s is 1 if
it was shown before the second and -1 if after; within a threshold t they call them equal:
    P(first better) = sigma(a_l d + b_l s - t),  P(second better) = sigma(-a_l d - b_l s - t),  else a tie.
How far apart responses lie is not estimated (two judgments a pair would not do) but averaged over d ~ N(0, 1), so
that a_l is in units of how much responses differ. Sources: Bradley and Terry 1952; ability as a factor: Chen et al.
2013, "Pairwise ranking aggregation in a crowdsourced setting"; ties: Rao and Kupper 1967; marginal likelihood: Bock and
Aitkin 1981.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit, logsumexp

from labeling.agreement.figures import Figure, Floats, Interval, Ints, undefined
from labeling.agreement.judged import Judged
from labeling.agreement.rankings import BETTER, ORDERS, WORSE

NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
LOG_WEIGHTS = np.log(NODE_WEIGHTS / NODE_WEIGHTS.sum())
MOST_UNITS = 6_000
"""Pairs of responses that are looked at; of more, so many are drawn, or as many as leave each labeler FEWEST."""
FEWEST = 30
"""Comparisons shared with others from which on a labeler has an ability; so many of each labeler's are drawn."""
PRIOR = 1.0
"""Standard deviation of log ability and of the lean, around 1 and 0: keeps those of whom little is known in reach."""
LIGHTEST, HEAVIEST = 0.25, 2.0


@dataclass(frozen=True, kw_only=True)
class Ability:
    """ability: 1 is the geometric mean of the labelers, 2 twice as sharp. first: log-odds for what was shown first,
    undefined where orders are unknown. weight: what a judgment is worth in training beside others'."""

    ability: Figure
    first: Figure
    weight: float


def abilities(judged: Judged, *, shown: Floats | None = None, seed: int = 0) -> dict[str, Ability]:
    """Of every labeler of comparisons, by name.

    shown: (N,) 1 where the first response of the pair was shown before the second, -1 after, 0 unknown. Units with one
    judgment are left out. Intervals are Wald's from the sandwich of scores over prompts (Godambe), 95 %. Who sees the
    opposite of what most see comes out as one who sees nothing and weighs least, however careful: taste has no other
    place on one scale.
    Raises ValueError where the judgments are no comparisons.
    """
    if judged.levels != ORDERS:
        raise ValueError(f"Abilities need comparisons; these values are {list(judged.levels)!r}.")
    names = [str(name) for name in judged.names]
    shared = _shared(judged)
    counts = np.bincount(judged.labelers[shared], minlength=len(names))
    who = np.flatnonzero(counts >= FEWEST)
    found = {name: _nothing(int(count)) for name, count in zip(names, counts, strict=True)}
    if len(who) < 2:
        return found
    rows = _drawn(judged, shared[np.isin(judged.labelers[shared], who)], seed)
    model = _Model.of(judged, rows, who, shown)
    fitted = minimize(model.loss, model.start, jac=True, method="L-BFGS-B", options={"maxiter": 60})
    looked_at = np.bincount(judged.labelers[rows], minlength=len(names))[who]
    return found | model.read(fitted.x, [names[code] for code in who], looked_at)


def _nothing(count: int) -> Ability:
    """Of a labeler who shares so many comparisons with others."""
    reason = f"Fewer than {FEWEST} comparisons shared with others: {count}; {FEWEST - count} more would do."
    if count >= FEWEST:
        reason = f"Nobody else shares {FEWEST} comparisons with others; one more labeler would do."
    return Ability(ability=undefined(reason), first=undefined(reason), weight=1.0)


def _shared(judged: Judged) -> Ints:
    """Judgments of pairs that two or more judged."""
    if not len(judged):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.bincount(judged.units)[judged.units] >= 2)


def _drawn(judged: Judged, rows: Ints, seed: int) -> Ints:
    """Of too many pairs those that come first by lot among the pairs of a labeler of theirs: each labeler gives as
    many, and nobody is left with too few because others did more."""
    units, unit = np.unique(judged.units[rows], return_inverse=True)
    if len(units) <= MOST_UNITS:
        return rows
    lot = np.random.default_rng(seed).permutation(len(units))
    order = np.lexsort((lot[unit], judged.labelers[rows]))
    labelers = judged.labelers[rows][order]
    starts = np.flatnonzero(np.diff(labelers, prepend=-1))
    turn = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    first = np.full(len(units), len(order))
    np.minimum.at(first, unit[order], turn)
    number = max(MOST_UNITS, int((first < FEWEST).sum()))
    kept = np.zeros(len(units), dtype=np.bool_)
    kept[np.lexsort((lot, first))[:number]] = True
    return np.asarray(rows[kept[unit]], dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class _Model:
    """(M,) judgments sorted by unit: where each unit begins, who judged, what, and what was shown first. Parameters are
    L log abilities, L leans, and the log of the threshold."""

    starts: Ints
    labelers: Ints
    values: Ints
    shown: Floats
    prompts: Ints
    number: int

    @classmethod
    def of(cls, judged: Judged, rows: Ints, who: Ints, shown: Floats | None) -> "_Model":
        rows = rows[np.argsort(judged.units[rows], kind="stable")]
        code = np.full(len(judged.names), -1, dtype=np.int64)
        code[who] = np.arange(len(who))
        starts = np.flatnonzero(np.diff(judged.units[rows], prepend=-1))
        return cls(
            starts=starts,
            labelers=code[judged.labelers[rows]],
            values=judged.values[rows] - ORDERS.index(0),
            shown=np.zeros(len(rows)) if shown is None else shown[rows],
            prompts=judged.prompts[rows][starts],
            number=len(who),
        )

    @property
    def start(self) -> Floats:
        return np.r_[np.full(self.number, 0.3), np.zeros(self.number), -1.0]

    def loss(self, parameters: Floats) -> tuple[float, Floats]:
        """Minus the log-likelihood and the prior, and its gradient."""
        likelihood, _, places, scores = self._scores(parameters)
        away = np.r_[parameters[: 2 * self.number], 0.0]
        gradient = np.bincount(places, weights=scores, minlength=len(parameters)) - away / PRIOR**2
        return float(-likelihood.sum() + (away**2).sum() / (2 * PRIOR**2)), -gradient

    def _scores(self, parameters: Floats) -> tuple[Floats, Ints, Ints, Floats]:
        """(U,) log-likelihoods of the units, and their gradients, which are mostly zeros: the units, the parameters
        and the values of the others, to be summed."""
        number = self.number
        ability, lean, threshold = np.exp(parameters[:number]), parameters[number:-1], float(np.exp(parameters[-1]))
        odds = ability[self.labelers, None] * NODES + (lean[self.labelers] * self.shown)[:, None]
        better, worse = expit(odds - threshold), expit(-odds - threshold)
        chance = np.where((self.values == BETTER)[:, None], better, np.where((self.values == WORSE)[:, None], worse, 0))
        tied = (self.values == 0)[:, None]
        chance = np.maximum(np.where(tied, 1 - better - worse, chance), 1e-12)
        slope_better, slope_worse = better * (1 - better), worse * (1 - worse)
        by_odds = np.where((self.values == BETTER)[:, None], 1 - better, -(1 - worse))
        by_odds = np.where(tied, (slope_worse - slope_better) / chance, by_odds)
        by_threshold = np.where((self.values == BETTER)[:, None], better - 1, worse - 1)
        by_threshold = np.where(tied, (slope_better + slope_worse) / chance, by_threshold)
        together = np.add.reduceat(np.log(chance), self.starts, axis=0) + LOG_WEIGHTS
        likelihood = logsumexp(together, axis=1)
        unit = np.repeat(np.arange(len(self.starts)), np.diff(np.r_[self.starts, len(self.labelers)]))
        after = np.exp(together - likelihood[:, None])[unit]
        of_ability = (after * by_odds * NODES).sum(axis=1) * ability[self.labelers]
        of_lean = (after * by_odds).sum(axis=1) * self.shown
        of_threshold = (after * by_threshold).sum(axis=1) * threshold
        places = np.r_[self.labelers, number + self.labelers, np.full(len(unit), 2 * number)]
        return likelihood, np.tile(unit, 3), places, np.r_[of_ability, of_lean, of_threshold]

    def read(self, parameters: Floats, names: list[str], counts: Ints) -> dict[str, Ability]:
        likelihood, units, places, values = self._scores(parameters)
        scores = csr_array((values, (units, places)), shape=(len(likelihood), len(parameters)))
        information = (scores.T @ scores).toarray() + np.diag(np.r_[np.full(2 * self.number, 1 / PRIOR**2), 1e-6])
        prompts, place = np.unique(self.prompts, return_inverse=True)
        by_prompt = csr_array((values, (place[units], places)), shape=(len(prompts), len(parameters)))
        inverse = np.linalg.inv(information)
        spread = np.sqrt(np.diag(inverse @ (by_prompt.T @ by_prompt).toarray() @ inverse))
        middle = parameters[: self.number].mean()
        ability = np.exp(parameters[: self.number] - middle)
        known = np.bincount(self.labelers, weights=np.abs(self.shown), minlength=self.number) > 0
        found = {}
        for code, name in enumerate(names):
            log, lean = float(parameters[code] - middle), float(parameters[self.number + code])
            wide, lean_wide = 1.96 * float(spread[code]), 1.96 * float(spread[self.number + code])
            first = undefined("In which order the responses were shown is not known.")
            if known[code]:
                first = Figure(value=lean, count=int(counts[code])).with_interval(
                    Interval(low=lean - lean_wide, high=lean + lean_wide, clusters="prompts")
                )
            found[name] = Ability(
                ability=Figure(value=float(ability[code]), count=int(counts[code])).with_interval(
                    Interval(low=float(np.exp(log - wide)), high=float(np.exp(log + wide)), clusters="prompts")
                ),
                first=first,
                weight=float(np.clip(ability[code] / ability.mean(), LIGHTEST, HEAVIEST)),
            )
        return found
