"""The work of the Reading Room: campaigns with what people have done in them, and what one labeler has in hand."""

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from django.db.models import F

from labeling.assigning import claim
from labeling.models import (
    Assignment,
    Campaign,
    Generator,
    Guideline,
    Judgment,
    Labeler,
    Project,
    Prompt,
    Response,
    Review,
    Submission,
    Task,
    WorkKind,
)
from labeling.opening import make_tasks, open_campaign
from tests.screens import words
from tests.screens.clock import NOW

NUMBERS = count(1)
SPLITS = ("train", "train", "train", "train", "valid", "test")


def make_prompt(project: Project, messages: list[words.Turn], *, use_case: str = "open_qa", **more: object) -> Prompt:
    number = next(NUMBERS)
    return Prompt.objects.create(
        project=project, messages=messages, use_case=use_case, group_key=f"reader {1 + number % 17}",
        fingerprint=hashlib.sha256(f"{project.slug} {number}".encode()).hexdigest(),
        **({"origin": "customer", "split": SPLITS[number % len(SPLITS)], "consent": "training"} | more),
    )  # fmt: skip


def make_guidelines(project: Project) -> dict[str, Guideline]:
    """By kind, the newest: published; for rankings a version before it and a draft after."""
    body = {
        WorkKind.PROMPT: words.PROMPT_WRITING,
        WorkKind.DEMONSTRATION: words.WRITING,
        WorkKind.RANKING: words.GUIDELINE,
        WorkKind.RATING: words.GUIDELINE.split("2. **")[0],
    }
    scales = {
        WorkKind.RATING: [
            {
                "name": "overall",
                "label": "Overall quality",
                "low": "worst",
                "high": "best",
                "steps": {
                    "7": "send it as it is",
                    "5": "does the job, a line or two to change",
                    "4": "half of it helps",
                    "2": "on the subject and of no use",
                },
            },
            {"name": "helpful", "label": "Helpful", "low": "not at all", "high": "very"},
        ]
    }
    asks = (WorkKind.RANKING, WorkKind.RATING)
    made = {}
    Guideline.objects.create(
        project=project, kind=WorkKind.RANKING, version=1, body=words.GUIDELINE_BEFORE, flags=words.FLAGS[:2],
        published_at=NOW - timedelta(days=38),
    )  # fmt: skip
    for kind in WorkKind:
        made[str(kind)] = Guideline.objects.create(
            project=project, kind=kind, version=2 if kind == WorkKind.RANKING else 1, body=body[kind],
            scales=scales.get(kind, []), flags=words.FLAGS if kind in asks else [],
            changes="Ties are answers now, and length is no merit." if kind == WorkKind.RANKING else "",
            published_at=NOW - timedelta(days=16),
        )  # fmt: skip
    made["draft"] = Guideline.objects.create(
        project=project, kind=WorkKind.RANKING, version=3, flags=words.FLAGS,
        body=words.GUIDELINE.replace("when it is done.", "when it is done. A source named is worth a sentence."),
        changes="Sources count.",
    )  # fmt: skip
    return made


def make_campaign(
    project: Project,
    guideline: Guideline,
    name: str,
    items: Iterable[tuple[Prompt, Sequence[Response]]],
    **more: object,
) -> Campaign:
    """Open, with a task for each item."""
    campaign = Campaign.objects.create(
        project=project, name=name, kind=guideline.kind, guideline=guideline, **({"lease_minutes": 60} | more)
    )
    if guideline.kind != WorkKind.PROMPT:
        make_tasks(campaign, items)
    open_campaign(campaign)
    return campaign


def generator(project: Project, name: str, kind: str) -> Generator:
    return Generator.objects.get_or_create(project=project, name=name, defaults={"kind": kind})[0]


def answers(prompt: Prompt, texts: Sequence[str], by: Sequence[Generator]) -> list[Response]:
    return [
        Response.objects.create(
            prompt=prompt, generator=by[place % len(by)], text=text, token_count=len(text) // 4, finish_reason="stop",
            sampling={"temperature": 1.0},
        )
        for place, text in enumerate(texts)
    ]  # fmt: skip


