"""Waits with numbers: a stage that waits until people have done enough, and how much that is.

SFT waits for so many demonstrations and the reward model for so many prompts ranked at full overlap, before they
start; ranking and evaluation are done at so many tasks with all their judgments, before their campaign is through.
Without a number nothing of this is waited for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from labeling.models import Assignment, Labeler, Task, WorkKind
from training.errors import RoundRefused
from training.models import Round, Stage
from training.rlhf.contract.strict import shown

Kind = Stage.Kind
State = Stage.State


@dataclass(frozen=True)
class Wait:
    """What a kind of stage can wait for. words: as in "300 demonstrations"; before: it is waited for before the stage
    starts, not before it is done."""

    what: str
    words: str
    before: bool


WAITS: dict[str, Wait] = {
    Kind.SFT: Wait("demonstrations", "demonstrations to train on", before=True),
    Kind.RANK: Wait("rankings", "prompts ranked at full overlap", before=False),
    Kind.REWARD: Wait("rankings", "prompts ranked at full overlap", before=True),
    Kind.EVALUATE: Wait("ratings", "responses rated at full overlap", before=False),
}
MOST = 10_000_000


@dataclass(frozen=True)
class Waited:
    """How far it is."""

    wait: Wait
    there: int
    wanted: int

    @property
    def is_enough(self) -> bool:
        return self.there >= self.wanted

    def __str__(self) -> str:
        return f"{self.there:,} of {self.wanted:,} {self.wait.words}"


def waited(stage: Stage) -> Waited | None:
    """None where the stage waits for no number. At most two queries otherwise."""
    wait = WAITS.get(stage.kind)
    wanted = stage.enough.get(wait.what) if wait else None
    return Waited(wait, there(stage), wanted) if wait and wanted else None


def may_start(stage: Stage) -> bool:
    """Whether as much is there as the stage waits for before it starts."""
    found = waited(stage)
    return found is None or not found.wait.before or found.is_enough


def is_done_early(stage: Stage) -> bool:
    """Whether people have judged as much as was said to be enough, whatever is left of their campaign."""
    found = waited(stage)
    return found is not None and not found.wait.before and found.is_enough


def there(stage: Stage) -> int:
    """How much of what the stage can wait for is there now. Of a round for one cohort alone, prompts count that
    somebody of it ranked."""
    from training.preflight import DATA_NEEDS, counted, query_of  # it imports much that imports this
    from training.snapshot_rows import ranks_asked_for

    if stage.kind == Kind.SFT:
        return counted(stage.round, DATA_NEEDS[Kind.SFT][0])
    if stage.kind == Kind.REWARD:
        query = query_of(stage.round, DATA_NEEDS[Kind.REWARD][0])
        tasks = Task.objects.filter(
            campaign__project=stage.round.project_id, campaign__kind=WorkKind.RANKING, prompt__split=query.split
        )
        if query.campaigns:
            tasks = tasks.filter(campaign__in=query.campaigns)
        ranked = complete(tasks, simulated=query.simulated).values("prompt")
        if query.cohort is not None:  # The others' rankings are none that this round reads.
            own = ranks_asked_for(stage.round.project, query).order_by()
            ranked = ranked.filter(prompt__in=own.values("submission__assignment__task__prompt"))
        return ranked.distinct().count()
    if stage.campaign_id is None:
        return 0
    return complete(Task.objects.filter(campaign=stage.campaign_id), simulated="include").count()


def complete(tasks: QuerySet[Task], *, simulated: str) -> QuerySet[Task]:
    """Tasks with as many submissions that count as their campaign asks for. simulated: as in a Query."""
    counts = Q(
        assignments__state=Assignment.State.SUBMITTED, assignments__occurrence=0,
        assignments__current_submission__counted=True, assignments__current_submission__withdrawn_at__isnull=True,
    )  # fmt: skip
    programs = Q(assignments__labeler__source=Labeler.Source.SIMULATED)
    counts &= {"exclude": ~programs, "include": Q(), "only": programs}[simulated]
    return tasks.annotate(judged=Count("assignments", filter=counts)).filter(judged__gte=F("campaign__overlap"))


# --- setting it -------------------------------------------------------------------------------------------------------


def read_number(typed: str) -> int | None:
    """None for an empty field. Raises RoundRefused for what is no such number."""
    text = typed.strip().replace(",", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:12]) <= MOST:
        raise RoundRefused(f"The number to wait for is {shown(typed)}; expected a whole number from 1 to {MOST:,}.")
    return int(text)


def checked(enough: Mapping[str, int | None]) -> dict[str, dict[str, int]]:
    """By kind of stage what its row keeps. Raises RoundRefused for a stage that waits for no number."""
    found = {}
    for kind, number in enough.items():
        if kind not in WAITS:
            raise RoundRefused(f"{shown(kind)} waits for no number; expected one of {', '.join(WAITS)}.")
        if number is not None:
            found[kind] = {WAITS[kind].what: read_number(str(number)) or 0}
    return found


@transaction.atomic
def set_enough(round_: Round, kind: str, number: int | None) -> Stage:
    """Changes what a stage waits for; None: for nothing any more. One that is ready waits again where it is too little.

    Raises RoundRefused where the stage has begun, or can wait for no number.
    """
    held = Round.objects.select_for_update().get(pk=round_.pk)
    if held.recorded or held.state == Round.State.CLOSED:
        how = "was run elsewhere" if held.recorded else "is closed"
        raise RoundRefused(f"Round {held.number} {how}; nothing of it waits any more.")
    stage = held.stages.select_related("round__project", "campaign").select_for_update(of=("self",)).get(kind=kind)
    kept = checked({kind: number}).get(kind, {})
    wait = WAITS[kind]
    begun = stage.state not in ((State.WAITING, State.READY) if wait.before else
                                (State.WAITING, State.READY, State.RUNNING))  # fmt: skip
    if begun:
        raise RoundRefused(
            f"{stage.get_kind_display()} is {stage.state}; what it waits for can be changed before only."
        )
    stage.enough = kept
    stage.refusal = ""  # What was refused may be mended by this; else it is refused again.
    if stage.state == State.READY and not may_start(stage):
        stage.state = State.WAITING
    stage.save(update_fields=["enough", "refusal", "state"])
    return stage
