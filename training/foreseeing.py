"""What a rehearsal will take and give, before it is begun: from a table that was measured, and from earlier rounds.

The table is written by `python -m training.rehearsal.expecting`. The time is that of an earlier round's stages, each
scaled to the amount it has to do now.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db.models import Q

from labeling.models import Project
from training.models import Job, Round, Stage
from training.recipes import recipe_named
from training.rehearsal import recipe as rehearsed
from training.rehearsal.intervals import Estimate
from training.rehearsing import Settings

TABLE = Path(__file__).parent / "rehearsal" / "expected.json"
USUAL = rehearsed.FULL.name
"""The recipe that the table was measured with."""
KINDS: tuple[str, ...] = (Stage.Kind.SFT, Stage.Kind.SAMPLE, Stage.Kind.REWARD, Stage.Kind.PPO, Stage.Kind.EVALUATE)
JUDGING_SECONDS = 30.0
"""About what the simulated labelers take for a whole round."""


@dataclass(frozen=True)
class Foreseen:
    """What is not known is None. agreement: shares of pairs of responses that two labelers order alike.

    measured_at: the settings of the table's row, in words; they are the nearest ones, not always the same.
    another_recipe: the reward model of the table was trained by the usual recipe, and this one is trained otherwise.
    """

    seconds: float | None
    timed_by: Round | None
    within: Estimate | None
    across: Estimate | None
    accuracy: Estimate | None
    measured_at: str
    command: str
    another_recipe: bool


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """{"command", "reward_model": rows, "labelers": rows}; empty where nobody has measured yet."""
    found: dict[str, Any] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    return found


def foresee(project: Project, settings: Settings) -> Foreseen:
    learned = min(table().get("reward_model", ()), key=lambda row: _distance(row, settings), default=None)
    agreed = min(table().get("labelers", ()), key=lambda row: abs(row["responses"] - settings.responses), default=None)
    seconds, timed_by = time_of(project, settings)
    return Foreseen(
        seconds=seconds, timed_by=timed_by,
        within=Estimate(**agreed["within"]) if agreed else None,
        across=Estimate(**agreed["across"]) if agreed else None,
        accuracy=Estimate(**learned["accuracy"]) if learned else None,
        measured_at=_in_words(learned) if learned else "",
        command=table().get("command", ""),
        another_recipe=settings.recipe != USUAL,
    )  # fmt: skip


def _distance(row: Mapping[str, Any], settings: Settings) -> float:
    """Between amounts as ratios: 200 prompts are as far from 500 as 500 from 1,250."""
    pairs = (
        (row["prompts"], settings.prompts), (row["responses"], settings.responses),
        (row["judges_per_cohort"], settings.judges),
    )  # fmt: skip
    return sum(abs(math.log(measured / asked)) for measured, asked in pairs)


def _in_words(row: Mapping[str, Any]) -> str:
    judges = row["judges_per_cohort"]
    return (
        f"{row['prompts']:,} prompts, {row['responses']} responses each, {judges} judge{'s' if judges > 1 else ''} "
        f"of each cohort"
    )


# --- time -------------------------------------------------------------------------------------------------------------


def time_of(project: Project, settings: Settings) -> tuple[float | None, Round | None]:
    """Seconds of a round with these settings, by the newest round whose stages all ran: one of this project, or else
    a recorded one, and of these one by the same recipe first. (None, None) where there is none."""
    earlier = _timed(project, settings.recipe)
    if earlier is None:
        return None, None
    wanted = amounts_of(settings)
    before = {kind: amount_of(kind, earlier.recipe.get("stages", {})) for kind in KINDS}
    seconds = JUDGING_SECONDS
    for kind, taken in seconds_of(earlier).items():
        if kind != Stage.Kind.SFT or settings.policy is None:
            seconds += taken * wanted[kind] / before[kind]
    return seconds, earlier


def _timed(project: Project, recipe: str) -> Round | None:
    done = Round.objects.filter(stages__kind=Stage.Kind.PPO, stages__state=Stage.State.DONE)
    done = done.filter(stages__kind=Stage.Kind.SFT, recipe__rankings="own").distinct()
    own, recorded = done.filter(project=project), done.filter(~Q(recorded=""), project__simulated=True)
    for found in (own.filter(recipe__name=recipe), own, recorded.filter(recipe__name=recipe), recorded):
        if newest := found.order_by("-number").first():
            return newest
    return None


def seconds_of(round_: Round) -> dict[str, float]:
    """By kind of stage: what its job took by the clock, of those of KINDS that are done."""
    found = {}
    for stage in round_.stages.select_related("job"):
        job = stage.job
        if stage.kind in KINDS and job and job.state == Job.State.DONE and job.started_at and job.finished_at:
            found[stage.kind] = (job.finished_at - job.started_at).total_seconds()
    return found


def amounts_of(settings: Settings) -> dict[str, float]:
    stages = recipe_named(settings.recipe).stages
    sample = {"sample": {"responses_per_prompt": settings.responses, "limit_prompts": settings.prompts}}
    return {kind: amount_of(kind, {**stages, "sample": sample}) for kind in KINDS}


def amount_of(kind: str, stages: Mapping[str, Any]) -> float:
    """How much a stage has to do, in a unit of its own; never 0."""
    sample = stages.get("sample", {}).get("sample", {})
    sampled = (sample.get("limit_prompts") or 1) * sample.get("responses_per_prompt", 1)
    if kind == Stage.Kind.REWARD:
        return float(sampled * stages.get("reward", {}).get("reward", {}).get("epochs", 1))
    if kind == Stage.Kind.PPO:
        return float(stages.get("ppo", {}).get("ppo", {}).get("episodes", 1))
    return float(sampled) if kind == Stage.Kind.SAMPLE else 1.0
