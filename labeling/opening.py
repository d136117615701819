"""Campaigns are filled with tasks, opened, paused and closed here, and nowhere else."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labeling.audit.campaigns import note_campaign
from labeling.audit.recording import record
from labeling.completing import is_wanted_again
from labeling.errors import EmptyCampaign, InvalidTask, WrongState
from labeling.models import AuditKind, Campaign, ClaimCursor, Guideline, Prompt, Response, Task, TaskResponse, WorkKind
from labeling.releasing import release_held

RESPONSES_A_TASK = {WorkKind.DEMONSTRATION: (0, 0), WorkKind.RANKING: (2, 9), WorkKind.RATING: (1, 1)}
"""How many responses a task shows, (fewest, most), by the campaign's kind."""

BATCH_TASKS = 1000
RATING_ORDER_SEED = "accord rating order 1"

Item = tuple[Prompt, Sequence[Response]]

LEADS_TO = {
    Campaign.State.DRAFT: {Campaign.State.OPEN, Campaign.State.CLOSED},
    Campaign.State.OPEN: {Campaign.State.PAUSED, Campaign.State.CLOSED},
    Campaign.State.PAUSED: {Campaign.State.OPEN, Campaign.State.CLOSED},
    Campaign.State.CLOSED: set(),
}


def make_tasks(campaign: Campaign, items: Iterable[Item]) -> list[Task]:
    """A task for each prompt with the responses it shows, placed after the campaign's last task, in the order given.

    demonstration: no responses; ranking: 2 to 9; rating: 1, and these are mixed, see mixed(). All or nothing:
    InvalidTask names the first item (counted from 1) of which no task can be made. Labelers who had nothing left are
    looked after at their next claim.
    """
    made: list[Task] = []
    with transaction.atomic():
        # The campaign's row is locked, so that two calls at once do not give out the same positions. no_key: a claim
        # that holds its cursor refers to the campaign, and would wait here while its cursor is waited for below.
        campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if campaign.state == Campaign.State.CLOSED:
            raise WrongState(f"The campaign {campaign.name!r} is closed; tasks go into one that is not.")
        last = campaign.tasks.aggregate(last=Max("position"))["last"]
        start = 0 if last is None else last + 1
        checked = _checked(campaign, items)
        for batch in _batches(mixed(checked) if campaign.kind == WorkKind.RATING else checked):
            made += _write(campaign, batch, first_position=start + len(made))
        ClaimCursor.objects.filter(campaign=campaign).update(nothing_until=None)
        is_wanted_again(campaign.pk)
    return made


def mixed(items: Iterable[Item]) -> Iterator[Item]:
    """In rounds, one response to each prompt, then another to each: responses to one prompt are met apart.

    Which one comes first is drawn for each prompt, with a fixed seed: whoever met the models in one order throughout
    would know whom they judge. Holds all items in memory.
    """
    by_prompt: dict[int, list[Item]] = {}
    for item in items:
        by_prompt.setdefault(item[0].pk, []).append(item)
    draw = random.Random(RATING_ORDER_SEED)  # noqa: S311, the same order for everybody
    for round_ in zip_longest(*(draw.sample(same, len(same)) for same in by_prompt.values())):
        yield from (item for item in round_ if item is not None)


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while batch := list(islice(items, BATCH_TASKS)):
        yield batch


def _checked(campaign: Campaign, items: Iterable[Item]) -> Iterator[Item]:
    if campaign.kind not in RESPONSES_A_TASK:
        raise InvalidTask(f"A {campaign.kind} campaign makes its tasks as they are claimed; none are added by hand.")
    fewest, most = RESPONSES_A_TASK[WorkKind(campaign.kind)]
    expected = str(fewest) if fewest == most else f"{fewest} to {most}"
    for number, (prompt, responses) in enumerate(items, start=1):
        if not fewest <= len(responses) <= most:
            raise InvalidTask(f"Item {number} has {len(responses)} responses; a {campaign.kind} task shows {expected}.")
        if prompt.project_id != campaign.project_id:
            raise InvalidTask(f"Item {number}: {prompt} belongs to another project than the campaign.")
        if any(response.prompt_id != prompt.pk for response in responses):
            raise InvalidTask(f"Item {number}: a response answers another prompt than {prompt}.")
        if len({response.pk for response in responses}) < len(responses):
            raise InvalidTask(f"Item {number} shows the same response twice.")
        yield prompt, responses


def _write(campaign: Campaign, batch: Sequence[Item], *, first_position: int) -> list[Task]:
    tasks = Task.objects.bulk_create(
        Task(
            campaign=campaign,
            prompt=prompt,
            overlap=campaign.overlap,
            open_slots=campaign.overlap,
            content=prompt.content,
            position=first_position + place,
        )
        for place, (prompt, _) in enumerate(batch)
    )
    TaskResponse.objects.bulk_create(
        TaskResponse(task=task, response=response, place=place)
        for task, (_, responses) in zip(tasks, batch, strict=True)
        for place, response in enumerate(responses)
    )
    return tasks


def open_campaign(campaign: Campaign) -> None:
    """From draft or paused to open. Its guideline is published by this: what people work under never changes.

    Raises WrongState, and EmptyCampaign where there is nothing to hand out.
    """
    if campaign.imported:
        raise WrongState(f"The campaign {campaign.name!r} holds imported judgments and is never handed out.")
    with transaction.atomic():
        if campaign.kind != WorkKind.PROMPT and not campaign.tasks.exists():
            raise EmptyCampaign(f"The campaign {campaign.name!r} has no tasks, so there is nothing to hand out.")
        _change_state(campaign, Campaign.State.OPEN)
        # A conditional update: the guideline at hand may be a stale copy of one that another campaign published.
        drafts = Guideline.objects.filter(pk=campaign.guideline_id, published_at__isnull=True)
        if drafts.update(published_at=timezone.now()):
            facts = {"guideline": campaign.guideline_id, "version": campaign.guideline.version}
            record(AuditKind.GUIDELINE, project=campaign.project_id, facts=facts)


def pause_campaign(campaign: Campaign) -> None:
    """Nothing more is handed out; what people hold can still be submitted."""
    _change_state(campaign, Campaign.State.PAUSED)


def close_campaign(campaign: Campaign, *, release: bool = False) -> None:
    """The end: nothing is handed out or corrected any more.

    Whoever is in the middle of a task finishes it, and it counts; where release is set, their holds end now. What is
    submitted without a hold is kept and credited, and not counted.
    """
    _change_state(campaign, Campaign.State.CLOSED)
    if release:
        release_held(campaign)


def _change_state(campaign: Campaign, to: Campaign.State) -> None:
    from_states = [state for state, leads_to in LEADS_TO.items() if to in leads_to]
    with transaction.atomic():
        if not Campaign.objects.filter(pk=campaign.pk, state__in=from_states).update(state=to):
            raise WrongState(f"The campaign {campaign.name!r} is {campaign.state}; from there it does not become {to}.")
        note_campaign(campaign, to.value)
    campaign.state = to
