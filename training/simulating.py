"""Simulated labelers at work in the campaigns of a rehearsal's rounds, a portion of tasks at a time.

They do what a claim and a submission do, in bulk: a task is locked, a free slot is taken, and the assignment, the
submission and what was said stand in the same tables as everybody's. They read prompt and response, and nothing else;
which model wrote it they do not know.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import uuid4

from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.utils import timezone

from labeling.assigning import is_in_cohort
from labeling.models import (
    Assignment,
    Campaign,
    Judgment,
    Labeler,
    Prompt,
    Response,
    Submission,
    Task,
    TaskResponse,
    WorkKind,
)
from training.founding import SEED, VILLAGERS
from training.models import Round, Stage
from training.rehearsal import tastes
from training.rehearsal.phrases import COHORTS
from training.rehearsal.prompts import make_prompt, read_question
from training.rehearsal.reading import read_response
from training.rehearsal.scales import side_ratings
from training.rehearsal.world import World, make_world
from training.rlhf.contract import records

TASKS_AT_ONCE = 100
"""Of one transaction: short enough that nobody who submits meanwhile waits for long."""


@lru_cache(maxsize=2)
def village(seed: int = SEED) -> World:
    return make_world(seed)


def campaigns_at_work() -> QuerySet[Campaign]:
    """Open campaigns of rounds that run themselves in simulated projects."""
    at_work = Stage.objects.filter(
        round__runs_itself=True, round__recorded="", round__state=Round.State.OPEN, state=Stage.State.RUNNING
    )
    return Campaign.objects.filter(
        project__simulated=True, state=Campaign.State.OPEN, kind__in=VILLAGERS, stages__in=at_work
    ).select_related("project", "guideline")


def work_a_portion() -> int:
    """A portion of the work in every such campaign; returns how many submissions were made, 0 where nothing is left."""
    return sum(work_on(campaign) for campaign in campaigns_at_work().distinct())


def work_on(campaign: Campaign, *, tasks_at_once: int = TASKS_AT_ONCE) -> int:
    """Simulated labelers take slots of the next tasks until each has as many judgments as the campaign asks for."""
    with transaction.atomic():
        # What people asked is for people to judge.
        wanting = Task.objects.filter(campaign=campaign, prompt__origin=Prompt.Origin.SIMULATED)
        wanting = wanting.filter(open_slots__gt=F("overlap") - campaign.overlap)
        locked = wanting.select_for_update(skip_locked=True, of=("self",)).order_by("position")
        tasks = list(locked.select_related("prompt")[:tasks_at_once])
        return _write(campaign, list(_work(campaign, tasks))) if tasks else 0


@dataclass(frozen=True)
class _Piece:
    """One labeler's work on one task. order: the responses as they met them."""

    task: Task
    labeler: Labeler
    order: list[int]
    judgments: list[Judgment]


def _work(campaign: Campaign, tasks: Sequence[Task]) -> Iterator[_Piece]:
    people = {one.name: one for one in VILLAGERS[WorkKind(campaign.kind)]}
    labelers = {
        labeler.pseudonym: labeler
        for labeler in Labeler.objects.filter(
            project=campaign.project_id, source=Labeler.Source.SIMULATED, pseudonym__in=people
        )
        if is_in_cohort(campaign, labeler)
    }
    met = {task.pk: set[str]() for task in tasks}
    for task_id, name in Assignment.objects.filter(task__in=tasks).values_list("task_id", "labeler__pseudonym"):
        met[task_id].add(name)
    shown: dict[int, list[Response]] = {task.pk: [] for task in tasks}
    for one in TaskResponse.objects.filter(task__in=tasks).order_by("place").select_related("response"):
        shown[one.task_id].append(one.response)
    for task in tasks:
        wanted = task.open_slots - (task.overlap - campaign.overlap)
        turn = [name for name in _turn(list(people.values()), task.position, campaign.overlap) if name in labelers]
        for name in [name for name in turn if name not in met[task.pk]][:wanted]:
            piece = _judge(campaign, task, shown[task.pk], people[name], labelers[name])
            if piece is not None:
                yield piece


