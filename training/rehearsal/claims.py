"""Claims of a study, paired by prompt: one system above another.

Figures of several seeds are figures over all their prompts; a prompt of one seed is another one than that of the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from training.rehearsal.evaluating import Judged, ratings_of
from training.rehearsal.intervals import Estimate, clustered_difference, difference, estimate, gain_at_equal_length
from training.rehearsal.phrases import COHORTS
from training.rehearsal.systems import Evaluated


@dataclass(frozen=True)
class Claim:
    """One system above another, on the same prompts."""

    better: str
    worse: str
    gain: Estimate
    by_cohort: Mapping[str, Estimate]
    by_creature: Estimate
    """The same gain with an interval over subjects."""
    equal_length: Estimate
    idle: Estimate
    """Difference in idle sentences."""
    by_rater: Mapping[str, float]
    """The mean gain as each rater saw it."""

    @property
    def holds(self) -> bool:
        return self.gain.low > 0


def claim(evaluated: Evaluated, better: str, worse: str) -> Claim:
    one, other = evaluated[better], evaluated[worse]
    gains = _minus(ratings_of(one), ratings_of(other))
    words = _minus(*({row.prompt: float(row.reading.words) for row in rows} for rows in (one, other)))
    idle = [{row.prompt: float(row.reading.idle) for row in rows} for rows in (one, other)]
    return Claim(
        better=better,
        worse=worse,
        gain=estimate(list(gains.values())),
        by_cohort={name: difference(ratings_of(one, name), ratings_of(other, name)) for name in COHORTS},
        by_creature=clustered_difference(ratings_of(one), ratings_of(other), {row.prompt: row.group for row in one}),
        equal_length=gain_at_equal_length(gains, words),
        idle=difference(*idle),
        by_rater=_by_rater(one, other),
    )


def _by_rater(one: Sequence[Judged], other: Sequence[Judged]) -> dict[str, float]:
    before = {row.prompt: row.by_rater for row in other}
    gains: dict[str, list[float]] = {}
    for row in one:
        for rater, rating in row.by_rater.items():
            gains.setdefault(rater, []).append(rating - before[row.prompt][rater])
    return {rater: sum(seen) / len(seen) for rater, seen in gains.items()}


def _minus(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {prompt: value - other[prompt] for prompt, value in one.items()}


def together(studies: Mapping[int, Evaluated]) -> Evaluated:
    """The systems of all seeds, prompts and subjects marked with their seed."""
    joined: Evaluated = {}
    for seed, evaluated in studies.items():
        for system, rows in evaluated.items():
            marked = [replace(row, prompt=f"{seed}/{row.prompt}", group=f"{seed}/{row.group}") for row in rows]
            joined.setdefault(system, []).extend(marked)
    return joined
