"""How well a reward model knows the labelers: the share of pairs that its scores order as they do.

On the validation rankings, whose creatures no training ranking is about; each cohort apart, against what its rankers
said and against its taste without their noise. An interval is over prompts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from training.rehearsal import material
from training.rehearsal.intervals import Estimate, estimate
from training.rehearsal.phrases import COHORTS, Cohort
from training.rehearsal.rehearsing import Rehearsal
from training.rehearsal.tastes import TIE_WITHIN, true_utility
from training.rlhf.contract.records import Ranking

Liking = Callable[[str], float]
"""How much a response is liked, by its id."""


@dataclass(frozen=True)
class Accuracy:
    """Of one reward model for one cohort."""

    model: str
    cohort: Cohort
    against_rankers: Estimate
    against_taste: Estimate
    rankers_against_taste: Estimate
    """How often the rankers themselves kept to their cohort's taste: more than this cannot be learned from them."""


def reward_accuracies(rehearsal: Rehearsal, *, told: bool) -> list[Accuracy]:
    """Of the pooled reward model; told: also of the conditioned one, told for whom it scores."""
    found = _accuracies(rehearsal, told=False)
    return [*found, *_accuracies(rehearsal, told=True)] if told else found


def _accuracies(rehearsal: Rehearsal, *, told: bool) -> list[Accuracy]:
    rows = [row for row in rehearsal.rankings if row.split == "valid"]
    scores = _scores(rehearsal, rows, told=told)
    return [_accuracy(rehearsal, rows, scores, cohort, told=told) for cohort in COHORTS]


def _scores(rehearsal: Rehearsal, rows: Sequence[Ranking], *, told: bool) -> Mapping[str, float]:
    """By "cohort/id of the response"."""
    sampled = {response.id: response for response in rehearsal.done["sampled"].responses}
    asked = [
        replace(sampled[answer.id], id=f"{cohort}/{answer.id}", condition=cohort)
        for cohort in COHORTS
        for row in rows
        for answer in row.responses
    ]
    step, model = ("told-accuracy", rehearsal.told_reward) if told else ("accuracy", rehearsal.reward)
    scored = rehearsal.score(step, model, [material.as_prompt(row) for row in rows], asked, told=told)
    return {response.id: response.scores["reward"] for response in scored}


def _accuracy(
    rehearsal: Rehearsal, rows: Sequence[Ranking], scores: Mapping[str, float], cohort: Cohort, *, told: bool
) -> Accuracy:
    texts = {answer.id: answer.text for row in rows for answer in row.responses}

    def score(row: Ranking) -> Liking:
        return lambda answer: scores[f"{cohort}/{answer}"]

    def taste(row: Ranking) -> Liking:
        return lambda answer: true_utility(rehearsal.world, row, texts[answer], cohort)

    def ranked(row: Ranking) -> Liking:
        ranks = next(said.ranks for said in row.judged if said.condition == cohort)
        places = {answer.id: rank or 0 for answer, rank in zip(row.responses, ranks, strict=True)}
        return lambda answer: -places[answer]

    return Accuracy(
        model="told" if told else "pooled",
        cohort=cohort,
        against_rankers=agreement(rows, score, ranked, tie=0.0),
        against_taste=agreement(rows, score, taste, tie=TIE_WITHIN),
        rankers_against_taste=agreement(rows, ranked, taste, tie=TIE_WITHIN),
    )


def agreement(
    rows: Sequence[Ranking], judge: Callable[[Ranking], Liking], truth: Callable[[Ranking], Liking], *, tie: float
) -> Estimate:
    """Mean over prompts of the share of their untied pairs that are ordered alike; a judge's tie is half right."""
    shares = []
    for row in rows:
        judged, true = judge(row), truth(row)
        ids = [answer.id for answer in row.responses]
        pairs = [
            (a, b) if true(a) > true(b) else (b, a) for a, b in combinations(ids, 2) if abs(true(a) - true(b)) > tie
        ]
        if pairs:
            right = sum(
                (judged(better) > judged(worse)) + 0.5 * (judged(better) == judged(worse)) for better, worse in pairs
            )
            shares.append(right / len(pairs))
    return estimate(shares)
