"""Small campaigns with real prompts and responses, ready to be claimed; and work to submit."""

import hashlib
import re
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from uuid import uuid4

from django.db.models.functions import Now
from django.utils import timezone

from labeling.assigning import claim, labeler_of
from labeling.checking import Said, Work
from labeling.models import (
    Assignment,
    Campaign,
    Generator,
    Guideline,
    Labeler,
    Membership,
    Project,
    Prompt,
    Response,
    Role,
    Task,
    User,
    WorkKind,
)
from labeling.opening import make_tasks, open_campaign
from labeling.skipping import SKIP_REASONS, SkipReason, skip
from labeling.submitting import Outcome, submit

FLAGS = [
    {"name": "misses_task", "label": "Misses the task", "letter": "m"},
    {"name": "hallucination", "label": "Hallucination", "letter": "h"},
]
NUMBERS = count(1)


def make_prompt(project: Project, text: str = "") -> Prompt:
    number = next(NUMBERS)
    messages = [{"role": "user", "content": text or f"What is {number} times two?"}]
    return Prompt.objects.create(
        project=project,
        messages=messages,
        origin=Prompt.Origin.IMPORT,
        group_key=f"document-{number}",
        split=Prompt.Split.TRAIN,
        fingerprint=hashlib.sha256(f"{number}{text}".encode()).hexdigest(),
    )


def make_responses(prompt: Prompt, texts: Sequence[str]) -> list[Response]:
    generator, _ = Generator.objects.get_or_create(
        project=prompt.project, name="secret-model-13b", defaults={"kind": Generator.Kind.SFT}
    )
    return [Response.objects.create(prompt=prompt, generator=generator, text=text) for text in texts]


def make_campaign(
    project: Project,
    *,
    kind: str = WorkKind.RANKING,
    tasks: int = 1,
    shown: int = 4,
    overlap: int = 1,
    required: Sequence[str] = (),
    **more: object,
) -> Campaign:
    """An open campaign; shown: responses a ranking task shows. One for prompts has no tasks until they are claimed."""
    guideline, _ = Guideline.objects.get_or_create(
        project=project, kind=kind, version=1, defaults={"body": "# How to judge\n\nTies are welcome.", "flags": FLAGS}
    )
    campaign = Campaign.objects.create(
        project=project,
        name=f"{kind} {next(NUMBERS)}",
        kind=kind,
        guideline=guideline,
        overlap=overlap,
        required=list(required),
        **more,
    )
    if kind == WorkKind.PROMPT:
        open_campaign(campaign)
        return campaign
    responses = {WorkKind.DEMONSTRATION: 0, WorkKind.RATING: 1, WorkKind.RANKING: shown}[WorkKind(kind)]
    prompts = [make_prompt(project) for _ in range(tasks)]
    make_tasks(
        campaign,
        [
            (prompt, make_responses(prompt, [f"Text {place} of {prompt}" for place in range(responses)]))
            for prompt in prompts
        ],
    )
    if tasks:
        open_campaign(campaign)
    else:  # Opening refuses it; here a campaign may stand open and wait for its tasks.
        Guideline.objects.filter(pk=guideline.pk, published_at=None).update(published_at=Now())
        Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.OPEN)
        campaign.refresh_from_db()
    return campaign


def make_labeler(project: Project, name: str) -> Labeler:
    user = User.objects.create_user(username=name)
    return labeler_of(Membership.objects.create(user=user, project=project, role=Role.LABELER))


def must_claim(campaign: Campaign, labeler: Labeler) -> Assignment:
    assignment = claim(campaign, labeler)
    assert assignment is not None, (
        list(campaign.tasks.values_list("pk", "open_slots", "returned")),
        list(Assignment.objects.filter(campaign=campaign).values_list("labeler", "task", "state", "lease_until")),
        timezone.now(),
    )
    return assignment


def let_lapse(assignment: Assignment) -> None:
    """As if the lease had run out a minute ago by the database's clock."""
    Assignment.objects.filter(pk=assignment.pk).update(lease_until=Now() - timedelta(minutes=1))


def ranked(*ranks: int | None) -> Work:
    """ranked(1, 2, 2, None): ranks of the responses A, B, C, D."""
    return Work(responses={letter: Said(rank=rank) for letter, rank in zip("ABCDEFGHI", ranks, strict=False)})


def written(text: str = "", **fields: str) -> Work:
    """A prompt: plain, open QA, unless told otherwise; input_1 for input-1."""
    fields = {"style": "plain", "use_case": "open_qa"} | fields
    names = {name: re.sub(r"_(?=\d)|(?<=^sure)_", "-", name) for name in fields}
    return Work(text=text, writing={names[name]: value for name, value in fields.items()})


def submit_now(assignment: Assignment, work: Work, **more: object) -> Outcome:
    arguments = {"key": uuid4(), "lease_token": assignment.lease_token} | more
    return submit(assignment, work, **arguments)  # type: ignore[arg-type]


def skip_now(assignment: Assignment, reason: SkipReason = SKIP_REASONS[0]) -> None:
    skip(assignment, reason, lease_token=assignment.lease_token)


def recounted_slots(task: Task) -> int:
    """open_slots as it must be: overlap minus live leases minus counted submissions."""
    live = task.assignments.filter(state=Assignment.State.LIVE, occurrence=0).count()
    counted = task.assignments.filter(current_submission__counted=True, occurrence=0).count()
    return task.overlap - live - counted
