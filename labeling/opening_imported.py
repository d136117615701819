"""A campaign for people out of what was imported: sets of responses to rank, responses to rate, prompts to answer."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch

from labeling.datasets import counted
from labeling.errors import Refusal
from labeling.guidelines import guideline_for
from labeling.imported_rows import Place
from labeling.models import Campaign, Project, Prompt, Response, Task, TaskResponse, WorkKind
from labeling.opening import RESPONSES_A_TASK, Item, make_tasks, mixed, open_campaign
from labeling.reviewing import not_returned


class NothingToOpen(Refusal):
    """There is no imported work of this name, or none that such a campaign can be made of."""

    code = "nothing_to_open"
    status = 409


def open_from_imported(
    project: Project,
    *,
    kind: WorkKind,
    source: str | None,
    name: str,
    tasks: int,
    overlap: int,
    required: Sequence[str] = (),
) -> Campaign:
    """An open campaign with that many tasks at most, under the newest published guideline or the default one.

    source: the name under which the work was imported (of a file, or of the campaign that holds it); None only for
    demonstrations, which are then asked for prompts that have none. All or nothing. Raises NothingToOpen.
    """
    with transaction.atomic():
        if Campaign.objects.filter(project=project, name=name).exists():
            raise NothingToOpen(f"There is a campaign {name!r} already; give this one another --name.")
        items = list(islice(_items(project, kind, source), tasks))
        if not items:
            raise NothingToOpen(f"{source or project.slug!r} holds nothing that a {kind} campaign can be made of.")
        campaign = Campaign.objects.create(
            project=project,
            name=name,
            kind=kind,
            guideline=guideline_for(project, kind),
            overlap=overlap,
            required=list(required),
        )
        make_tasks(campaign, items)
        open_campaign(campaign)
    return campaign


def free_name(project: Project, kind: WorkKind) -> str:
    """ "Ranking 1", or the next number: labelers read it, and the name of a file may name the models in it."""
    taken = set(Campaign.objects.filter(project=project).values_list("name", flat=True))
    return next(name for number in count(1) if (name := f"{kind.label} {number}") not in taken)


def _items(project: Project, kind: WorkKind, source: str | None) -> Iterator[Item]:
    if kind == WorkKind.DEMONSTRATION and source is None:
        written = Response.objects.filter(prompt=OuterRef("pk"), labeler__isnull=False, judged_only=False)
        usable = Prompt.objects.filter(counted("submission"), not_returned("submission"), project=project)
        unanswered = usable.filter(~Exists(written), split=Prompt.Split.TRAIN)
        yield from ((prompt, []) for prompt in unanswered.order_by("pk").iterator(chunk_size=500))
        return
    tasks = _imported_tasks(project, source or "")
    if kind == WorkKind.RATING:
        yield from _one_by_one(tasks)
        return
    fewest, most = RESPONSES_A_TASK[kind]
    seen: set[int] = set()
    for task in tasks:
        assert task.prompt is not None
        responses = [one.response for one in task.shown.all()]
        if kind == WorkKind.RANKING and fewest <= len(responses) <= most:
            yield task.prompt, responses
        elif kind == WorkKind.DEMONSTRATION and task.prompt.pk not in seen:
            seen.add(task.prompt.pk)
            yield task.prompt, []


def _one_by_one(tasks: Iterable[Task]) -> Iterator[Item]:
    """Every response by itself and once, mixed already, so that the first ones are of every prompt."""
    found: dict[int, tuple[Prompt, dict[int, Response]]] = {}
    for task in tasks:
        assert task.prompt is not None
        _, responses = found.setdefault(task.prompt.pk, (task.prompt, {}))
        responses.update({one.response.pk: one.response for one in task.shown.all()})
    yield from mixed((prompt, [one]) for prompt, responses in found.values() for one in responses.values())


def _imported_tasks(project: Project, source: str) -> Iterator[Task]:
    names = [source, *(Place.campaign_name(kind, source) for kind in (WorkKind.RANKING, WorkKind.RATING))]
    campaigns = Campaign.objects.filter(project=project, imported=True, name__in=names)
    if not campaigns:
        known = ", ".join(Campaign.objects.filter(project=project, imported=True).values_list("name", flat=True)[:20])
        raise NothingToOpen(f"Nothing was imported under the name {source!r}; there is: {known or 'nothing yet'}.")
    found = Task.objects.filter(campaign__in=campaigns).order_by("campaign", "position")
    # Joined, not prefetched a second time: that writes a condition for each response, too many for SQLite.
    shown = Prefetch("shown", TaskResponse.objects.select_related("response").order_by("place"))
    yield from found.select_related("prompt").prefetch_related(shown).iterator(chunk_size=200)
