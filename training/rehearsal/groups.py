"""Whose preferences: the two cohorts of the rehearsal, in several villages.

    python -m training.rehearsal.groups --villages 4 5 6 --write docs/groups.md

Reward models learn from everybody's rankings, from as many of everybody's as one cohort made, from one cohort's alone,
and from everybody's with the cohort's name; each is measured on rankings of the raters, from none of whom it learned,
about creatures that no training ranking is about. Then the conditioned policy is told for whom to write, and the raters
of both cohorts rate what it writes. Steps that a study has run in the same folder are not run again.
"""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from labeling.agreement.matrix import ALL, EQUAL, OWN, TOLD, WRONG, HeldOut
from labeling.evaluating import Rating
from training.rehearsal import material
from training.rehearsal.evaluating import COHORT_OF, Judged, evaluate, traits
from training.rehearsal.groups_page import POOLED, Groups, told_name, write_page
from training.rehearsal.phrases import COHORTS, Cohort
from training.rehearsal.recipe import RECIPES, Recipe
from training.rehearsal.rehearsing import Rehearsal
from training.rehearsal.tastes import RATERS, rank_all
from training.rlhf.contract.records import Ranking, RankingJudgment, Response

RATERS_A_COHORT = len(RATERS) // len(COHORTS)


@dataclass(frozen=True)
class Village:
    """What one seed gave. answers: by system, the pooled policy and the conditioned one told each cohort."""

    seed: int
    held_out: list[HeldOut]
    answers: dict[str, list[Judged]]
    cpu_seconds: float


# --- the matrix -------------------------------------------------------------------------------------------------------


def only_by(rankings: Sequence[Ranking], cohort: Cohort) -> list[Ranking]:
    """What a cohort said."""
    return _with_judgments(rankings, lambda row: [said for said in row.judged if said.condition == cohort])


def as_many(rankings: Sequence[Ranking], *, seed: int) -> list[Ranking]:
    """As many judgments of everybody as one cohort made, drawn row by row, so that the prompts stay the same."""

    def drawn(row: Ranking) -> list[RankingJudgment]:
        number = len(row.judged) // len(COHORTS)
        return random.Random(f"as many {seed} {row.id}").sample(row.judged, number)

    return _with_judgments(rankings, drawn)


def _with_judgments(
    rankings: Sequence[Ranking], judged: Callable[[Ranking], Sequence[RankingJudgment]]
) -> list[Ranking]:
    kept = ((row, tuple(judged(row))) for row in rankings)
    return [replace(row, judged=said) for row, said in kept if said]


def held_out_rankings(rehearsal: Rehearsal) -> list[HeldOut]:
    """The raters' rankings of the responses to validation prompts, with what each reward model scores them."""
    rows = [row for row in rehearsal.rankings if row.split == "valid"]
    asked = [(material.as_prompt(row), row.responses) for row in rows]
    scores = _scores(rehearsal, rows)
    found = []
    for row in rank_all(
        rehearsal.world, asked, seed=rehearsal.seed, judges_per_cohort=RATERS_A_COHORT, labelers=RATERS
    ):
        for said in row.judged:
            cohort = COHORT_OF[said.labeler]
            (other,) = (one for one in COHORTS if one != cohort)
            models = {
                ALL: "all", EQUAL: "equal", OWN: f"only-{cohort}", TOLD: f"told-{cohort}", WRONG: f"told-{other}",
            }  # fmt: skip
            found.append(
                HeldOut(
                    prompt=f"{rehearsal.seed}/{row.id}", group=f"{rehearsal.seed}/{row.group}",
                    labeler=f"{rehearsal.seed}/{said.labeler}", cohort=cohort, ranks=said.ranks,
                    scores={name: [scores[key, answer.id] for answer in row.responses] for name, key in models.items()},
                )
            )  # fmt: skip
    return found


