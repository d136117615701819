"""The reward models of the matrix: trained on everybody, on as many of everybody, on each cohort alone, and told whose.

They are jobs of no stage: a round goes on with the reward model of its own. Who is held out is drawn by lot before any
of them is trained, and none of them reads a ranking by these people.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.db import transaction

from labeling.agreement.figures import Bools, Floats, Ints
from labeling.agreement.matrix import ALL, EQUAL, FEWEST_HELD_OUT, FEWEST_PEOPLE, FEWEST_RANKINGS, OWN, TOLD
from labeling.backgrounds import people_told
from labeling.models import Cohort, Project, Submission, User
from labeling.reports.columns import Joined, JoinedSeconds, numbers, parts_of, whole_numbers
from training import jobs
from training.conditions import Conditions, condition_of, text_of
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
CHOOSE = "Choose cohorts that share nobody, such as those of one question."
TRAIN, VALID, DEMONSTRATIONS = DATA_NEEDS[Stage.Kind.REWARD]


@dataclass(frozen=True)
class Group:
    """A cohort as the matrix knows it. labelers: who ranked while they were in it and in no other that it is told apart
    from; shared: who ranked while they were in another of them too. held_out: those of the labelers whom no model
    learns from, by primary key. train: rankings of the train split by the others; valid: of held-out prompts by the
    held-out."""

    cohort: Cohort
    key: str
    labelers: int
    shared: int
    held_out: tuple[int, ...]
    train: int
    valid: int

    @property
    def is_shown(self) -> bool:
        """A cohort filled by background answers is counted from five people on."""
        return not self.cohort.by_rule or self.labelers >= FEWEST_PEOPLE

    @property
    def wanting(self) -> list[str]:
        """What is missing, and how many more would do."""
        several = [f"{self.in_several} {CHOOSE}"] if self.shared else []
        if not self.is_shown:
            few = f"Fewer than {FEWEST_PEOPLE} who count for it ranked; so few are neither counted nor learned from."
            return [few, *several]
        if self.cohort.by_rule:
            return [*self._wanting_by_rule, *several]
        needed = (
            ("Labelers who ranked", self.labelers, FEWEST_PEOPLE),
            ("Labelers who ranked held-out prompts and can be held out", len(self.held_out), FEWEST_HELD_OUT),
            ("Their rankings of held-out prompts (split valid)", self.valid, FEWEST_RANKINGS),
            ("Rankings of training prompts by the others", self.train, 1),
        )
        wanting = [f"{what}: {there}; {least - there} more would do." for what, there, least in needed if there < least]
        return [*wanting, *several] if wanting else []

    @property
    def _wanting_by_rule(self) -> list[str]:
        """Of people, and of what so few said, only whether it is enough."""
        if len(self.held_out) < FEWEST_PEOPLE:
            few = (
                f"Fewer than {FEWEST_PEOPLE} labelers who ranked held-out prompts can be held out, and one more has to"
            )
            return [f"{few} be learned from; a rule fills it, so that no figure is of fewer."]
        enough = self.valid >= FEWEST_RANKINGS and self.train
        return [] if enough else [f"It takes {FEWEST_RANKINGS} rankings by the held-out, and others to learn from."]

    @property
    def told(self) -> tuple[int | None, int | None]:
        """Labelers and those held out, as they may be told."""
        return people_told(self.cohort, self.labelers), people_told(self.cohort, len(self.held_out))

    @property
    def in_several(self) -> str:
        counted = _counted(self.shared, [self.cohort])
        return f"In another of these cohorts too, and so counted in neither: {counted} who ranked."


@dataclass(frozen=True)
class Partition:
    """Cohorts that are told apart. in_several: labelers who ranked while they were in two of them or more, and speak
    for none."""

    groups: list[Group]
    in_several: int

    @property
    def ready(self) -> list[Group]:
        return [group for group in self.groups if not group.wanting]

    @property
    def sentence(self) -> str:
        """How many people are in several of the cohorts; empty where nobody is."""
        if not self.in_several:
            return ""
        who = _counted(self.in_several, [group.cohort for group in self.groups])
        return f"In two of these cohorts or more, and so counted in none: {who} who ranked. {CHOOSE}"


def _counted(number: int, cohorts: Sequence[Cohort]) -> str:
    """What people answered of their background is not counted below five, and above in steps of five."""
    ruled = next((cohort for cohort in cohorts if cohort.by_rule), None)
    if ruled is None:
        return str(number)
    told = people_told(ruled, number)
    return f"Fewer than {FEWEST_PEOPLE}" if told is None else f"{told} or more"


def chosen_cohorts(project: Project, asked: Collection[str] = ()) -> list[Cohort]:
    """asked: their primary keys, as typed; none: all. Raises LaunchRefused for one that the project does not have."""
    there = {str(cohort.pk): cohort for cohort in project.cohorts.order_by("name")}
    for one in asked:
        if one not in there:
            raise LaunchRefused(f"{one[:20]!r} is no cohort of this project. Choose among those that the page lists.")
    return [cohort for pk, cohort in there.items() if not asked or pk in asked]


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Rankings as arrays of shape (R,): who ranked which prompt, by primary key, and of which split it is. inside: by
    key of the cohorts told apart, whether the labeler was in it then. There may be hundreds of thousands."""

    labelers: Ints
    prompts: Ints
    of_valid: Bools
    inside: Mapping[str, Bools]

    @cached_property
    def several(self) -> Bools:
        """Whether the labeler was in two of the cohorts or more, and so speaks for none."""
        number = np.zeros(len(self.labelers), dtype=np.int64)
        for inside in self.inside.values():
            number += inside
        return np.asarray(number > 1)

    def was_in(self, key: str) -> Bools:
        """Whether the labeler was in this cohort; nobody was in one that is gone."""
        return self.inside[key] if key in self.inside else np.zeros(len(self.labelers), dtype=np.bool_)

    def alone_in(self, key: str) -> Bools:
        """Whether the labeler was in this cohort and in no other."""
        return self.was_in(key) & ~self.several

    def labelers_alone_in(self, key: str) -> int:
        return len(np.unique(self.labelers[self.alone_in(key)]))


