"""A study: rehearsals of several seeds, evaluated, and the page that tells what they gave.

    python -m training.rehearsal.study --seeds 3 --write docs/rehearsal.md

The figures of each seed are kept as JSON beside its run folders, so that the page can be written again without a run.
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from training.rehearsal.accuracy import reward_accuracies
from training.rehearsal.page import write_page
from training.rehearsal.recipe import RECIPES, Recipe
from training.rehearsal.rehearsing import Rehearsal
from training.rehearsal.results import Study
from training.rehearsal.systems import evaluate_all

RESULT = "study.json"


def study(root: Path, recipe: Recipe, *, seed: int, threads: int = 1, thorough: bool = True) -> Study:
    """Runs one seed to the end. thorough: with conditioned policies and a second round."""
    rehearsal = Rehearsal(root, recipe, seed=seed, threads=threads)
    evaluated = evaluate_all(rehearsal, told=thorough, second_round=thorough)
    accuracies = reward_accuracies(rehearsal, told=thorough)
    done = rehearsal.done
    found = Study(
        seed=seed,
        evaluated=evaluated,
        accuracies=accuracies,
        cost={step: (ran.wall_seconds, ran.cpu_seconds) for step, ran in done.items()},
        course={step: ran.metrics for step, ran in done.items() if "policy" in step},
    )
    found.write(root / RESULT)
    return found


def main(arguments: Sequence[str]) -> int:
    told = _parser().parse_args(arguments)
    recipe = RECIPES[told.recipe]
    seeds = told.villages or range(1, told.seeds + 1)
    one = partial(_study_in, told.root / recipe.name, recipe, thorough=not told.brief)
    # Processes: up to Python 3.11 a cached_property of one object waits for that of every other in the same process.
    with ProcessPoolExecutor(told.at_once) as pool:
        studies = list(pool.map(one, seeds))
    write_page(told.write, studies, recipe, command=" ".join(["python -m training.rehearsal.study", *arguments]))
    print(f"{told.write} tells of {len(studies)} seeds; the run folders are in {told.root}")
    return 0


def _study_in(folder: Path, recipe: Recipe, seed: int, *, thorough: bool) -> Study:
    root = folder / f"seed-{seed}"
    root.mkdir(parents=True, exist_ok=True)
    return study(root, recipe, seed=seed, thorough=thorough)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.rehearsal.study", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="villages, each with models of its own (3)")
    parser.add_argument(
        "--villages", type=int, nargs="+", metavar="SEED", help="these seeds in place of the first ones"
    )
    parser.add_argument("--write", type=Path, default=Path("docs/rehearsal.md"), help="the page (docs/rehearsal.md)")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="rehearsal")
    parser.add_argument("--root", type=Path, default=Path("var/rehearsal"), help="where the run folders go")
    parser.add_argument("--at-once", type=int, default=2, help="seeds side by side, one thread each (2)")
    parser.add_argument("--brief", action="store_true", help="without conditioned policies and second round")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
