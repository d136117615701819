"""What the models of a project read: what was asked of the records, and what was left out of it, by reason.

Counts are those of the moment in which the records were frozen. What a query never asked for (other origins, simulated
labelers) was not counted then: it is told in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from labeling.models import Project, Prompt
from training.models import Job, Snapshot
from training.snapshot_rows import Query
from training.snapshots import shown_query

MOST_ROUNDS = 30
TRAINED = (Job.Kind.SFT, Job.Kind.REWARD, Job.Kind.PPO, Job.Kind.DPO)
SIMULATED = {"exclude": "nothing simulated", "include": "simulated too", "only": "simulated alone"}


@dataclass(frozen=True)
class Read:
    """A snapshot that a model learned from or was measured on. left_out: reason -> records; None where it was not
    counted."""

    round: int
    job: int
    kind: str
    role: str
    rows: int
    asked: str
    left_out: Mapping[str, int] | None

    @property
    def left_out_words(self) -> str:
        if self.left_out is None:
            return "not counted"
        return "; ".join(f"{reason}: {number:,}" for reason, number in self.left_out.items()) or "nothing"


def models_read(project: Project) -> list[Read]:
    """By the newest finished job of each kind in each of the newest rounds (two queries)."""
    jobs = Job.objects.filter(project=project, stage__isnull=False, kind__in=TRAINED, state=Job.State.DONE)
    found: dict[tuple[int, str], Job] = {}
    for job in jobs.select_related("stage__round").prefetch_related("inputs__snapshot").order_by("-pk"):
        assert job.stage is not None
        found.setdefault((job.stage.round.number, job.kind), job)
    newest = sorted({number for number, _ in found}, reverse=True)[:MOST_ROUNDS]
    return [
        read_of(one.snapshot, round_=number, job=found[number, kind], role=one.role)
        for number in newest
        for kind in TRAINED
        if (number, kind) in found
        for one in sorted(found[number, kind].inputs.all(), key=lambda one: one.role)
        if one.snapshot is not None
    ]


def read_of(snapshot: Snapshot, *, round_: int, job: Job, role: str) -> Read:
    left_out = snapshot.report.get("left_out")
    return Read(
        round_, job.pk, str(job.get_kind_display()), role.replace("_", " "), snapshot.rows, asked_of(snapshot),
        left_out if isinstance(left_out, dict) else None,
    )  # fmt: skip


def asked_of(snapshot: Snapshot) -> str:
    """The filters in words: which origins, what of simulated labelers, and whatever else narrows it."""
    if snapshot.kind == Snapshot.Kind.TEXT:
        return "all of the text"
    query = snapshot.query
    labels = dict(Prompt.Origin.choices)
    origins = [str(labels.get(one, one)).lower() for one in query.get("origins") or []]
    usual = Query(kind="prompts").to_json() | {"origins": query.get("origins"), "simulated": query.get("simulated")}
    other = {key: value for key, value in query.items() if value != usual.get(key)}
    words = (
        f"origin {' or '.join(origins)} only" if origins else "every origin",
        SIMULATED.get(query.get("simulated", "exclude"), ""),
        shown_query(Snapshot(query=other)),
    )
    return "; ".join(word for word in words if word)
