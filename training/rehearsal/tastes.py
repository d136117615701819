"""Simulated labelers of two cohorts: their tastes, written down before any model was trained, and what they do.

They read prompt and response and nothing else: no model's name, no random state of the world. Their noise is drawn
from the seed, their own name and the response's id, so that it does not depend on the order of the work. The utility
is for them alone; no training and no choice of a checkpoint may read it, and only docs/rehearsal.md prints it.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.rehearsal.phrases import COHORTS, Cohort
from training.rehearsal.prompts import Question, read_question
from training.rehearsal.reading import Reading, read_response
from training.rehearsal.world import World
from training.rlhf.contract.records import Answer, Prompt, Ranking, RankingJudgment, RatingJudgment

RIGHT = 2.2
WRONG = -1.3
"""Each false sentence, at most two."""
OWN_QUESTION = -0.8
"""Each, at most two."""
IDLE_SENTENCE = -0.5
"""Each, at most three."""
BEYOND = 0.8
"""A true sentence beyond what was asked, once, and only beside the answer."""
UNFINISHED = -1.5

TERSE_WORDS_FREE = 6
TERSE_PER_WORD = -0.12
TERSE_PER_COURTESY = -0.7
WARM_PER_COURTESY = 0.9
WARM_START = -0.5

TIE_WITHIN = 0.35
"""Closer than this, two responses are the same to a labeler."""
RATING_OFFSET = 3.0
"""What a response of utility 0 is rated, set once so that an answer without more stands above the middle of 1 to 7."""


@dataclass(frozen=True)
class Labeler:
    """One simulated person."""

    name: str
    cohort: Cohort
    noise: float
    """Standard deviation of what they add to a utility."""
    careless: float = 0.0
    """Share of responses they do not read."""
    first_bonus: float = 0.0
    """What the response shown first gains with them."""
    simulated: bool = True


RANKERS = (
    Labeler("simulated-terse-1", "terse", 0.4),
    Labeler("simulated-terse-2", "terse", 0.5),
    Labeler("simulated-terse-3", "terse", 0.7),
    Labeler("simulated-terse-4", "terse", 0.9, careless=0.25),
    Labeler("simulated-warm-1", "warm", 0.4),
    Labeler("simulated-warm-2", "warm", 0.5),
    Labeler("simulated-warm-3", "warm", 0.7, first_bonus=0.6),
    Labeler("simulated-warm-4", "warm", 0.9),
)
"""Whose rankings train the reward model."""

RATERS = (
    Labeler("simulated-terse-5", "terse", 0.5),
    Labeler("simulated-terse-6", "terse", 0.6),
    Labeler("simulated-terse-7", "terse", 0.7),
    Labeler("simulated-warm-5", "warm", 0.5),
    Labeler("simulated-warm-6", "warm", 0.6),
    Labeler("simulated-warm-7", "warm", 0.7),
)
"""Who rate the evaluation: other persons than the rankers; three a cohort, the fewest that an interval over people
takes."""

MORE_RANKERS = (Labeler("simulated-terse-8", "terse", 0.6), Labeler("simulated-warm-8", "warm", 0.6))
MORE_RATERS = (
    Labeler("simulated-terse-9", "terse", 0.6),
    Labeler("simulated-terse-10", "terse", 0.8),
    Labeler("simulated-warm-9", "warm", 0.6),
    Labeler("simulated-warm-10", "warm", 0.8),
)
"""Who join them in a project, where nothing is told of fewer than five of a cohort. The study goes without them."""


def utility(reading: Reading, cohort: Cohort) -> float:
    """How good a response is to a cohort, before anybody's noise; from about -6 to 4."""
    shared = (
        RIGHT * reading.right
        + WRONG * min(reading.wrong, 2)
        + OWN_QUESTION * min(reading.questions, 2)
        + IDLE_SENTENCE * min(reading.idle, 3)
        + BEYOND * (reading.right and reading.beyond > 0)
        + UNFINISHED * reading.unfinished
    )
    courtesies = reading.greeting + reading.closing
    if cohort == "terse":
        return shared + TERSE_PER_WORD * max(0, reading.words - TERSE_WORDS_FREE) + TERSE_PER_COURTESY * courtesies
    return shared + WARM_PER_COURTESY * courtesies + WARM_START


