"""How well a reward model knows the labelers: the share of pairs that its scores order as they do.

On the validation rankings, whose creatures no training ranking is about; each cohort apart, against what its rankers
said and against its taste without their noise. An interval is over prompts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

from training.rehearsal import material
from training.rehearsal.intervals import Estimate, estimate
from training.rehearsal.phrases import COHORTS, Cohort
from training.rehearsal.rehearsing import Rehearsal
from training.rehearsal.tastes import TIE_WITHIN, true_utility
from training.rlhf.contract.records import Ranking, RankingJudgment

Liking = Callable[[str], float]
"""How much a response is liked, by its id."""
Likings = Callable[[Ranking], Sequence[Liking]]
"""Of everybody who judged a row."""


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

    def score(row: Ranking) -> list[Liking]:
        return [lambda answer: scores[f"{cohort}/{answer}"]]

    def taste(row: Ranking) -> list[Liking]:
        return [lambda answer: true_utility(rehearsal.world, row, texts[answer], cohort)]

    def ranked(row: Ranking) -> list[Liking]:
        return [by_rank(row, said) for said in row.judged if said.condition == cohort]

    return Accuracy(
        model="told" if told else "pooled",
        cohort=cohort,
        against_rankers=agreement(rows, score, ranked, tie=0.0),
        against_taste=agreement(rows, score, taste, tie=TIE_WITHIN),
        rankers_against_taste=agreement(rows, ranked, taste, tie=TIE_WITHIN),
    )


def by_rank(row: Ranking, said: RankingJudgment) -> Liking:
    places = {answer.id: rank or 0 for answer, rank in zip(row.responses, said.ranks, strict=True)}
    return lambda answer: -places[answer]


def agreement(rows: Sequence[Ranking], judges: Likings, truths: Likings, *, tie: float) -> Estimate:
    """Mean over prompts of the share of pairs that every judge orders like every truth.

    tie: a truth that likes two responses within this tells nothing of them. A judge's own tie is half right.
    """
    return agreement_of_two(rows, lambda row: product(judges(row), truths(row)), tie=tie)


def agreement_of_two(
    rows: Sequence[Ranking], twos: Callable[[Ranking], Iterable[tuple[Liking, Liking]]], *, tie: float
) -> Estimate:
    """Mean over prompts of the share of pairs of responses that the first of each two orders like the second."""
    shares = []
    for row in rows:
        ids = [answer.id for answer in row.responses]
        right = [agreed for one, other in twos(row) for agreed in _on_pairs(ids, one, other, tie=tie)]
        if right:
            shares.append(sum(right) / len(right))
    return estimate(shares)


def _on_pairs(ids: Sequence[str], judged: Liking, true: Liking, *, tie: float) -> Iterator[float]:
    for one, other in combinations(ids, 2):
        if abs(true(one) - true(other)) > tie:
            better, worse = (one, other) if true(one) > true(other) else (other, one)
            yield 0.5 if judged(better) == judged(worse) else float(judged(better) > judged(worse))
