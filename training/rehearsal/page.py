"""The page that tells what a study gave: docs/rehearsal.md and its plot. Every figure on it is computed."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from training.rehearsal.claims import Claim, claim, together
from training.rehearsal.evaluating import Judged, rating, traits, true_utility
from training.rehearsal.intervals import Estimate, estimate
from training.rehearsal.phrases import COHORTS
from training.rehearsal.plot import Panel, Point, Series, draw
from training.rehearsal.prompts import held_out_prompts
from training.rehearsal.recipe import Recipe
from training.rehearsal.results import Study
from training.rehearsal.systems import BEST_OF, TEMPERATURES, Evaluated, name_of
from training.rehearsal.world import make_world

SHOWN_PROMPTS = 4
SHOWN_SYSTEMS = (name_of("base", 1.0), name_of("sft", 1.0), name_of("policy", 1.0))
STEPS = ("base", "sft", "sampled", "reward", "policy")
"""Of one round."""


def write_page(path: Path, studies: Sequence[Study], recipe: Recipe, *, command: str) -> None:
    """Writes the page, and the plot beside it under the same name."""
    plot = path.with_suffix(".svg")
    everything = together({study.seed: study.evaluated for study in studies})
    plot.write_text(draw(_panels(studies, everything)), encoding="utf-8")
    parts = [
        _opening(studies, recipe, command),
        _claims(studies, everything),
        _table(everything),
        _traits(everything),
        _way(studies, everything, plot.name),
        _best_of(everything),
        _told(everything),
        _accuracy(studies),
        _texts(studies[0]),
        _cost(studies),
    ]
    path.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def _rows(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _opening(studies: Sequence[Study], recipe: Recipe, command: str) -> str:
    return f"""# The rehearsal, measured

{recipe.about} Every labeler here is simulated, with a taste written down before anything was trained
(`training/rehearsal/tastes.py`); nothing on this page comes from people. Made by

    {command}

{len(studies)} villages, each with a base model, demonstrations, rankings and policies of its own. Ratings are 1
(worst) to 7 (best), by raters whose rankings trained no reward model, on {recipe.held_out_prompts} held-out prompts a
village about creatures and feelings that have no demonstration, no ranking and no rollout, in words that stand before
no answer in the base's text. ± is a 95 % interval over prompts: these raters and these trainings are taken as given,
and other ones would differ as the columns *by seed* and *by rater* do. No training and no choice of a checkpoint read a
rating or the true utility; the recipe's settings were chosen on seed 1 (docs/decisions/rehearsal-trials.md){
        ", which is not among these villages" if all(study.seed != 1 for study in studies) else ""
    }.