def in_hand(campaign: Campaign, labeler: Labeler, draft: Mapping[str, str], *, seconds_ago: float = 0) -> Assignment:
    """What the labeler holds there, responses in the order of storage, with a draft of just now."""
    held = claim(campaign, labeler)
    assert held is not None
    held.order = list(held.task.shown.values_list("response_id", flat=True))
    held.draft = dict(draft)
    held.draft_saved_at = NOW - timedelta(seconds=seconds_ago) if draft else None
    held.uuid = UUID(int=0x5C4EE500000040008000000000000000 + held.pk)
    held.save()
    return held


def done(task: Task, labeler: Labeler, at: datetime, *, seconds: int, counted: bool = True) -> Submission:
    """A submission as its form would have written it, but for what was said."""
    assignment = Assignment.objects.create(
        task=task, campaign=task.campaign, labeler=labeler, state=Assignment.State.SUBMITTED, opened_at=at,
        order=list(task.shown.values_list("response_id", flat=True)),
    )  # fmt: skip
    submission = Submission.objects.create(
        assignment=assignment, number=1, key=UUID(int=assignment.pk), counted=counted, submitted_at=at,
        guideline=task.campaign.guideline, active_ms=seconds * 1000,
    )  # fmt: skip
    Assignment.objects.filter(pk=assignment.pk).update(current_submission=submission)
    if counted:
        Task.objects.filter(pk=task.pk).update(open_slots=F("open_slots") - 1)
    return submission


def judge(submission: Submission, said: Sequence[Mapping[str, object]]) -> None:
    """said: a judgment for each response, in the order shown."""
    order = submission.assignment.order
    Judgment.objects.bulk_create(
        Judgment(submission=submission, response_id=pk, **one)  # type: ignore[arg-type]
        for pk, one in zip(order, said, strict=True)
    )


def work_day(chance: random.Random, place: int) -> datetime:
    """Some minute of a working day, the later the larger the place."""
    return NOW - timedelta(days=max(0, 13 - place // 9), minutes=chance.randrange(0, 80))


def rank_some(campaign: Campaign, labelers: Sequence[Labeler], tasks: int) -> None:
    """Its first tasks are ranked, mostly alike: the policy's first, the base's last."""
    chance = random.Random(f"rank {campaign.name}")
    place = 0
    for number, task in enumerate(Task.objects.filter(campaign=campaign).order_by("position")[:tasks]):
        for turn in range(campaign.overlap if number < tasks - 2 else 1):
            labeler = labelers[(number + turn) % len(labelers)]
            submission = done(task, labeler, work_day(chance, place), seconds=chance.randrange(70, 300))
            shown = task.responses.count()
            merits = [shown - at + chance.gauss(0, 0.8) for at in range(shown)]
            steps = sorted({round(merit) for merit in merits}, reverse=True)
            judge(submission, [
                {
                    "rank": steps.index(round(merit)) + 1,
                    "ratings": {"overall": min(7, max(1, round(merit + 2.4)))},
                    "flags": {flag["name"]: chance.random() < 0.1 for flag in words.FLAGS},
                }
                for merit in merits
            ])  # fmt: skip
            place += 1


def demonstrate(task: Task, labeler: Labeler, text: str, at: datetime, *, seconds: int) -> Submission:
    submission = done(task, labeler, at, seconds=seconds)
    assert task.prompt is not None
    Response.objects.create(
        prompt=task.prompt, labeler=labeler, text=text, finish_reason="stop", submission=submission,
        token_count=len(text) // 4,
    )  # fmt: skip
    return submission


def review(submission: Submission, by: Labeler, state: str, remarks: str = "", *, hours_ago: float) -> None:
    made = Review.objects.create(submission=submission, reviewer=by.user, state=state, remarks=remarks)
    Review.objects.filter(pk=made.pk).update(created_at=NOW - timedelta(hours=hours_ago))
    submission.responses.update(review_state=state)