def _scores(rehearsal: Rehearsal, rows: Sequence[Ranking]) -> dict[tuple[str, str], float]:
    """By model and id of the response; the conditioned one is asked for each cohort."""
    rankings = rehearsal.rankings
    models = {
        "all": rehearsal.reward,
        "equal": rehearsal.train_reward("reward-as-many", as_many(rankings, seed=rehearsal.seed)),
        **{
            f"only-{cohort}": rehearsal.train_reward(f"reward-only-{cohort}", only_by(rankings, cohort))
            for cohort in COHORTS
        },
    }
    sampled = {response.id: response for response in rehearsal.done["sampled"].responses}
    responses = [sampled[answer.id] for row in rows for answer in row.responses]
    prompts = [material.as_prompt(row) for row in rows]
    scored = rehearsal.run(
        "groups-scores", "score", models={"rewards": models}, uses={"responses": ["responses"], "prompts": ["prompts"]},
        data={"responses": ("response", responses), "prompts": ("prompt", prompts)},
    ).responses  # fmt: skip
    found = {(name, response.id): response.scores[name] for response in scored for name in models}
    for cohort in COHORTS:
        told = [replace(response, condition=cohort) for response in responses]
        for response in rehearsal.score(f"groups-told-{cohort}", rehearsal.told_reward, prompts, told, told=True):
            found[f"told-{cohort}", response.id] = response.scores["reward"]
    return found


# --- two by two -------------------------------------------------------------------------------------------------------


def answers_of(rehearsal: Rehearsal) -> dict[str, list[Judged]]:
    """What the pooled policy and the conditioned one write at temperature 1, rated by everybody."""
    prompts = material.prompts_to_evaluate(rehearsal.world, rehearsal.recipe)
    asked: dict[str, list[Response]] = {
        POOLED: rehearsal.sample("groups-pooled", {"policy": rehearsal.policy}, temperature=1.0, prompts=prompts)
    }
    for cohort in COHORTS:
        asked[told_name(cohort)] = rehearsal.sample(
            f"groups-written-for-{cohort}", {"policy": rehearsal.told_policy}, temperature=1.0, prompts=prompts,
            told=cohort,
        )  # fmt: skip
    return {
        system: evaluate(rehearsal.world, prompts, responses, system=system, seed=rehearsal.seed)
        for system, responses in asked.items()
    }


def ratings_by_cell(villages: Sequence[Village]) -> list[Rating]:
    """The generator of a rating is what was asked and the rater's cohort."""
    return [
        Rating(
            generator=(system, COHORT_OF[rater]), prompt=f"{village.seed}/{row.prompt}",
            labeler=f"{village.seed}/{rater}", value=value,
        )
        for village in villages
        for system, rows in village.answers.items()
        for row in rows
        for rater, value in row.by_rater.items()
    ]  # fmt: skip


# --- the study --------------------------------------------------------------------------------------------------------


def village(root: Path, recipe: Recipe, seed: int) -> Village:
    rehearsal = Rehearsal(root / f"seed-{seed}", recipe, seed=seed)
    rehearsal.root.mkdir(parents=True, exist_ok=True)
    held_out = held_out_rankings(rehearsal)
    answers = answers_of(rehearsal)
    return Village(seed, held_out, answers, sum(done.cpu_seconds for done in rehearsal.done.values()))


def main(arguments: Sequence[str]) -> int:
    told = _parser().parse_args(arguments)
    recipe = RECIPES[told.recipe]
    with ProcessPoolExecutor(told.at_once) as pool:
        villages = list(pool.map(partial(village, told.root / recipe.name, recipe), told.villages))
    found = Groups(
        held_out={one.seed: one.held_out for one in villages},
        ratings=ratings_by_cell(villages),
        traits={
            system: traits([row for one in villages for row in one.answers[system]]) for system in villages[0].answers
        },
        cpu_seconds={one.seed: one.cpu_seconds for one in villages},
    )
    command = " ".join(["python -m training.rehearsal.groups", *arguments])
    write_page(told.write, found, command=command, recipe=recipe.name)
    print(f"{told.write} tells of {len(villages)} villages; the run folders are in {told.root}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.rehearsal.groups", description=__doc__)
    parser.add_argument("--villages", type=int, nargs="+", metavar="SEED", default=[4, 5, 6])
    parser.add_argument("--write", type=Path, default=Path("docs/groups.md"), help="the page (docs/groups.md)")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="rehearsal")
    parser.add_argument("--root", type=Path, default=Path("var/rehearsal"), help="where the run folders go")
    parser.add_argument("--at-once", type=int, default=1, help="villages side by side, one thread each (1)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
