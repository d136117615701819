"""Accord's side of bench/training.py: a stage as it is, on a run folder, taking turns with its peer.

python bench/training_ours.py STAGE RUN_DIR TASK.json (bench/training.py runs it)
"""

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.peers.turns import Turns  # noqa: E402
from training.rlhf.attempt import run_stage  # noqa: E402
from training.rlhf.run import Run  # noqa: E402

PHASES = {"generate_seconds": "generate", "score_seconds": "score", "update_seconds": "update"}


def main() -> None:
    stage, folder, task = sys.argv[1], sys.argv[2], json.loads(Path(sys.argv[3]).read_text())
    take_turns(Turns(warm_steps=task["warm_steps"], steps=task["steps"]), task["units_of_step"])
    run_stage(stage, import_module(f"training.rlhf.{stage}").train, [folder])  # type: ignore[arg-type]


def take_turns(turns: Turns, units_of_step: list[float]) -> None:
    """After every step the stage tells what it did, and waits where a turn is over."""
    logged: dict[str, float] = {}
    whole_log, whole_end_step = Run.log, Run.end_step

    def log(run: Run, step: int, values: Mapping[str, float | int], **how: Any) -> None:
        logged.update(values)
        whole_log(run, step, values, **how)

    def end_step(run: Run, step: int, save: Any) -> None:
        whole_end_step(run, step, save)
        if step == 1:
            turns.facts["first_loss"] = logged.get("loss")
        for name in ("response_tokens", "ended_share"):
            if name in logged:
                turns.facts[name] = logged[name]
        units = units_of_step[(step - 1) % len(units_of_step)]
        turns.after_step(units, {short: logged[name] for name, short in PHASES.items() if name in logged})

    Run.log, Run.end_step = log, end_step  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    main()