def _turn(people: Sequence[tastes.Labeler], position: int, overlap: int) -> list[str]:
    """Names in the order in which they are asked for a task: the cohorts in turn, and within each, round and round."""
    among = {cohort: [one.name for one in people if one.cohort == cohort] for cohort in COHORTS}
    judges = -(-overlap // len(COHORTS))
    longest = max(len(names) for names in among.values())
    return [
        names[(position * judges + place) % len(names)]
        for place in range(longest)
        for names in among.values()
        if place < len(names)
    ]


def _judge(
    campaign: Campaign, task: Task, responses: Sequence[Response], person: tastes.Labeler, labeler: Labeler
) -> _Piece | None:
    """None for a prompt that asks nothing about the village: nobody simulated can judge that."""
    assert task.prompt is not None
    prompt = make_prompt(str(task.prompt_id), task.prompt.last_turn, split="train", group=task.prompt.group_key)
    try:
        read_question(village(), prompt)
    except ValueError:
        return None
    order = list(responses)
    random.Random(f"order {SEED} {person.name} {task.prompt_id}").shuffle(order)  # noqa: S311, drawn by a seed
    answers = [records.Answer(id=str(one.pk), text=one.text) for one in order]
    if campaign.kind == WorkKind.RANKING:
        ranks = tastes.rank(village(), prompt, answers, person, seed=SEED)
        judgments = [Judgment(response=one, rank=rank) for one, rank in zip(order, ranks, strict=True)]
    else:
        judgments = [_rated(campaign, prompt, one, person) for one in order]
    return _Piece(task, labeler, [one.pk for one in order], judgments)


def _rated(campaign: Campaign, prompt: records.Prompt, response: Response, person: tastes.Labeler) -> Judgment:
    """As far as the guideline asks what somebody simulated can tell; what can be seen without taste is told exactly."""
    reading = read_response(village(), read_question(village(), prompt), response.text)
    answer = records.Answer(id=str(response.pk), text=response.text)
    ratings = side_ratings(reading, person, response=answer.id, seed=SEED)
    ratings["overall"] = tastes.rate(village(), prompt, answer, person, seed=SEED)
    flags = {
        "misses_task": not reading.right, "hallucination": reading.wrong > 0, "asks_back": reading.questions > 0
    }  # fmt: skip
    return Judgment(
        response=response,
        ratings={name: ratings[name] for name in campaign.guideline.scale_names if name in ratings},
        flags={name: flags[name] for name in campaign.guideline.flag_names if name in flags},
    )


def _write(campaign: Campaign, pieces: Sequence[_Piece]) -> int:
    """Needs the tasks locked. Every piece takes a free slot and counts."""
    now = timezone.now()
    assignments = Assignment.objects.bulk_create(
        Assignment(
            task=piece.task, campaign=campaign, labeler=piece.labeler, state=Assignment.State.SUBMITTED,
            order=piece.order, opened_at=now,
        )
        for piece in pieces
    )  # fmt: skip
    submissions = Submission.objects.bulk_create(
        Submission(
            assignment=assignment, number=1, key=uuid4(), counted=True, guideline=campaign.guideline, submitted_at=now
        )
        for assignment in assignments
    )
    Assignment.objects.filter(pk__in=[assignment.pk for assignment in assignments]).update(
        current_submission=Subquery(Submission.objects.filter(assignment=OuterRef("pk")).values("pk")[:1])
    )
    for piece, submission in zip(pieces, submissions, strict=True):
        for judgment in piece.judgments:
            judgment.submission = submission
        piece.task.open_slots -= 1
        piece.task.returned = piece.task.returned and piece.task.open_slots > 0
    Judgment.objects.bulk_create(judgment for piece in pieces for judgment in piece.judgments)
    Task.objects.bulk_update({piece.task.pk: piece.task for piece in pieces}.values(), ["open_slots", "returned"])
    return len(submissions)
