"""The form that launches a stage: its values, what the stage would be given, and why it cannot start."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training import jobs
from training.audience import known_to
from training.conditions import Condition
from training.contenders import contenders, usual_choices
from training.errors import LaunchRefused
from training.knobs import Field, fields_of, overrides_of
from training.models import Checkpoint, Round, Stage
from training.preflight import (
    GENERATORS,
    LAUNCHABLE,
    counted,
    models_of,
    models_with_watch,
    needs_of,
    offered_watchers,
    preview,
    with_judge,
)
from training.rating import rating_guideline
from training.readiness import Item, report_of
from training.recipes import merged
from training.rounds import check_not_judged, sections_of, sections_to_launch
from training.views.evaluation_forms import EvaluationForm, choices_of, evaluation_form


@dataclass(frozen=True)
class LaunchForm:
    """problem: why the last try was refused. hindrance: why there is nothing to launch from yet. evaluation: what an
    evaluation asks besides."""

    fields: list[Field]
    config: str
    whole: str
    inputs: list[tuple[str, str]]
    hindrance: str = ""
    problem: str = ""
    evaluation: EvaluationForm | None = None
    watchers: Sequence[Checkpoint] = ()
    """Reward models that could watch the policy."""
    watch: int | None = None
    conditions: Sequence[Condition] = ()
    """What the model that Sample asks can be told."""
    told: str = ""


def launch_form(stage: Stage, *, typed: Mapping[str, str] | None = None, problem: str = "") -> LaunchForm | None:
    """None for a stage that no machine does, and while a job of the stage is not ended."""
    job = stage.job
    if stage.kind not in LAUNCHABLE or (job is not None and job.state not in jobs.ENDED):
        return None
    try:
        config = _previewed(stage)
    except LaunchRefused as refused:
        config, problem = {}, problem or str(refused)
    return LaunchForm(
        fields=fields_of(stage.kind, config, typed),
        config=(typed or {}).get("config", ""),
        whole=json.dumps({key: config[key] for key in sorted(config) if key not in ("models", "data")}, indent=2),
        inputs=_inputs(stage),
        hindrance=_hindrance(stage),
        problem=problem,
        evaluation=evaluation_form(stage, typed) if stage.kind == Stage.Kind.EVALUATE else None,
        watchers=offered_watchers(stage) if stage.kind == Stage.Kind.PPO else (),
        watch=watch_in(typed) if typed else stage.round.recipe.get("watch"),
        conditions=_conditions(stage), told=(typed or {}).get("told", ""),
    )  # fmt: skip


def checked_launch(stage: Stage, typed: Mapping[str, str]) -> list[Item]:
    """The report on a launch with these values. Raises LaunchRefused."""
    if stage.kind not in LAUNCHABLE:
        raise LaunchRefused(f"{stage.get_kind_display()} is done by people; there is nothing to check.")
    sections = merged(sections_to_launch(stage, typed.get("told", "")), overrides_of(stage.kind, typed))
    if stage.kind == Stage.Kind.EVALUATE:
        compared = contenders(stage, choices_of(typed))
        return report_of(stage, merged(compared.sections, sections), compared.models, **compared.narrows)
    if stage.kind == Stage.Kind.PPO:
        return report_of(stage, sections, models_with_watch(stage, watch_in(typed)))
    return report_of(stage, sections, with_judge(stage, sections, models_of(stage)))


def watch_in(typed: Mapping[str, str]) -> int | None:
    """The reward model that was chosen to watch, 0 for one that cannot be."""
    text = typed.get("watch", "")
    return (int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0) if text else None


def _previewed(stage: Stage) -> dict[str, Any]:
    """Of an evaluation, with those who are usually compared, where they are there."""
    sections = sections_of(stage.round, stage.kind)
    if stage.kind == Stage.Kind.EVALUATE:
        with contextlib.suppress(LaunchRefused):
            usual = contenders(stage, usual_choices(stage))
            return preview(stage, merged(usual.sections, sections), models=usual.models)
    return preview(stage, sections)


def _conditions(stage: Stage) -> Sequence[Condition]:
    if stage.kind == Stage.Kind.SAMPLE:
        with contextlib.suppress(LaunchRefused):
            return known_to(models_of(stage)["generators"])
    return ()


def _hindrance(stage: Stage) -> str:
    if stage.round.state == Round.State.CLOSED:
        return f"Round {stage.round.number} is closed."
    try:
        models_of(stage)
        if stage.kind == Stage.Kind.EVALUATE:
            rating_guideline(stage.round.project)
            check_not_judged(stage)
    except LaunchRefused as refused:
        return str(refused)
    return ""


def _inputs(stage: Stage) -> list[tuple[str, str]]:
    """What the stage would get now: models by role, records by split. Those of an evaluation stand at its boxes."""
    found = []
    with contextlib.suppress(LaunchRefused):
        found = [(role, model.name) for role, model in models_of(stage).items() if not role.startswith(GENERATORS)]
    for need in needs_of(stage, sections_of(stage.round, stage.kind)):
        number = counted(stage.round, need)
        unit = " bytes" if need.kind == "text" else ""
        held_out = " (held out)" if need.split != "train" and stage.kind != Stage.Kind.SAMPLE else ""
        found.append((f"{need.kind}, {need.split}{held_out}", f"{number:,}{unit}"))
    return found
