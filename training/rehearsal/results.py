"""What a study found out, kept as JSON beside its run folders."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.rehearsal.accuracy import Accuracy
from training.rehearsal.evaluating import Judged
from training.rehearsal.intervals import Estimate
from training.rehearsal.reading import Reading
from training.rehearsal.systems import Evaluated
from training.rlhf.contract.run_folder import write_json


@dataclass(frozen=True)
class Study:
    """What one seed gave. cost: (wall, CPU) seconds by step. course: PPO's metrics by iteration, of each policy."""

    seed: int
    evaluated: Evaluated
    accuracies: list[Accuracy]
    cost: dict[str, tuple[float, float]]
    course: dict[str, list[dict[str, Any]]]

    def write(self, path: Path) -> None:
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> "Study":
        found = json.loads(path.read_text())
        return cls(
            seed=found["seed"],
            evaluated={
                system: [Judged(**row | {"reading": Reading(**row["reading"])}) for row in rows]
                for system, rows in found["evaluated"].items()
            },
            accuracies=[_read_accuracy(row) for row in found["accuracies"]],
            cost={step: (wall, cpu) for step, (wall, cpu) in found["cost"].items()},
            course=found["course"],
        )


def _read_accuracy(row: dict[str, Any]) -> Accuracy:
    estimates = {key: Estimate(**row[key]) for key in ("against_rankers", "against_taste", "rankers_against_taste")}
    return Accuracy(**row | estimates)
