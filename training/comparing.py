"""Two rounds beside each other: what they were told, what they learned from, what came of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from training.knobs import value_at, written
from training.models import Job, JobInput, Round, Snapshot, Stage
from training.rounds import WAITS_FOR, sections_of

DECIDED_BY_THE_ROUND = ("format", "job", "models", "data", "stage")
"""Of a config: names and paths, which differ between any two jobs and tell nothing."""


@dataclass(frozen=True)
class Setting:
    """A dotted key of config.json in both rounds; empty where a round does not say it."""

    key: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        return self.first != self.second


@dataclass(frozen=True)
class DataPair:
    """A data file of a stage in both rounds. submissions: how many are in both, and in one of them only."""

    name: str
    first: Snapshot | None
    second: Snapshot | None
    both: int
    only_first: int
    only_second: int

    @property
    def same(self) -> bool:
        return self.first is not None and self.second is not None and self.first.sha256 == self.second.sha256


@dataclass(frozen=True)
class StagePair:
    """A stage in both rounds; a round may lack it, or not have run it yet."""

    kind: str
    label: str
    first: Job | None
    second: Job | None
    settings: list[Setting]
    data: list[DataPair]

    @property
    def differing(self) -> list[Setting]:
        return [one for one in self.settings if one.differs]

    @property
    def alike(self) -> list[Setting]:
        return [one for one in self.settings if not one.differs]


def compare(first: Round, second: Round) -> list[StagePair]:
    """The stages that either has, in the order of a round. Four queries, and two for each pair of data files."""
    of = [{stage.kind: stage for stage in one.stages.select_related("job")} for one in (first, second)]
    inputs = inputs_of([stage.job_id for stages in of for stage in stages.values() if stage.job_id])
    found = []
    for kind in WAITS_FOR:
        if kind not in of[0] and kind not in of[1]:
            continue
        jobs = [stages[kind].job if kind in stages else None for stages in of]
        told = [told_to(one, stages.get(kind)) for one, stages in zip((first, second), of, strict=True)]
        read = [inputs.get(job.pk, {}) if job else {} for job in jobs]
        alike = all(kind in stages for stages in of) and (jobs[0] is None) == (jobs[1] is None)
        found.append(StagePair(
            kind=kind, label=Stage.Kind(kind).label, first=jobs[0], second=jobs[1],
            settings=list(_settings(*told, whole=alike)), data=list(_data(*read)),
        ))  # fmt: skip
    return found


def told_to(round_: Round, stage: Stage | None) -> Mapping[str, Any]:
    """The config of the stage's job; before there is one, what the recipe says."""
    if stage is None:
        return {}
    return stage.job.config if stage.job else sections_of(round_, stage.kind)


def inputs_of(jobs: Iterable[int]) -> dict[int, dict[str, Snapshot]]:
    """Job -> name of the data file -> snapshot (one query)."""
    found: dict[int, dict[str, Snapshot]] = {}
    for one in JobInput.objects.filter(job__in=list(jobs), snapshot__isnull=False).select_related("snapshot"):
        assert one.snapshot is not None
        found.setdefault(one.job_id, {})[one.role] = one.snapshot
    return found


def _settings(first: Mapping[str, Any], second: Mapping[str, Any], *, whole: bool) -> Iterator[Setting]:
    """Those that differ come first, each part in the order of the keys.

    whole: whether both say equally much. A recipe leaves most to the contract's defaults, which a job's config spells
    out: beside each other only what both say can differ. Nothing differs from a stage that a round lacks.
    """
    values = [dict(leaves(config)) for config in (first, second)]
    keys = sorted({*values[0]} | {*values[1]} if whole else {*values[0]} & {*values[1]})
    pairs = [Setting(key, *(written(value_at(one, key)) for one in (first, second))) for key in keys]
    yield from sorted(pairs, key=lambda one: (not one.differs, one.key))


def leaves(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys with their values; lists are values."""
    for key, value in config.items():
        if not path and key in DECIDED_BY_THE_ROUND:
            continue
        here = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and value:
            yield from leaves(value, here)
        else:
            yield here, value


def _data(first: Mapping[str, Snapshot], second: Mapping[str, Snapshot]) -> Iterator[DataPair]:
    for name in sorted({*first, *second}):
        one, other = first.get(name), second.get(name)
        yield DataPair(name, one, other, *_shared_submissions(one, other))


def _shared_submissions(one: Snapshot | None, other: Snapshot | None) -> tuple[int, int, int]:
    """In both, only in the first, only in the second."""
    link = Snapshot.submissions.through.objects
    ids = [snapshot.pk for snapshot in (one, other) if snapshot is not None]
    held = dict(link.filter(snapshot__in=ids).values_list("snapshot").annotate(many=Count("pk")).order_by())
    of_one, of_other = (held.get(snapshot.pk, 0) if snapshot else 0 for snapshot in (one, other))
    if one is None or other is None or not of_one or not of_other:
        return 0, of_one, of_other
    in_other = link.filter(snapshot=other).values("submission")
    both = link.filter(snapshot=one, submission__in=in_other).count()
    return both, of_one - both, of_other - both
