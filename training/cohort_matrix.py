"""The matrix of a round, read from what its reward models wrote of the held-out rankings.

Who is in a cohort is looked at again each time: whoever withdrew, or left it for the past too, is in no figure, and of
a cohort in which fewer than five are left nothing is shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeling.agreement.matrix import ALL, EQUAL, FEWEST_PEOPLE, OWN, TOLD, WRONG, HeldOut, Matrix, matrix_of
from labeling.models import Cohort, Labeler, Project
from training.cohort_models import TRAIN, VALID, Ranked, cohort_jobs, ranked_by
from training.conditions import condition_of
from training.errors import SnapshotRefused
from training.models import Job, Round
from training.rlhf.contract import records
from training.rlhf.contract.exit_codes import DataRefused, InputMissing
from training.snapshot_rows import prompt_id
from training.snapshots import path_of, read_query
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
        standing = _standing(made)
        left = {key: standing.labelers_alone_in(key) for key in groups}
        few = [names[key] for key in groups if left[key] < FEWEST_PEOPLE]
        if few:
            return Found(round_, made, names, None, _too_few(few))
        held_out = _held_out(made, groups, _who_stands(standing, groups))
    except (InputMissing, DataRefused, SnapshotRefused, OSError, KeyError) as error:
        return Found(round_, made, names, None, f"What the models wrote cannot be read any more: {error}.")
    return Found(round_, made, names, matrix_of(
        held_out, people={names[key]: left[key] for key in groups}, by_rule=_by_rule(round_.project, names)
    ))  # fmt: skip


def _by_rule(project: Project, names: dict[str, str]) -> list[str]:
    """Of these cohorts, by key, the names of those that a rule fills."""
    ruled = {condition_of(cohort) for cohort in Cohort.objects.by_rule().filter(project=project)}
    return [name for key, name in names.items() if key in ruled]


def _too_few(names: list[str]) -> str:
    return (
        f"Fewer than {FEWEST_PEOPLE} of those whom these models learned from or were measured on are still in "
        f"{' and in '.join(names)}, and nothing is shown of so few. Train the models again, of cohorts that have more."
    )


def _standing(made: list[Job]) -> Ranked:
    """What of the rankings that were there at the launch still counts, and for whom it speaks now."""
    whole = next(job for job in made if job.asks["matrix"]["model"] == ALL)
    queries = {}
    for need in (TRAIN, VALID):
        snapshot = whole.inputs.select_related("snapshot").get(role=need.name).snapshot
        assert snapshot is not None
        # All that the cohorts' people ranked was counted at the launch, not what was learned from or measured alone.
        queries[str(need.split)] = replace(read_query(snapshot.query), judges=(), without_judges=())
    among = whole.asks["matrix"].get("cohorts", ())
    return ranked_by(whole.project, queries, among, before=whole.created_at)


def _who_stands(standing: Ranked, groups: Iterable[str]) -> set[tuple[str, str, str]]:
    """(prompt, labeler, key) as the snapshot has them (one query)."""
    people = Labeler.objects.filter(pk__in=np.unique(standing.labelers).tolist())
    pseudonym = dict(people.values_list("pk", "pseudonym"))
    return {
        (prompt_id(prompt), pseudonym[labeler], key)
        for key in groups
        for alone in [standing.alone_in(key)]
        for prompt, labeler in zip(standing.prompts[alone].tolist(), standing.labelers[alone].tolist(), strict=True)
    }


def _held_out(made: list[Job], groups: dict[str, dict[str, Any]], standing: set[tuple[str, str, str]]) -> list[HeldOut]:
    """standing: (prompt, labeler, key) of what still counts for the cohort for which it counted then."""
    scores = {(one["model"], one["key"]): scores_of(job) for job in made for one in [job.asks["matrix"]]}
    equal = {one["train"]: scores[EQUAL, one["key"]] for job in made if (one := job.asks["matrix"])["model"] == EQUAL}
    snapshot = made[0].inputs.get(role=VALID.name).snapshot
    assert snapshot is not None
    found = []
    for row in records.read_rows(path_of(snapshot), records.Ranking):
        ids = [answer.id for answer in row.responses]
        for said in row.judged:
            if said.condition not in groups or (row.id, said.labeler, said.condition) not in standing:
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
