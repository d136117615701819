"""The matrix of a round, read from what its reward models wrote of the held-out rankings."""

from dataclasses import dataclass
from typing import Any

from labeling.agreement.matrix import ALL, EQUAL, OWN, TOLD, WRONG, HeldOut, Matrix, matrix_of
from labeling.models import Project
from training.cohort_models import VALID, cohort_jobs
from training.models import Job, Round
from training.rlhf.contract import records
from training.rlhf.contract.exit_codes import DataRefused, InputMissing
from training.snapshots import path_of
from training.validation_scores import Scores, scores_of


@dataclass(frozen=True)
class Found:
    """jobs: of the newest matrix of a round, in the order in which they were launched. names: of the cohorts, by key.
    matrix: None until all of them are done. problem: why it cannot be read."""

    round: Round
    jobs: list[Job]
    names: dict[str, str]
    matrix: Matrix | None
    problem: str = ""

    @property
    def done(self) -> int:
        return sum(job.state == Job.State.DONE for job in self.jobs)

    @property
    def of_everybody(self) -> Job | None:
        """The job whose model learned from everybody who is not held out, once it is done."""
        return next((job for job in self.jobs if job.asks["matrix"]["model"] == ALL and job.state == job.State.DONE),
                    None)  # fmt: skip


def newest_round_with_one(project: Project) -> Round | None:
    """The newest round whose models were ever launched (two queries, and no file is read)."""
    launched = Job.objects.filter(project=project, asks__matrix__round__isnull=False).order_by()
    rounds = Round.objects.filter(pk__in=set(launched.values_list("asks__matrix__round", flat=True)), recorded="")
    return rounds.select_related("project").order_by("-number").first()


def newest_matrix(round_: Round) -> Found | None:
    """None where its models were never launched."""
    last = cohort_jobs(round_).first()
    if last is None:
        return None
    first = last.asks["matrix"]["first"]
    made = list(cohort_jobs(round_).filter(asks__matrix__first=first).order_by("pk"))
    groups: dict[str, dict[str, Any]] = dict(sorted(last.asks["matrix"]["groups"].items()))
    names = {key: str(told["name"]) for key, told in groups.items()}
    if any(job.state != Job.State.DONE for job in made):
        return Found(round_, made, names, None)
    try:
        held_out = _held_out(made, groups)
    except (InputMissing, DataRefused, OSError, KeyError) as error:
        return Found(round_, made, names, None, f"What the models wrote cannot be read any more: {error}.")
    people = {str(told["name"]): int(told["labelers"]) for told in groups.values()}
    return Found(round_, made, names, matrix_of(held_out, people=people))


def _held_out(made: list[Job], groups: dict[str, dict[str, Any]]) -> list[HeldOut]:
    scores = {(one["model"], one["key"]): scores_of(job) for job in made for one in [job.asks["matrix"]]}
    equal = {one["train"]: scores[EQUAL, one["key"]] for job in made if (one := job.asks["matrix"])["model"] == EQUAL}
    snapshot = made[0].inputs.get(role=VALID.name).snapshot
    assert snapshot is not None
    found = []
    for row in records.read_rows(path_of(snapshot), records.Ranking):
        ids = [answer.id for answer in row.responses]
        for said in row.judged:
            if said.condition not in groups:
                continue
            key = said.condition
            others = [other for other in groups if other != key]
            asked: dict[str, list[tuple[Scores, str | None]]] = {
                ALL: [(scores[ALL, ""], None)],
                EQUAL: [(equal[groups[key]["train"]], None)],
                OWN: [(scores[OWN, key], None)],
                TOLD: [(scores[TOLD, ""], key)],
                # Of several other names, the next: one wrong name is as wrong as another.
                WRONG: [(scores[TOLD, ""], _next(key, others))],
            }
            found.append(
                HeldOut(
                    prompt=row.id, group=row.group, labeler=said.labeler, cohort=str(groups[key]["name"]),
                    ranks=said.ranks,
                    scores={
                        model: [said_of[answer, name] for answer in ids]
                        for model, [(said_of, name)] in asked.items()
                        if all((answer, name) in said_of for answer in ids)
                    },
                )
            )  # fmt: skip
    return found


def _next(key: str, others: list[str]) -> str:
    return next((other for other in sorted(others) if other > key), min(others))