def ranked_by(
    project: Project, queries: Mapping[str, Query], among: Sequence[int], *, before: datetime | None = None
) -> Ranked:
    """What counts now of what was ranked, by whom, and whom they speak for now. queries: by split; before: only work
    that was taken up before it. A few queries."""
    columns = {
        "labeler": Joined("assignment__labeler"), "prompt": Joined("assignment__task__prompt"),
        "submitted": JoinedSeconds("submitted_at"),
    }  # fmt: skip
    parts: list[dict[str, str]] = []
    sizes = []
    for query in queries.values():
        found = Submission.objects.filter(pk__in=ranks_asked_for(project, query).order_by().values("submission"))
        if before is not None:
            found = found.filter(assignment__created_at__lt=before)
        parts_of_split = list(parts_of(found, by="pk", columns=columns))
        parts += parts_of_split
        sizes.append(len(whole_numbers(part["labeler"] for part in parts_of_split)))
    labelers = whole_numbers(part["labeler"] for part in parts)
    submitted = numbers(part["submitted"] for part in parts)
    return Ranked(
        labelers=labelers, prompts=whole_numbers(part["prompt"] for part in parts),
        of_valid=np.repeat([split == "valid" for split in queries], sizes),
        inside=_inside(Conditions.of(project, among), labelers, submitted),
    )  # fmt: skip


def _inside(conditions: Conditions, labelers: Ints, submitted: Floats) -> dict[str, Bools]:
    """By key, who of the rows was in the cohort when they submitted."""
    keys = {key for stays in conditions.stays.values() for _, _, key in stays}
    found = {key: np.zeros(len(labelers), dtype=np.bool_) for key in keys}
    order = np.argsort(labelers, kind="stable")
    ranked = labelers[order]
    for labeler, stays in conditions.stays.items():
        begin, end = np.searchsorted(ranked, [labeler, labeler + 1])
        rows = order[begin:end]
        for since, until, key in stays:
            there = submitted[rows] >= since.timestamp()
            if until is not None:
                there &= submitted[rows] < until.timestamp()
            found[key][rows] |= there
    return found


def partition_of(round_: Round, cohorts: Collection[Cohort] = ()) -> Partition:
    """The cohorts, by default every one of the project, with who would be held out (a few queries)."""
    project = round_.project
    told_apart = sorted(cohorts or project.cohorts.all(), key=lambda cohort: cohort.name)
    if not told_apart:
        return Partition([], 0)
    queries = {split: replace(query_of(round_, TRAIN), split=split) for split in ("train", "valid")}
    said = ranked_by(project, queries, [cohort.pk for cohort in told_apart])
    groups = [_group(cohort, said) for cohort in told_apart]
    return Partition(groups, len(np.unique(said.labelers[said.several])))


