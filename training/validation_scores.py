"""What a reward model scored of the held-out rankings, and where it is right.

A stage writes these scores where reward.score_validation asks for them. Nothing is taken apart by cohort here: who is
in a cohort is looked at again each time, which the matrix does (cohort_matrix.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from labeling.agreement.clusters import codes
from labeling.agreement.figures import Figure
from labeling.agreement.matrix import told_apart
from labeling.agreement.shares import share_interval
from training.models import Job
from training.preflight import DATA_NEEDS
from training.rlhf.contract import records
from training.rlhf.contract.exit_codes import DataRefused, InputMissing
from training.run_folders import run_folder
from training.snapshot_rows import number_in
from training.snapshots import path_of

VALIDATION_SCORES = "validation_scores"
VALID = DATA_NEEDS[Job.Kind.REWARD][1]

Scores = dict[tuple[str, str | None], float]
"""By id of the response and condition."""


def scores_of(job: Job) -> Scores:
    """Raises InputMissing, DataRefused or OSError where they cannot be read."""
    path = run_folder(job).output(VALIDATION_SCORES)
    return {
        (row.id.split("/")[1], row.condition): row.scores["reward"] for row in records.read_rows(path, records.Response)
    }


@dataclass(frozen=True)
class Compared:
    """One pair that a labeler told apart. right: 1, 0, a half for equal scores. prompt: primary key. group: what the
    prompt shares with others, an author or a document."""

    prompt: int
    group: str
    labeler: str
    guideline: str
    right: float


@dataclass(frozen=True)
class RightPart:
    """Comparisons that have something in common, and the share that the model orders as their labelers did."""

    name: str
    figure: Figure


def compared_by(job: Job) -> list[Compared] | str:
    """Every held-out pair, as the stage's own accuracy counts them; or why that is not known, in a sentence."""
    if not job.config.get("reward", {}).get("score_validation"):
        return (
            "It is not known where it is right: it kept no scores of single held-out responses. "
            "One trained with reward.score_validation true does."
        )
    read = job.inputs.filter(role=VALID.name, snapshot__isnull=False).select_related("snapshot").first()
    if read is None or read.snapshot is None:
        return "It is not known where it is right: it read no held-out rankings."
    try:
        return list(_compared(job, scores_of(job), records.read_rows(path_of(read.snapshot), records.Ranking)))
    except (InputMissing, DataRefused, OSError) as error:
        return f"It is not known where it is right: what it wrote cannot be read any more: {error}."


def _compared(job: Job, scores: Scores, rows: Iterator[records.Ranking]) -> Iterator[Compared]:
    conditioning = job.config.get("conditioning", {})
    told = set(conditioning.get("conditions", {})) if conditioning.get("mode") == "message" else set()
    for row in rows:
        for said in row.judged:
            condition = said.condition if said.condition in told else None
            given = [scores.get((answer.id, condition)) for answer in row.responses]
            for better, worse in told_apart(said.ranks):
                one, other = given[better], given[worse]
                if one is not None and other is not None:
                    right = 0.5 if one == other else float(one > other)
                    yield Compared(number_in(row.id), row.group or row.id, said.labeler, said.guideline or "?", right)


def right_by(compared: list[Compared], names: Mapping[int, str]) -> list[RightPart]:
    """names: what each prompt is called here, by primary key; those it lacks are in no part. The largest part first."""
    parts: dict[str, list[Compared]] = {}
    for one in compared:
        if one.prompt in names:
            parts.setdefault(names[one.prompt], []).append(one)
    return _parts(parts)


def right_by_guideline(compared: list[Compared]) -> list[RightPart]:
    parts: dict[str, list[Compared]] = {}
    for one in compared:
        parts.setdefault(one.guideline, []).append(one)
    return _parts(parts)


def _parts(parts: Mapping[str, list[Compared]]) -> list[RightPart]:
    found = [RightPart(name, accuracy(some)) for name, some in parts.items()]
    return sorted(found, key=lambda part: (-part.figure.count, part.name))


def accuracy(some: list[Compared]) -> Figure:
    """The share that is right, with prompts (by author or document) and labelers as clusters."""
    right = np.array([one.right for one in some], dtype=np.float64)
    share = float(right.mean())
    return Figure(value=share, count=len(right)).with_interval(
        share_interval(
            share, right, prompts=codes(one.group for one in some), labelers=codes(one.labeler for one in some)
        )
    )
