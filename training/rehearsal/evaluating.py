"""A blind evaluation of systems on held-out prompts by the raters, and what it says of each system.

A rater gets one response at a time with an id that tells nothing of its origin. The reading and the true utility are
noted beside the ratings; they are printed, and nothing is chosen by them.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from training.rehearsal.intervals import Estimate, Ratings, estimate
from training.rehearsal.phrases import COHORTS
from training.rehearsal.prompts import read_question
from training.rehearsal.reading import Reading, read_response
from training.rehearsal.tastes import RATERS, rate_all, utility
from training.rehearsal.world import World
from training.rlhf.contract.records import Answer, Prompt, Response

COHORT_OF = {rater.name: rater.cohort for rater in RATERS}


@dataclass(frozen=True)
class Judged:
    """One response with what the raters of each cohort said of it, on average."""

    prompt: str
    group: str
    text: str
    ended: bool
    ratings: Mapping[str, float]
    utility: Mapping[str, float]
    reading: Reading
    score: float | None = None
    """Of the reward model, where it was asked."""
    by_rater: Mapping[str, float] = field(default_factory=dict)
    """What each rater said."""


def evaluate(
    world: World, prompts: Sequence[Prompt], responses: Iterable[Response], *, system: str, seed: int
) -> list[Judged]:
    """Every rater on every response. Raises KeyError for a response to a prompt that is not among them."""
    asked = {prompt.id: prompt for prompt in prompts}
    return [_judge(world, asked[response.prompt], response, system=system, seed=seed) for response in responses]


def _judge(world: World, prompt: Prompt, response: Response, *, system: str, seed: int) -> Judged:
    blind = hashlib.sha256(f"{seed} {system} {response.id}".encode()).hexdigest()[:16]
    said: dict[str, list[int]] = {cohort: [] for cohort in COHORTS}
    by_rater: dict[str, float] = {}
    for judgment in rate_all(world, prompt, Answer(id=blind, text=response.text), seed=seed):
        by_rater[judgment.labeler] = judgment.ratings["overall"] or 0
        said[COHORT_OF[judgment.labeler]].append(judgment.ratings["overall"] or 0)
    reading = read_response(world, read_question(world, prompt), response.text)
    return Judged(
        prompt=prompt.id,
        group=prompt.group or prompt.id,
        text=response.text,
        ended=response.finish == "stop",
        ratings={cohort: sum(ratings) / len(ratings) for cohort, ratings in said.items()},
        utility={cohort: utility(reading, cohort) for cohort in COHORTS},
        reading=reading,
        score=next(iter(response.scores.values()), None),
        by_rater=by_rater,
    )


def ratings_of(judged: Iterable[Judged], cohort: str | None = None) -> Ratings:
    """Mean rating by prompt: of one cohort, or of both."""
    return {row.prompt: _mean([row.ratings[name] for name in COHORTS if cohort in (None, name)]) for row in judged}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def rating(judged: Sequence[Judged], cohort: str | None = None) -> Estimate:
    return estimate(list(ratings_of(judged, cohort).values()))


def true_utility(judged: Sequence[Judged]) -> Estimate:
    """Mean of both cohorts' utility: what a reward model tries to know."""
    return estimate([_mean(list(row.utility.values())) for row in judged])


def traits(judged: Sequence[Judged]) -> dict[str, float]:
    """What the responses are like, each a mean over responses."""
    return {
        "right": _mean([row.reading.right for row in judged]),
        "wrong": _mean([row.reading.wrong > 0 for row in judged]),
        "second fact": _mean([row.reading.right and row.reading.beyond > 0 for row in judged]),
        "greeting": _mean([row.reading.greeting for row in judged]),
        "closing": _mean([row.reading.closing for row in judged]),
        "own questions": _mean([row.reading.questions for row in judged]),
        "idle sentences": _mean([row.reading.idle for row in judged]),
        "words": _mean([row.reading.words for row in judged]),
        "ended": _mean([row.ended for row in judged]),
    }