def groups_of(round_: Round, cohorts: Collection[Cohort] = ()) -> list[Group]:
    return partition_of(round_, cohorts).groups


def _group(cohort: Cohort, ranked: Ranked) -> Group:
    key = condition_of(cohort)
    alone = ranked.alone_in(key)
    everybody = np.unique(ranked.labelers[alone])
    judged_valid = np.unique(ranked.labelers[alone & ranked.of_valid]).tolist()
    able = sorted(judged_valid, key=lambda one: _lot(cohort, one))
    wanted = max(FEWEST_PEOPLE if cohort.by_rule else FEWEST_HELD_OUT, len(everybody) // HELD_OUT_SHARE)
    held_out = tuple(sorted(able[: min(wanted, max(0, len(everybody) - 1))]))
    is_held_out = np.isin(ranked.labelers, held_out)
    return Group(
        cohort, key, len(everybody), len(np.unique(ranked.labelers[ranked.was_in(key) & ranked.several])), held_out,
        train=int((alone & ~ranked.of_valid & ~is_held_out).sum()),
        valid=int((alone & ranked.of_valid & is_held_out).sum()),
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
def launch_cohort_models(
    round_: Round, *, cohorts: Collection[Cohort] = (), by: User | None = None
) -> list[Job]:  # fmt: skip
    """Starts the models of the matrix from the SFT model of a round. cohorts: those to tell apart; none: all.

    Raises LaunchRefused, and nothing was made.
    """
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
    partition = partition_of(round_, cohorts)
    groups = partition.ready
    if len(groups) < 2:
        raise LaunchRefused(
            f"{len(groups)} cohorts have what it takes, and a matrix is of two or more. The page says what is missing."
        )
    told_apart = [group.cohort for group in partition.groups]
    planned = [(variant, _plan(stage, variant, groups, told_apart, models)) for variant in variants_of(groups)]
    made: list[Job] = []
    for variant, (config, data) in planned:
        group = variant.group
        asks = {
            "matrix": {
                "round": round_.pk, "first": made[0].pk if made else None, "model": variant.model, "name": variant.name,
                "key": group.key if group else "", "train": group.train if group else None,
                "cohorts": [cohort.pk for cohort in told_apart],
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
    stage: Stage, variant: Variant, groups: list[Group], told_apart: list[Cohort], models: Mapping[str, Checkpoint]
) -> tuple[dict[str, Any], dict[str, Snapshot]]:
    round_, project = stage.round, stage.round.project
    needs = [TRAIN, VALID, *([DEMONSTRATIONS] if counted(round_, DEMONSTRATIONS) else [])]
    sections = _sections(stage, variant, told_apart)
    config = compose(stage, sections, models=dict(models), needs=needs)
    held_out = tuple(sorted(labeler for group in groups for labeler in group.held_out))
    tokens_of = tuple(generators_that_share_the_tokenizer(project, models["init"]))
    among = tuple(cohort.pk for cohort in told_apart)
    train: dict[str, Any] = {"without_judges": held_out, "tokens_of": tokens_of, "among": among}
    if variant.model == OWN and variant.group:
        train["cohort"] = variant.group.cohort.pk
    if variant.model == EQUAL and variant.group:
        train |= {"judgments": variant.group.train, "seed": config.seed}
    asked: dict[str, Query] = {
        TRAIN.name: replace(query_of(round_, TRAIN), **train),
        VALID.name: replace(query_of(round_, VALID), judges=held_out, tokens_of=tokens_of, among=among),
        DEMONSTRATIONS.name: query_of(round_, DEMONSTRATIONS),
    }
    data = {
        need.name: freeze(project, asked[need.name], at_least=least_rows(config) if need is TRAIN else 1)
        for need in needs
    }
    return dict(config.to_json()), data


def _sections(stage: Stage, variant: Variant, cohorts: Collection[Cohort]) -> Sections:
    """The round's own, told apart only where the model is told whose preferences it stands for."""
    sections = merged(sections_of(stage.round, stage.kind), {"reward": {"score_validation": True}})
    if variant.model != TOLD:
        return sections | {"conditioning": {"mode": "none"}}
    known = sections.get("conditioning", {}).get("conditions", {})
    texts = {condition_of(one): text_of(one) for one in cohorts}
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
