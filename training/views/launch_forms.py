"""The form that launches a stage: its values, what the stage would be given, and why it cannot start."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from training import jobs
from training.errors import LaunchRefused
from training.knobs import Field, fields_of
from training.models import Round, Stage
from training.preflight import DATA_NEEDS, LAUNCHABLE, counted, models_of, preview
from training.rounds import sections_of


@dataclass(frozen=True)
class LaunchForm:
    """problem: why the last try was refused. hindrance: why there is nothing to launch from yet."""

    fields: list[Field]
    config: str
    whole: str
    inputs: list[tuple[str, str]]
    hindrance: str = ""
    problem: str = ""


def launch_form(stage: Stage, *, typed: Mapping[str, str] | None = None, problem: str = "") -> LaunchForm | None:
    """None for a stage that no machine does, and while a job of the stage is not ended."""
    job = stage.job
    if stage.kind not in LAUNCHABLE or (job is not None and job.state not in jobs.ENDED):
        return None
    try:
        config = preview(stage, sections_of(stage.round, stage.kind))
    except LaunchRefused as refused:
        config, problem = {}, problem or str(refused)
    return LaunchForm(
        fields=fields_of(stage.kind, config, typed),
        config=(typed or {}).get("config", ""),
        whole=json.dumps({key: config[key] for key in sorted(config) if key not in ("models", "data")}, indent=2),
        inputs=_inputs(stage),
        hindrance=_hindrance(stage),
        problem=problem,
    )


def _hindrance(stage: Stage) -> str:
    if stage.round.state == Round.State.CLOSED:
        return f"Round {stage.round.number} is closed."
    try:
        models_of(stage)
    except LaunchRefused as refused:
        return str(refused)
    return ""


def _inputs(stage: Stage) -> list[tuple[str, str]]:
    """What the stage would get now: models by role, records by split."""
    found = []
    with contextlib.suppress(LaunchRefused):
        found = [(role, model.name) for role, model in models_of(stage).items()]
    for need in DATA_NEEDS[stage.kind]:
        number = counted(stage.round, need)
        unit = " bytes" if need.kind == "text" else ""
        held_out = " (held out)" if need.split == "valid" and stage.kind != Stage.Kind.SAMPLE else ""
        found.append((f"{need.kind}, {need.split}{held_out}", f"{number:,}{unit}"))
    return found
