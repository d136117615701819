"""What came of the rounds that were rehearsed: the settings of each, and beside what was expected what was found."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, permutations
from typing import Any, TypeVar

from django.core.cache import cache

from labeling.agreement.figures import Figure
from labeling.models import Campaign, Project, WorkKind
from training.conditions import Conditions
from training.evaluation import evaluation_of
from training.foreseeing import seconds_of
from training.models import Round, Stage
from training.rehearsal.accuracy import Liking, agreement_of_two, by_rank
from training.rehearsal.intervals import Estimate
from training.rehearsal.phrases import COHORTS
from training.rlhf.contract import records
from training.snapshot_rows import Query, judgments_asked_for

Found = TypeVar("Found")

KEPT_SECONDS = 60 * 60 * 24
ROUNDS = 12


@dataclass(frozen=True)
class Outcome:
    """A rehearsed round. What is not there yet is None. gain: of the policy's mean rating over SFT's."""

    round: Round
    prompts: int
    responses: int
    judges: int
    within: Estimate | None
    across: Estimate | None
    accuracy: tuple[float, float, float] | None
    """Mean, and the ends of its 95 % interval."""
    gain: Figure | None
    seconds: float
    done: bool


def outcomes(project: Project) -> list[Outcome]:
    """Of the newest rehearsed rounds of a project, newest first. Queries grow with the rounds; figures are kept."""
    found = Round.objects.filter(project=project, recipe__rankings="own").order_by("-number")[:ROUNDS]
    return [outcome_of(round_) for round_ in found.prefetch_related("stages__job", "stages__campaign__project")]


def outcome_of(round_: Round) -> Outcome:
    stages = {stage.kind: stage for stage in round_.stages.all()}
    sample = round_.recipe["stages"]["sample"]["sample"]
    within, across = _agreement(stages.get(Stage.Kind.RANK))
    return Outcome(
        round=round_, prompts=sample["limit_prompts"], responses=sample["responses_per_prompt"],
        judges=round_.recipe["overlap"] // len(COHORTS), within=within, across=across,
        accuracy=_accuracy(stages.get(Stage.Kind.REWARD)), gain=_gain(round_, stages.get(Stage.Kind.EVALUATE)),
        seconds=sum(seconds_of(round_).values()),
        done=all(stage.state == Stage.State.DONE for stage in stages.values()),
    )  # fmt: skip


def _accuracy(stage: Stage | None) -> tuple[float, float, float] | None:
    report: Mapping[str, Any] = (stage.job.report or {}) if stage and stage.job else {}
    said = (report.get("validation") or {}).get("accuracy") or {}
    mean, low, high = (said.get(end) for end in ("mean", "low", "high"))
    return (mean, low, high) if mean is not None and low is not None and high is not None else None


def _gain(round_: Round, stage: Stage | None) -> Figure | None:
    """Once all ratings are in: then they change no more, and the figure is kept."""
    if stage is None or stage.campaign is None or stage.state != Stage.State.DONE:
        return None
    campaign = stage.campaign

    def reckon() -> Figure | None:
        found = evaluation_of(round_, campaign)
        return found.difference(found.subject) if found else None

    return _kept("gain", campaign, reckon)


def _agreement(stage: Stage | None) -> tuple[Estimate | None, Estimate | None]:
    if stage is None or stage.campaign is None or stage.state != Stage.State.DONE:
        return None, None
    campaign = stage.campaign

    def reckon() -> tuple[Estimate | None, Estimate | None]:
        rows = list(ranked(campaign))
        return _of_two(rows, alike=True), _of_two(rows, alike=False)

    return _kept("agreement", campaign, reckon)


def _kept(what: str, campaign: Campaign, reckon: Callable[[], Found]) -> Found:
    key = f"rehearsal-{what}-{campaign.pk}-{campaign.created_at.timestamp():.6f}"
    return cache.get_or_set(key, reckon, KEPT_SECONDS)  # type: ignore[return-value]


def _of_two(rows: list[records.Ranking], *, alike: bool) -> Estimate | None:
    """As the table of what to expect has it: ties of the second labeler tell nothing, the first's are half right."""

    def twos(row: records.Ranking) -> Iterator[tuple[Liking, Liking]]:
        for one, other in permutations(row.judged, 2):
            if (one.condition == other.condition) is alike:
                yield by_rank(row, one), by_rank(row, other)

    try:
        return agreement_of_two(rows, twos, tie=0.0)
    except ValueError:  # fewer than two prompts with two such labelers
        return None


FIELDS = (
    "submission__assignment__task_id", "submission_id", "submission__assignment__labeler_id",
    "submission__submitted_at", "response_id", "rank",
)  # fmt: skip


def ranked(campaign: Campaign) -> Iterator[records.Ranking]:
    """What the simulated labelers said in a ranking campaign, a row a task, without the words (two queries)."""
    conditions = Conditions.of(campaign.project)
    query = Query(kind="rankings", campaigns=(campaign.pk,), simulated="only")
    said = judgments_asked_for(campaign.project, query, [WorkKind.RANKING]).filter(rank__isnull=False)
    values = said.order_by(*FIELDS[:2], "response_id").values_list(*FIELDS)
    for task, of_task in groupby(values.iterator(chunk_size=5000), key=lambda one: one[0]):
        judged: list[records.RankingJudgment] = []
        responses: tuple[records.Answer, ...] = ()
        for _, of_one in groupby(of_task, key=lambda one: one[1]):
            rows = list(of_one)
            responses = tuple(records.Answer(id=str(row[4]), text="") for row in rows)
            judged.append(_judgment(conditions, rows))
        yield records.Ranking(
            id=str(task), messages=(records.Message(role="user", content="-"),), responses=responses,
            judged=tuple(judged),
        )  # fmt: skip


def _judgment(conditions: Conditions, rows: list[tuple[Any, ...]]) -> records.RankingJudgment:
    labeler, submitted_at = int(rows[0][2]), rows[0][3]
    assert isinstance(submitted_at, datetime)
    return records.RankingJudgment(
        labeler=str(labeler), ranks=tuple(row[5] for row in rows), condition=conditions.at(labeler, submitted_at)
    )
