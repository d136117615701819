"""What to expect of a campaign's settings, before people are paid: do labelers agree, and what is learned from them.

    python -m training.rehearsal.expecting --write training/rehearsal/expected.json

One village, sampled once; for each number of prompts, of responses to a prompt (K) and of judges a cohort, a reward
model is trained on so much of it, and measured on rankings about other creatures.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import permutations, product
from pathlib import Path

from training.rehearsal import material
from training.rehearsal.accuracy import Liking, Likings, agreement, agreement_of_two, by_rank
from training.rehearsal.intervals import Estimate
from training.rehearsal.phrases import COHORTS, Cohort
from training.rehearsal.recipe import FULL
from training.rehearsal.rehearsing import Rehearsal
from training.rehearsal.tastes import RANKERS, TIE_WITHIN, rank_all, true_utility
from training.rlhf.contract.records import Ranking
from training.rlhf.contract.run_folder import write_json

PROMPTS = (200, 500, 1_050)
RESPONSES = (2, 4, 6)
JUDGES = (1, 2)
EVERY_JUDGE = len(RANKERS) // len(COHORTS)


@dataclass(frozen=True)
class Expected:
    """Of one choice of settings. Shares of pairs ordered alike, means over prompts; a tie is half right.

    prompts: ranked ones, of which about a seventh are held out. accuracy: of the reward model, against what a labeler
    says and against the tastes without their noise; each of both cohorts together.
    """

    prompts: int
    responses: int
    judges_per_cohort: int
    comparisons: int
    accuracy: Estimate
    accuracy_against_taste: Estimate


@dataclass(frozen=True)
class Agreed:
    """How often two labelers order a pair alike, by K: of one cohort, and of different ones."""

    responses: int
    within: Estimate
    across: Estimate


def expect(rehearsal: Rehearsal) -> tuple[list[Expected], list[Agreed]]:
    prompts = material.prompts_to_rank(rehearsal.world, rehearsal.recipe)
    sampled = rehearsal.run(
        "expecting-sampled", "sample", models={"generators": {"model": rehearsal.sft}}, uses={"prompts": ["prompts"]},
        data={"prompts": ("prompt", prompts)}, over={"sample": {"responses_per_prompt": max(RESPONSES)}},
    )  # fmt: skip
    grouped = material.by_prompt(prompts, sampled.responses)
    every = list(rank_all(rehearsal.world, grouped, seed=rehearsal.seed, judges_per_cohort=EVERY_JUDGE))
    measured = [row for row in every if row.split == "valid"]
    settings = product(PROMPTS, RESPONSES, JUDGES)
    return (
        [_expected(rehearsal, every, measured, prompts=p, responses=k, judges=j) for p, k, j in settings],
        [_agreed([cut(row, responses=k, judges=EVERY_JUDGE) for row in measured], k) for k in RESPONSES],
    )


def cut(row: Ranking, *, responses: int, judges: int, first: int = 0) -> Ranking:
    """The row with its first K responses, ranked by so many of each cohort's judges, beginning with the first-th.

    Ranks are kept dense.
    """
    kept = []
    for cohort in COHORTS:
        of = [said for said in row.judged if said.condition == cohort]
        kept += [of[(first + place) % len(of)] for place in range(judges)]
    judged = tuple(replace(said, ranks=_dense(said.ranks[:responses])) for said in kept)
    return replace(row, responses=row.responses[:responses], judged=judged)


def _dense(ranks: Sequence[int | None]) -> tuple[int | None, ...]:
    order = sorted({rank for rank in ranks if rank is not None})
    return tuple(None if rank is None else order.index(rank) + 1 for rank in ranks)


def _expected(
    rehearsal: Rehearsal,
    every: Sequence[Ranking],
    measured: Sequence[Ranking],
    *,
    prompts: int,
    responses: int,
    judges: int,
) -> Expected:
    rows = [cut(row, responses=responses, judges=judges, first=number) for number, row in enumerate(every[:prompts])]
    step = f"expecting-reward-{prompts}-{responses}-{judges}"
    reward = rehearsal.train_reward(step, rows)
    asked = {response.id: response for response in rehearsal.done["expecting-sampled"].responses}
    wanted = [asked[answer.id] for row in measured for answer in row.responses]
    scored = rehearsal.score(f"{step}-scores", reward, [material.as_prompt(row) for row in measured], wanted)
    scores = {response.id: response.scores["reward"] for response in scored}

    def score(row: Ranking) -> list[Liking]:
        return [lambda answer: scores[answer]]

    return Expected(
        prompts=prompts,
        responses=responses,
        judges_per_cohort=judges,
        comparisons=sum(_comparisons(row) for row in rows if row.split == "train"),
        accuracy=agreement(measured, score, _said, tie=0.0),
        accuracy_against_taste=agreement(measured, score, _tastes(rehearsal), tie=TIE_WITHIN),
    )


def _said(row: Ranking) -> list[Liking]:
    return [by_rank(row, said) for said in row.judged]


def _tastes(rehearsal: Rehearsal) -> Likings:
    def tastes(row: Ranking) -> list[Liking]:
        texts = {answer.id: answer.text for answer in row.responses}

        def of(cohort: Cohort) -> Liking:
            return lambda answer: true_utility(rehearsal.world, row, texts[answer], cohort)

        return [of(cohort) for cohort in COHORTS]

    return tastes


def _comparisons(row: Ranking) -> int:
    """Untied pairs."""
    return sum(len([pair for pair in permutations(said.ranks, 2) if pair[0] != pair[1]]) // 2 for said in row.judged)


def _agreed(rows: Sequence[Ranking], responses: int) -> Agreed:
    within, across = (agreement_of_two(rows, _two(alike=alike), tie=0.0) for alike in (True, False))
    return Agreed(responses, within=within, across=across)


def _two(*, alike: bool) -> Callable[[Ranking], Iterator[tuple[Liking, Liking]]]:
    """Every two labelers of one cohort (alike), or of different ones."""

    def two(row: Ranking) -> Iterator[tuple[Liking, Liking]]:
        for one, other in permutations(row.judged, 2):
            if (one.condition == other.condition) is alike:
                yield by_rank(row, one), by_rank(row, other)

    return two


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.rehearsal.expecting", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, default=Path("training/rehearsal/expected.json"))
    parser.add_argument("--root", type=Path, default=Path("var/rehearsal"), help="where the run folders go")
    told = parser.parse_args(arguments)
    root = told.root / FULL.name / f"seed-{told.seed}"
    root.mkdir(parents=True, exist_ok=True)
    expected, agreed = expect(Rehearsal(root, FULL, seed=told.seed))
    command = " ".join(["python -m training.rehearsal.expecting", *arguments])
    reward_model, labelers = ([asdict(one) for one in found] for found in (expected, agreed))
    write_json(told.write, {"command": command, "reward_model": reward_model, "labelers": labelers})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
