"""The reward models of the matrix: trained on everybody, on as many of everybody, on each cohort alone, and told whose.

They are jobs of no stage: a round goes on with the reward model of its own. Who is held out is drawn by lot before any
of them is trained, and none of them reads a ranking by these people.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from labeling.agreement.matrix import ALL, EQUAL, FEWEST_HELD_OUT, FEWEST_PEOPLE, FEWEST_RANKINGS, OWN, TOLD
from labeling.models import Cohort, User
from training import jobs
from training.conditions import Conditions, condition_of
from training.errors import LaunchRefused
from training.lineage import generators_that_share_the_tokenizer
from training.models import Checkpoint, Job, JobInput, Round, Snapshot, Stage
from training.preflight import DATA_NEEDS, compose, counted, least_rows, models_of, query_of
from training.recipes import Sections, merged
from training.rounds import sections_of
from training.snapshot_rows import Query, ranks_asked_for
from training.snapshots import freeze

HELD_OUT_SHARE = 3
"""One labeler in so many is held out, and never fewer than an interval takes."""
TRAIN, VALID, DEMONSTRATIONS = DATA_NEEDS[Stage.Kind.REWARD]


@dataclass(frozen=True)
class Group:
    """A cohort as the matrix knows it. labelers: who ranked while they were in it. held_out: those of them whom no
    model learns from, by primary key. train: rankings of the train split by the others; valid: of held-out prompts by
    the held-out."""

    cohort: Cohort
    key: str
    labelers: int
    held_out: tuple[int, ...]
    train: int
    valid: int

    @property
    def is_shown(self) -> bool:
        """A cohort filled by background answers is counted from five people on."""
        return not self.cohort.rule or self.labelers >= FEWEST_PEOPLE

    @property
    def wanting(self) -> list[str]:
        """What is missing, and how many more would do."""
        if not self.is_shown:
            return [f"Fewer than {FEWEST_PEOPLE} of its people ranked; so few are neither counted nor learned from."]
        needed = (
            ("Labelers who ranked", self.labelers, FEWEST_PEOPLE),
            ("Labelers who ranked held-out prompts and can be held out", len(self.held_out), FEWEST_HELD_OUT),
            ("Their rankings of held-out prompts (split valid)", self.valid, FEWEST_RANKINGS),
            ("Rankings of training prompts by the others", self.train, 1),
        )
        return [f"{what}: {there}; {least - there} more would do." for what, there, least in needed if there < least]


def groups_of(round_: Round) -> list[Group]:
    """Every cohort of the project, with who would be held out (a few queries)."""
    conditions, project = Conditions.of(round_.project), round_.project
    said: dict[str, list[tuple[int, int, str]]] = {}
    for split in ("train", "valid"):
        query = replace(query_of(round_, TRAIN), split=split)
        rows = ranks_asked_for(project, query).order_by().values_list(
            "submission", "submission__assignment__labeler", "submission__submitted_at"
        )  # fmt: skip
        for submission, labeler, at in rows.distinct():
            key = conditions.at(labeler, at)
            if key is not None:
                said.setdefault(key, []).append((submission, labeler, split))
    return [_group(cohort, said.get(condition_of(cohort), [])) for cohort in project.cohorts.order_by("name")]


def _group(cohort: Cohort, said: list[tuple[int, int, str]]) -> Group:
    everybody = {labeler for _, labeler, _ in said}
    able = sorted((labeler for _, labeler, split in set(said) if split == "valid"), key=lambda one: _lot(cohort, one))
    able = list(dict.fromkeys(able))
    wanted = max(FEWEST_HELD_OUT, len(everybody) // HELD_OUT_SHARE)
    held_out = tuple(sorted(able[: min(wanted, max(0, len(everybody) - 1))]))
    return Group(
        cohort, condition_of(cohort), len(everybody), held_out,
        train=sum(split == "train" and labeler not in held_out for _, labeler, split in said),
        valid=sum(split == "valid" and labeler in held_out for _, labeler, split in said),
    )  # fmt: skip


def _lot(cohort: Cohort, labeler: int) -> bytes:
    return hashlib.sha256(f"held out {cohort.pk} {labeler}".encode()).digest()


@dataclass(frozen=True)
class Variant:
    """One model to train. model: as the matrix calls it; group: whose it is, None where it is everybody's."""

    model: str
    group: Group | None = None

    @property
    def name(self) -> str:
        return f"{self.model}: {self.group.cohort.name}" if self.group else self.model


def variants_of(groups: list[Group]) -> list[Variant]:
    """One of as many rankings stands for all cohorts that made the same number."""
    equal = {group.train: group for group in reversed(groups)}
    return [
        Variant(ALL),
        *(Variant(EQUAL, group) for group in groups if equal[group.train] is group),
        *(Variant(OWN, group) for group in groups),
        Variant(TOLD),
    ]


