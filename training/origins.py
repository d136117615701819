"""Where a checkpoint comes from, down to what people said; and where what somebody said went.

Counts, never names: a page about a model tells nobody who judged.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q

from labeling.models import Cohort, CohortMember, Submission
from training.knobs import value_at, written
from training.lineage import family_of
from training.models import Checkpoint, Job, JobInput, Snapshot
from training.rlhf.contract import records
from training.snapshots import path_of


@dataclass(frozen=True)
class Origin:
    """Of a checkpoint and all that it was made from.

    snapshots: with the roles that they were read in. by_kind: submissions by kind of work. labelers: by source.
    guidelines: (kind, version) -> submissions by it. codes: the versions that made the models of the line.
    """

    ancestors: list[Checkpoint]
    snapshots: list[tuple[Snapshot, str]]
    submissions: int
    by_kind: dict[str, int]
    labelers: dict[str, int]
    guidelines: dict[tuple[str, int], int]
    codes: list[str]


def origin_of(checkpoint: Checkpoint) -> Origin:
    """Seven queries, however long the line is."""
    before, _ = family_of(checkpoint)
    ancestors = [one for generation in before for one in generation]
    made_by = [one.job_id for one in (checkpoint, *ancestors) if one.job_id]
    inputs = JobInput.objects.filter(job__in=made_by, snapshot__isnull=False).select_related("snapshot")
    read: dict[int, tuple[Snapshot, list[str]]] = {}
    for one in inputs.order_by("snapshot", "role"):
        assert one.snapshot is not None
        read.setdefault(one.snapshot.pk, (one.snapshot, []))[1].append(one.role)
    # An id list and not a join: each submission once, in however many snapshots it is.
    inside = Snapshot.submissions.through.objects.filter(snapshot__in=read).values("submission").distinct()
    said = Submission.objects.filter(pk__in=inside).order_by()
    by_kind = said.values_list("assignment__campaign__kind").annotate(many=Count("pk"))
    labelers = said.values_list("assignment__labeler__source").annotate(
        many=Count("assignment__labeler", distinct=True)
    )
    guidelines = said.values_list("guideline__kind", "guideline__version").annotate(many=Count("pk"))
    kinds = dict(by_kind)
    codes = [in_words(one.code) for one in (checkpoint, *ancestors) if one.code]
    snapshots = [(snapshot, ", ".join(dict.fromkeys(roles))) for snapshot, roles in read.values()]
    return Origin(
        ancestors=ancestors, snapshots=snapshots,
        submissions=sum(kinds.values()), by_kind=kinds, labelers=dict(labelers),
        guidelines={(kind, version): many for kind, version, many in guidelines.order_by("guideline__kind",
                    "guideline__version")},
        codes=list(dict.fromkeys(codes)),
    )  # fmt: skip


def withdrawn_from(origin: Origin) -> list[str]:
    """Names of the cohorts by a rule, alone learned from or told apart, of which somebody withdrew the answer that had
    put them in: their judgments are in the data, and their stay is gone (a few queries for each such snapshot)."""
    names = set()
    for snapshot, _ in origin.snapshots:
        names |= _withdrawn_from_told(snapshot)
        cohort = Cohort.objects.by_rule().filter(pk=snapshot.query.get("cohort"), project=snapshot.project_id).first()
        if cohort is not None:
            at = OuterRef("submitted_at")
            stays = cohort.members.filter(labeler=OuterRef("assignment__labeler"), since__lte=at)
            there = Exists(stays.filter(Q(until__isnull=True) | Q(until__gt=at)))
            if snapshot.submissions.exclude(there).exists():
                names.add(cohort.name)
    return sorted(names)


def _withdrawn_from_told(snapshot: Snapshot) -> set[str]:
    """Of cohorts that were told apart: whose key a row of the file carries although its labeler is in it no more. The
    file alone knows it; where that is gone, nothing can be said."""
    among = snapshot.query.get("among") or []
    ruled = Cohort.objects.by_rule().filter(pk__in=among, project=snapshot.project_id)
    names = {cohort.pk: cohort.name for cohort in ruled}
    if not names or not path_of(snapshot).is_file():
        return set()
    keys = dict(zip(snapshot.query.get("keys") or [], among, strict=False))
    stays = _stays_of(snapshot, set(names))
    found = set()
    for labeler, key in _told_in(snapshot):
        cohort = keys.get(key)
        if cohort in names and (labeler, cohort) not in stays:
            found.add(names[cohort])
    return found


def _stays_of(snapshot: Snapshot, cohorts: set[int]) -> set[tuple[str, int]]:
    """(pseudonym, cohort) of everybody who is or was in one of them."""
    members = CohortMember.objects.filter(cohort__in=cohorts, labeler__project=snapshot.project_id)
    return set(members.values_list("labeler__pseudonym", "cohort"))


def _told_in(snapshot: Snapshot) -> set[tuple[str | None, str]]:
    """(pseudonym, key) of what the file says that somebody said as one of a cohort."""
    if snapshot.kind == Snapshot.Kind.RANKINGS:
        rankings = records.read_rows(path_of(snapshot), records.Ranking)
        return {(one.labeler, one.condition) for row in rankings for one in row.judged if one.condition}
    if snapshot.kind == Snapshot.Kind.DEMONSTRATIONS:
        written = records.read_rows(path_of(snapshot), records.Demonstration)
        return {(row.labeler, row.condition) for row in written if row.condition}
    return set()


def in_words(code: dict[str, Any]) -> str:
    """ "3f9c1d2 (changed), torch 2.13.0, transformers 5.1.0"."""
    commit = str(code["git"])[:12] if code.get("git") else "no commit known"
    changed = " with changes that are in no commit" if code.get("dirty") else ""
    libraries = [f"{name} {code[name]}" for name in ("torch", "transformers") if code.get(name)]
    return ", ".join([f"{commit}{changed}", *libraries])


# --- the other way ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Destination:
    """A snapshot that a submission is in, the jobs that read it, and the checkpoints they made."""

    snapshot: Snapshot
    jobs: list[Job]
    checkpoints: list[Checkpoint]


@dataclass(frozen=True)
class Destinations:
    """further: models that were made from those, generation by generation."""

    into: list[Destination]
    further: list[Checkpoint]


def destinations_of(submission: Submission) -> Destinations:
    snapshots = list(submission.snapshots.order_by("pk"))
    inputs = JobInput.objects.filter(snapshot__in=snapshots).select_related("job__stage__round", "job__checkpoint")
    jobs: dict[int, dict[int, Job]] = {}
    for one in inputs.order_by("job_id"):
        jobs.setdefault(one.snapshot_id or 0, {})[one.job_id] = one.job
    into = []
    for snapshot in snapshots:
        read_by = list(jobs.get(snapshot.pk, {}).values())
        made = [job.checkpoint for job in read_by if hasattr(job, "checkpoint")]
        into.append(Destination(snapshot, read_by, made))
    direct = {one.pk: one for destination in into for one in destination.checkpoints}
    return Destinations(into, _descendants(list(direct.values())))


def _descendants(direct: Sequence[Checkpoint]) -> list[Checkpoint]:
    met = {one.pk for one in direct}
    found: list[Checkpoint] = []
    for one in direct:
        for generation in family_of(one)[1]:
            for child in generation:
                if child.pk not in met:
                    met.add(child.pk)
                    found.append(child)
    return found


# --- choices ----------------------------------------------------------------------------------------------------------

CHOICES: dict[str, tuple[tuple[str, str], ...]] = {
    "pretrain": (("pretrain.steps", "Steps"), ("pretrain.vocabulary", "Vocabulary"),
                 ("optimizer.learning_rate", "Learning rate")),
    "sft": (("sft.epochs", "Epochs"), ("sft.select", "The epoch that is released"),
            ("sft.pretrain_fraction", "Share of pretraining text"), ("sft.residual_dropout", "Dropout"),
            ("optimizer.learning_rate", "Learning rate")),
    "reward": (("reward.epochs", "Epochs"), ("reward.ties", "Ties"), ("reward.loss_weighting", "A prompt weighs"),
               ("optimizer.learning_rate", "Learning rate")),
    "ppo": (("ppo.kl.coef", "KL coefficient"), ("ppo.kl.mode", "It is"), ("ppo.kl.stop_nats", "Ends above a KL of"),
            ("ppo.ptx.coef", "Pretraining mix (ptx)"), ("ppo.episodes", "Episodes"), ("ppo.clip_range", "Clip range"),
            ("ppo.missing_stop.mode", "A response without an end"), ("ppo.ema.decay", "Averaged weights, decay"),
            ("optimizer.learning_rate", "Learning rate")),
    "dpo": (("dpo.kl_coef", "KL coefficient"), ("optimizer.learning_rate", "Learning rate")),
}  # fmt: skip
"""What somebody who trains decides, and somebody who uses a model has to know: key of the config, and its name."""
OF_ALL = (
    ("conditioning.mode", "Groups are told apart by"), ("lengths.prompt_tokens", "Longest prompt, tokens"),
    ("lengths.response_tokens", "Longest response, tokens"), ("seed", "Seed"),
)  # fmt: skip


def choices_of(job: Job) -> list[tuple[str, str]]:
    """Names and values, those that the config has."""
    told = [(name, value_at(job.config, key)) for key, name in (*CHOICES.get(job.kind, ()), *OF_ALL)]
    return [(name, written(value)) for name, value in told if value is not None]


def sources(labelers: dict[str, int]) -> str:
    """ "4 members, 16 simulated"."""
    words = {"member": "member", "imported": "of imported data", "simulated": "simulated"}
    counts = Counter(labelers)
    said = [
        f"{counts[source]:,} {word}{'s' if source == 'member' and counts[source] != 1 else ''}"
        for source, word in words.items() if counts[source]
    ]  # fmt: skip
    return ", ".join(said) or "nobody"
