"""Models of a large project that nobody trained: a reward model a round, and a matrix of them, with scores drawn by lot
for every held-out response. What the reports read of them is all there."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from labeling.agreement.matrix import EQUAL, OWN, TOLD
from labeling.models import Project
from training.cohort_models import TRAIN, VALID, Group, groups_of, variants_of
from training.models import Job, JobInput, Round, Snapshot, Stage
from training.preflight import query_of
from training.rlhf.contract import records
from training.run_folders import run_folder
from training.snapshots import freeze, path_of
from training.validation_scores import VALIDATION_SCORES

ROUNDS = 30
ACCURACY = {"mean": 0.7, "low": 0.68, "high": 0.72}


def fill_models(project: Project) -> None:
    """ROUNDS rounds with a reward model each, of which the newest kept its scores, and a matrix in the newest."""
    for number in range(1, ROUNDS + 1):
        round_ = Round.objects.create(project=project, number=number)
        stage = Stage.objects.create(round=round_, kind="reward", place=0, state="done")
        job = Job.objects.create(
            project=project, stage=stage, kind="reward", state="done",
            config=_config([], scored=number == ROUNDS),
            report={"validation": {"accuracy": ACCURACY, "accuracy_over_longer": ACCURACY}},
        )  # fmt: skip
    valid = freeze(project, query_of(round_, VALID))
    JobInput.objects.create(job=job, role=VALID.name, snapshot=valid)
    _write_scores(job, valid, [None])
    _fill_matrix(round_)


def _config(conditions: list[str], *, scored: bool = True) -> dict[str, Any]:
    return {
        "reward": {"epochs": 1, "ties": "left out", "score_validation": scored}, "optimizer": {"learning_rate": 9e-6},
        "conditioning": {"mode": "message", "conditions": dict.fromkeys(conditions, "Answer as they prefer.")},
        "seed": 0,
    }  # fmt: skip


def _fill_matrix(round_: Round) -> None:
    project = round_.project
    groups = groups_of(round_)
    keys = [group.key for group in groups]
    among = tuple(group.cohort.pk for group in groups)
    judges = tuple(sorted(labeler for group in groups for labeler in group.held_out))
    valid = freeze(project, replace(query_of(round_, VALID), judges=judges, among=among))
    # Of what a model learned from, a report reads the query alone.
    train = Snapshot.objects.create(
        project=project, kind="rankings", rows=0, bytes=0, uri="none", sha256="0" * 64,
        query=replace(query_of(round_, TRAIN), without_judges=judges, among=among).to_json(),
    )  # fmt: skip
    first = None
    for variant in variants_of(groups):
        told = keys if variant.model == TOLD else []
        job = Job.objects.create(project=project, kind="reward", state="done", config=_config(told))
        first = first or job.pk
        job.asks = {"matrix": _asked(round_, first, variant.model, variant.group, groups)}
        job.save(update_fields=["asks"])
        JobInput.objects.create(job=job, role=TRAIN.name, snapshot=train)
        JobInput.objects.create(job=job, role=VALID.name, snapshot=valid)
        _write_scores(job, valid, told or [None])


def _asked(round_: Round, first: int, model: str, group: Group | None, groups: list[Group]) -> dict[str, Any]:
    return {
        "round": round_.pk, "first": first, "model": model, "name": model,
        "key": group.key if group and model in (OWN, EQUAL) else "", "train": group.train if group else None,
        "cohorts": [one.cohort.pk for one in groups],
        "groups": {
            one.key: {"name": one.cohort.name, "labelers": one.labelers, "train": one.train} for one in groups
        },
    }  # fmt: skip


def _write_scores(job: Job, valid: Snapshot, conditions: list[str] | list[None]) -> None:
    path = run_folder(job).output(VALIDATION_SCORES)
    # A database that is made anew counts jobs from 1 again.
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(parents=True)
    records.write_rows(path, _scores(valid, conditions, random.Random(job.pk)))


def _scores(valid: Snapshot, conditions: list[str] | list[None], chance: random.Random) -> Iterator[records.Response]:
    for row in records.read_rows(path_of(valid), records.Ranking):
        for condition in conditions:
            for answer in row.responses:
                yield records.Response(
                    id=f"{row.id}/{answer.id}/{condition or ''}", prompt=row.id, text="", token_ids=(), finish="stop",
                    generator="ranked", condition=condition, scores={"reward": chance.gauss(0, 1)},
                )  # fmt: skip