@transaction.atomic
def launch_cohort_models(round_: Round, *, by: User | None = None) -> list[Job]:
    """Starts the models of the matrix from the SFT model of a round. Raises LaunchRefused, and nothing was made."""
    round_ = Round.objects.select_for_update().select_related("project").get(pk=round_.pk)
    running = cohort_jobs(round_).filter(state__in=[*jobs.ACTIVE, Job.State.PAUSED]).first()
    if running is not None:
        raise LaunchRefused(f"Job {running.pk} of the matrix is {running.state}. Wait for it, or cancel it first.")
    if round_.recorded or round_.state == Round.State.CLOSED:
        raise LaunchRefused(f"Round {round_.number} takes no more jobs.")
    stage = round_.stages.filter(kind=Stage.Kind.REWARD).select_related("round__project").first()
    if stage is None:
        raise LaunchRefused(f"Round {round_.number} has no stage Reward model.")
    models = models_of(stage)
    groups = [group for group in groups_of(round_) if not group.wanting]
    if len(groups) < 2:
        raise LaunchRefused(
            f"{len(groups)} cohorts have what it takes, and a matrix is of two or more. The page says what is missing."
        )
    planned = [(variant, _plan(stage, variant, groups, models)) for variant in variants_of(groups)]
    made: list[Job] = []
    for variant, (config, data) in planned:
        group = variant.group
        asks = {
            "matrix": {
                "round": round_.pk, "first": made[0].pk if made else None, "model": variant.model, "name": variant.name,
                "key": group.key if group else "", "train": group.train if group else None,
                "groups": {
                    one.key: {"name": one.cohort.name, "labelers": one.labelers, "train": one.train} for one in groups
                },
            }
        }  # fmt: skip
        made.append(_job(round_, config, models, data, asks, by))
    for job in made:
        jobs.ring(job)
    return made


def cohort_jobs(round_: Round) -> Any:
    """The newest first."""
    return Job.objects.filter(project=round_.project_id, asks__matrix__round=round_.pk).order_by("-pk")


def _plan(
    stage: Stage, variant: Variant, groups: list[Group], models: Mapping[str, Checkpoint]
) -> tuple[dict[str, Any], dict[str, Snapshot]]:
    round_, project = stage.round, stage.round.project
    needs = [TRAIN, VALID, *([DEMONSTRATIONS] if counted(round_, DEMONSTRATIONS) else [])]
    sections = _sections(stage, variant, project.cohorts.all())
    config = compose(stage, sections, models=dict(models), needs=needs)
    held_out = tuple(sorted(labeler for group in groups for labeler in group.held_out))
    tokens_of = tuple(generators_that_share_the_tokenizer(project, models["init"]))
    train: dict[str, Any] = {"without_judges": held_out, "tokens_of": tokens_of}
    if variant.model == OWN and variant.group:
        train["cohort"] = variant.group.cohort.pk
    if variant.model == EQUAL and variant.group:
        train |= {"judgments": variant.group.train, "seed": config.seed}
    asked: dict[str, Query] = {
        TRAIN.name: replace(query_of(round_, TRAIN), **train),
        VALID.name: replace(query_of(round_, VALID), judges=held_out, tokens_of=tokens_of),
        DEMONSTRATIONS.name: query_of(round_, DEMONSTRATIONS),
    }
    data = {
        need.name: freeze(project, asked[need.name], at_least=least_rows(config) if need is TRAIN else 1)
        for need in needs
    }
    return dict(config.to_json()), data


def _sections(stage: Stage, variant: Variant, cohorts: Any) -> Sections:
    """The round's own, told apart only where the model is told whose preferences it stands for."""
    sections = merged(sections_of(stage.round, stage.kind), {"reward": {"score_validation": True}})
    if variant.model != TOLD:
        return sections | {"conditioning": {"mode": "none"}}
    known = sections.get("conditioning", {}).get("conditions", {})
    texts = {condition_of(one): f"Answer as the group “{one.name}” prefers." for one in cohorts}
    return sections | {"conditioning": {"mode": "message", "conditions": texts | known}}


def _job(
    round_: Round, config: dict[str, Any], models: Mapping[str, Checkpoint], data: Mapping[str, Snapshot],
    asks: dict[str, Any], by: User | None,
) -> Job:  # fmt: skip
    queue = Job.Queue.CPU if config["hardware"]["device"] == "cpu" else Job.Queue.GPU
    job = Job.objects.create(
        project=round_.project, kind=Job.Kind.REWARD, config=config, asks=asks, queue=queue, created_by=by
    )
    job.config["job"] = str(job.pk)
    if job.asks["matrix"]["first"] is None:
        job.asks["matrix"]["first"] = job.pk
    job.save(update_fields=["config", "asks"])
    inputs = [JobInput(job=job, role=role, checkpoint=model) for role, model in models.items()]
    inputs += [JobInput(job=job, role=name, snapshot=snapshot) for name, snapshot in data.items()]
    JobInput.objects.bulk_create(inputs)
    return job