"""


# claims


def _claims(studies: Sequence[Study], everything: Evaluated) -> str:
    pairs = [(name_of("sft", 1.0), name_of("base", 1.0))]
    pairs += [(name_of("policy", t), name_of("sft", t)) for t in TEMPERATURES]
    if name_of("second policy", 1.0) in everything:
        pairs += [(name_of("second policy", t), name_of("policy", t)) for t in (1.0, 0.0)]
    rows = [_claim_row(claim(everything, *pair), studies) for pair in pairs]
    head = [
        "claim", "gain", "terse", "warm", "by seed", "by rater", "over creatures", "at equal length", "idle sentences",
        "holds",
    ]  # fmt: skip
    about = (
        "Differences on the same prompts. *By rater*: the least and the largest mean gain that a rater\n"
        "saw. *Over creatures*: the same gain with an interval over the creatures and feelings asked about,\n"
        "which is wider, since what a model knows of one shows in all its prompts. A claim\n"
        "holds where the lower end of the interval over prompts is above 0.\n"
    )
    return f"## What is claimed\n\n{about}\n{_rows(head, rows)}"


def _claim_row(found: Claim, studies: Sequence[Study]) -> list[object]:
    by_seed = [claim(study.evaluated, found.better, found.worse).gain for study in studies]
    return [
        f"{found.better} > {found.worse}",
        _signed(found.gain),
        *(_signed(found.by_cohort[cohort]) for cohort in COHORTS),
        ", ".join(f"{gain.mean:+.2f}" for gain in by_seed),
        f"{min(found.by_rater.values()):+.2f} to {max(found.by_rater.values()):+.2f}",
        _signed(found.by_creature),
        _signed(found.equal_length),
        _signed(found.idle),
        "yes" if found.holds else "**no**",
    ]


def _signed(found: Estimate) -> str:
    return f"{found.mean:+.2f} ± {found.mean - found.low:.2f}"


# tables


def _systems(everything: Evaluated) -> list[str]:
    """The chat models and the base, without the tables of their own."""
    models = ("base", "base, shown two answers", "sft", "policy", "second policy")
    names = [name_of(model, temperature) for model in models for temperature in TEMPERATURES]
    return [name for name in names if name in everything]


def _table(everything: Evaluated) -> str:
    rows = [
        [
            name,
            *(rating(everything[name], cohort) for cohort in (None, *COHORTS)),
            true_utility(everything[name]),
            _score(everything[name]),
        ]
        for name in _systems(everything)
    ]
    head = ["system", "both", "terse", "warm", "true utility", "reward model's score"]
    about = (
        "A base model that is shown two answered questions before its own answers shortly and mostly rightly: in a\n"
        "world this small that is nearly all there is to know of answering, and it is rated above an SFT model at the\n"
        "same temperature, which imitates idle sentences and shrugs too.\n"
    )
    return f"## Ratings, 1 to 7\n\n{about}\n{_rows(head, rows)}"


def _score(judged: Sequence[Judged]) -> str:
    scores = [row.score for row in judged if row.score is not None]
    return str(estimate(scores)) if scores else ""


def _traits(everything: Evaluated) -> str:
    found = {name: traits(everything[name]) for name in _systems(everything)}
    head = ["system", *next(iter(found.values()))]
    rows = [[name, *(f"{value:.2f}" for value in of.values())] for name, of in found.items()]
    about = "Shares of responses, or means; *second fact*: right, and a true fact that was not asked for.\n"
    return f"## What the responses are like\n\n{about}\n{_rows(head, rows)}"


def _told(everything: Evaluated) -> str:
    names = [name for name in everything if " told " in name]
    if not names:
        return ""
    rows = [[name, *(rating(everything[name], cohort) for cohort in COHORTS)] for name in names]
    about = "One policy, trained against a reward model that is told the cohort, and told itself for whom it writes.\n"
    return f"## Told for whom\n\n{about}\n{_rows(['system', 'rated by terse', 'rated by warm'], rows)}"


def _best_of(everything: Evaluated) -> str:
    rows = [
        [
            n,
            f"{_bound(n):.2f}",
            *(rating(everything[name], cohort) for cohort in (None, *COHORTS)),
            true_utility(everything[name]),
            _score(everything[name]),
        ]
        for n, name in _best_of_names(everything)
    ]
    head = ["n", "KL at most", "rating of both", "terse", "warm", "true utility", "reward model's score"]
    return f"## Best of n of SFT at T = 1\n\n{_rows(head, rows)}"


def _best_of_names(everything: Evaluated) -> list[tuple[int, str]]:
    named = [(1, name_of("sft", 1.0)), *((n, f"sft, best of {n}") for n in BEST_OF)]
    return [(n, name) for n, name in named if name in everything]


def _bound(n: int) -> float:
    """KL of best-of-n in nats, from above: log n - (n - 1)/n."""
    return math.log(n) - (n - 1) / n


def _accuracy(studies: Sequence[Study]) -> str:
    head = [
        "reward model",
        "cohort",
        "seed",
        "as rankers said",
        "as their taste is",
        "rankers themselves by their taste",
    ]
    rows = [
        [found.model, found.cohort, study.seed, found.against_rankers, found.against_taste, found.rankers_against_taste]
        for study in studies
        for found in study.accuracies
    ]
    about = (
        "Share of pairs of responses ordered alike, on rankings about creatures that no training ranking\n"
        "is about. The last column is what the rankers' own noise leaves: a model that knew their taste\n"
        "perfectly would agree with them no more often.\n"
    )
    return f"## How well the reward model knows the labelers\n\n{about}\n{_rows(head, rows)}"


# on the way


def _on_the_way(everything: Evaluated) -> list[tuple[int, str]]:
    found = [(int(name.split()[2].rstrip(",")), name) for name in everything if name.startswith("policy at ")]
    return sorted(found)


def _kl_at(studies: Sequence[Study], iteration: int) -> float:
    """Mean KL of a response in the rollouts of an iteration, over seeds."""
    lines = [line for study in studies for line in study.course["policy"] if line["step"] == iteration]
    return sum(line["kl_sequence"] for line in lines) / len(lines)


def _way(studies: Sequence[Study], everything: Evaluated, plot: str) -> str:
    rows = [
        [
            iteration,
            f"{_kl_at(studies, iteration):.2f}",
            _score(everything[name]),
            true_utility(everything[name]),
            rating(everything[name]),
        ]
        for iteration, name in _on_the_way(everything)
    ]
    head = ["iteration", "KL of its rollouts", "reward model's score", "true utility", "rating of both"]
    about = (
        f"![Score and true utility against KL]({plot})\n\n"
        "PPO's checkpoints at T = 1. Dashed: SFT at lower temperatures, which has a score but no KL that\n"
        "a run measures. Best of n stands at its largest possible KL.\n"
    )
    return f"## Score, true utility and KL\n\n{about}\n{_rows(head, rows)}"


def _panels(studies: Sequence[Study], everything: Evaluated) -> list[Panel]:
    def scores(judged: Sequence[Judged]) -> Estimate:
        return estimate([row.score for row in judged if row.score is not None])

    panels = []
    for title, measure in (("Reward model's score", scores), ("True utility, mean of both cohorts", true_utility)):
        start = _point(0.0, measure(everything[name_of("sft", 1.0)]), "SFT")
        ppo = [
            _point(_kl_at(studies, iteration), measure(everything[name]), f"{iteration}")
            for iteration, name in _on_the_way(everything)
        ]
        best = [
            _point(_bound(n), measure(everything[name]), f"n = {n}") for n, name in _best_of_names(everything) if n > 1
        ]
        levels = [(name_of("SFT", t), measure(everything[name_of("sft", t)]).mean) for t in (0.5, 0.0)]
        panels.append(
            Panel(title, [Series("PPO", "ppo", [start, *ppo]), Series("best of n", "best", [start, *best])], levels)
        )
    return panels


def _point(kl: float, found: Estimate, label: str) -> Point:
    return Point(x=kl, y=found.mean, low=found.low, high=2 * found.mean - found.low, label=label)


# to read


def _texts(study: Study) -> str:
    """The first prompts of each topic in the evaluation, as they come."""
    asked = {prompt.id: prompt.messages[-1].content for prompt in held_out_prompts(make_world(study.seed))}
    answers = {system: {row.prompt: row for row in study.evaluated[system]} for system in SHOWN_SYSTEMS}
    shown = list(_first_of_each_topic(answers[SHOWN_SYSTEMS[0]]))[:SHOWN_PROMPTS]
    parts = []
    for prompt in shown:
        rows = [
            [system, _inline(answers[system][prompt].text), *_two(answers[system][prompt])] for system in SHOWN_SYSTEMS
        ]
        parts.append(f"**{asked[prompt]}**\n\n{_rows(['system', 'response', 'terse', 'warm'], rows)}")
    return "## To read\n\n" + "\n".join(parts)


def _first_of_each_topic(prompts: Iterable[str]) -> Iterator[str]:
    topics = set()
    for prompt in sorted(prompts):
        topic = prompt.split("-")[1]
        if topic not in topics:
            topics.add(topic)
            yield prompt


def _inline(text: str) -> str:
    return text.replace("\n", " ⏎ ").replace("|", "\\|")


def _two(row: Judged) -> list[str]:
    return [f"{row.ratings[cohort]:g}" for cohort in COHORTS]


def _cost(studies: Sequence[Study]) -> str:
    steps = [step for step in studies[0].cost if not step.startswith("answers")]
    rows = [[step, *(f"{study.cost[step][1]:.0f}" for study in studies)] for step in steps]
    rows.append(
        [
            "**one round** (" + ", ".join(STEPS) + ")",
            *(f"{sum(study.cost[step][1] for step in STEPS):.0f}" for study in studies),
        ]
    )
    answers = [sum(cpu for step, (_, cpu) in study.cost.items() if step.startswith("answers")) for study in studies]
    rows.append(["all answers of the evaluation", *(f"{cpu:.0f}" for cpu in answers)])
    for name, place in (("**everything, CPU**", 1), ("**everything, by the clock**", 0)):
        rows.append([name, *(f"{sum(cost[place] for cost in study.cost.values()):.0f}" for study in studies)])
    head = ["CPU seconds", *(f"seed {study.seed}" for study in studies)]
    return f"## What it cost\n\nOne thread a step, on a machine that did other work too.\n\n{_rows(head, rows)}"