def true_utility(world: World, prompt: Prompt, text: str, cohort: Cohort) -> float:
    return utility(read_response(world, read_question(world, prompt), text), cohort)


def rank(world: World, prompt: Prompt, responses: Sequence[Answer], labeler: Labeler, *, seed: int) -> tuple[int, ...]:
    """Dense ranks, 1 is best, of responses in the order in which they are shown; ties where two are about equal."""
    question = read_question(world, prompt)
    liked = [_impression(world, question, answer, labeler, seed=seed) for answer in responses]
    liked[0] += labeler.first_bonus
    return _dense_ranks(liked)


def _impression(world: World, question: Question, answer: Answer, labeler: Labeler, *, seed: int) -> float:
    """What a labeler thinks of a response this once: its utility and their own noise, or no more than noise."""
    chance = random.Random(f"impression {seed} {labeler.name} {answer.id}")
    noise = chance.gauss(0.0, labeler.noise)
    if chance.random() < labeler.careless:
        return chance.uniform(-3.0, 3.0)
    return utility(read_response(world, question, answer.text), labeler.cohort) + noise


def _dense_ranks(liked: Sequence[float]) -> tuple[int, ...]:
    """A response joins the rank above it where it is within TIE_WITHIN of the best of that rank."""
    ranks = [0] * len(liked)
    place, best = 0, float("inf")
    for number in sorted(range(len(liked)), key=lambda number: -liked[number]):
        if best - liked[number] > TIE_WITHIN:
            place, best = place + 1, liked[number]
        ranks[number] = place
    return tuple(ranks)


def rate(world: World, prompt: Prompt, answer: Answer, labeler: Labeler, *, seed: int) -> int:
    """Overall quality, 1 worst to 7 best. One response at a time: nothing beside it."""
    impression = _impression(world, read_question(world, prompt), answer, labeler, seed=seed)
    return min(7, max(1, round(RATING_OFFSET + impression)))


def rank_all(
    world: World,
    sampled: Sequence[tuple[Prompt, Sequence[Answer]]],
    *,
    seed: int,
    judges_per_cohort: int = 1,
    labelers: Sequence[Labeler] = RANKERS,
) -> Iterator[Ranking]:
    """A ranking row a prompt, judged by labelers of each cohort in turn, who meet the responses in different orders."""
    for number, (prompt, responses) in enumerate(sampled):
        judges = [
            labeler
            for cohort in COHORTS
            for labeler in _turn(labelers, cohort, first=number * judges_per_cohort, count=judges_per_cohort)
        ]
        judged = tuple(_judge(world, prompt, responses, labeler, seed=seed) for labeler in judges)
        shared = {name: getattr(prompt, name) for name in ("id", "messages", "use_case", "split", "group")}
        yield Ranking(**shared, responses=tuple(responses), judged=judged)


def _turn(labelers: Sequence[Labeler], cohort: Cohort, *, first: int, count: int) -> list[Labeler]:
    """So many labelers of a cohort, round and round. Raises ValueError if the cohort has fewer."""
    among = [labeler for labeler in labelers if labeler.cohort == cohort]
    if count > len(among):
        raise ValueError(f"{count} judges are asked of cohort {cohort}, which has {len(among)}")
    return [among[place % len(among)] for place in range(first, first + count)]


def _judge(
    world: World, prompt: Prompt, responses: Sequence[Answer], labeler: Labeler, *, seed: int
) -> RankingJudgment:
    order = list(range(len(responses)))
    random.Random(f"order {seed} {labeler.name} {prompt.id}").shuffle(order)
    shown = rank(world, prompt, [responses[number] for number in order], labeler, seed=seed)
    ranks = tuple(shown[order.index(number)] for number in range(len(responses)))
    return RankingJudgment(labeler=labeler.name, ranks=ranks, condition=labeler.cohort)


def rate_all(
    world: World, prompt: Prompt, answer: Answer, *, seed: int, labelers: Sequence[Labeler] = RATERS
) -> tuple[RatingJudgment, ...]:
    """What every rater says of one response, in a seat of their own."""
    return tuple(
        RatingJudgment(
            labeler=labeler.name,
            condition=labeler.cohort,
            ratings={"overall": rate(world, prompt, answer, labeler, seed=seed)},
        )
        for labeler in labelers
    )
