"""What the tasks of a campaign are made of: prompts and responses chosen by what they are, drawn with a fixed seed.

The same choice of the same data makes the same tasks in the same order, so that a count can be believed.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from labeling.datasets import counted
from labeling.models import Project, Prompt, Response, WorkKind
from labeling.opening import RESPONSES_A_TASK, Item
from labeling.reviewing import not_returned

MOST_PROMPTS = 10_000
"""That one choice draws at most; more are added by another campaign."""
FEWEST_SHOWN, MOST_SHOWN = RESPONSES_A_TASK[WorkKind.RANKING]
AT_ONCE = 500


@dataclass(frozen=True)
class Choice:
    """kind: of work; prompts are written, not chosen. split, use_case, origin: empty for any. generators: ids of whose
    responses are judged; people: those that people wrote too. shown: how many responses a ranking shows at most.
    prompts: at most so many, drawn by the seed. personal_data: also prompts that seem to hold some."""

    kind: WorkKind
    split: str = ""
    use_case: str = ""
    origin: str = ""
    unanswered: bool = False
    generators: tuple[int, ...] = ()
    people: bool = False
    shown: int = 4
    prompts: int = 100
    seed: int = 1
    personal_data: bool = False

    @property
    def writers(self) -> int:
        return len(self.generators) + self.people


@dataclass(frozen=True)
class Found:
    """fit: prompts that the choice fits; prompts: how many of them are drawn; tasks: how many tasks these make."""

    fit: int
    prompts: int
    tasks: int


def count_of(project: Project, choice: Choice) -> Found:
    """One query."""
    fit = fitting(project, choice).count()
    drawn = min(fit, choice.prompts)
    return Found(fit, drawn, drawn * (choice.writers if choice.kind == WorkKind.RATING else 1))


def fitting(project: Project, choice: Choice) -> QuerySet[Prompt]:
    """The prompts of which a task can be made, whatever their number. What labelers wrote and replaced since, what is
    surplus and what a reviewer returned is none."""
    prompts = Prompt.objects.filter(counted("submission"), not_returned("submission"), project=project)
    for field in ("split", "use_case", "origin"):
        if value := getattr(choice, field):
            prompts = prompts.filter(**{field: value})
    if not choice.personal_data:
        prompts = prompts.filter(personal_data=[])
    if choice.kind == WorkKind.DEMONSTRATION:
        written = Response.objects.filter(prompt=OuterRef("pk"), labeler__isnull=False, judged_only=False)
        return prompts.filter(~Exists(written)) if choice.unanswered else prompts
    if choice.kind == WorkKind.RANKING:
        different = Count("responses__text", filter=_written_by(choice, "responses__"), distinct=True)
        return prompts.alias(different=different).filter(different__gte=FEWEST_SHOWN)
    # Rated models are compared: each of them answers every prompt, or an easy prompt would make its model look good.
    by = [Q(generator=pk) for pk in choice.generators] + ([_by_people()] if choice.people else [])
    for writer in by:
        prompts = prompts.filter(Exists(Response.objects.filter(writer, prompt=OuterRef("pk"))))
    return prompts if by else prompts.none()


def _written_by(choice: Choice, path: str = "") -> Q:
    by = Q(**{f"{path}generator__in": choice.generators})
    return by | _by_people(path) if choice.people else by


def _by_people(path: str = "") -> Q:
    """What people wrote and stands: counted, not replaced since, not returned by a reviewer."""
    stands = (Response.ReviewState.UNREVIEWED, Response.ReviewState.ACCEPTED)
    written = Q(**{f"{path}labeler__isnull": False, f"{path}review_state__in": stands})
    return written & counted(f"{path}submission")


def items_of(project: Project, choice: Choice) -> Iterator[Item]:
    """Prompts with the responses that a task of each shows, in the order drawn."""
    ids = list(fitting(project, choice).order_by("pk").values_list("pk", flat=True))
    draw = random.Random(f"accord tasks {choice.seed}")  # noqa: S311, drawn by a seed, to be drawn again
    drawn = draw.sample(ids, min(len(ids), choice.prompts))
    for start in range(0, len(drawn), AT_ONCE):
        part = drawn[start : start + AT_ONCE]
        prompts = Prompt.objects.in_bulk(part)
        offered = _offered(part, choice)
        for pk in part:
            yield from _items(prompts[pk], offered.get(pk, []), choice, draw)


def _offered(prompt_ids: Sequence[int], choice: Choice) -> dict[int, list[Response]]:
    if choice.kind == WorkKind.DEMONSTRATION:
        return {}
    found: dict[int, list[Response]] = {}
    for response in Response.objects.filter(_written_by(choice), prompt__in=prompt_ids).order_by("pk"):
        found.setdefault(response.prompt_id, []).append(response)
    return found


def _items(prompt: Prompt, offered: Sequence[Response], choice: Choice, draw: random.Random) -> Iterator[Item]:
    if choice.kind == WorkKind.DEMONSTRATION:
        yield prompt, []
    elif choice.kind == WorkKind.RANKING:
        # The same text twice is shown once: nobody could rank one above the other.
        different = list({response.text: response for response in offered}.values())
        yield prompt, draw.sample(different, min(len(different), choice.shown))
    else:
        by_writer: dict[int | None, list[Response]] = {}
        for response in offered:
            by_writer.setdefault(response.generator_id, []).append(response)
        for responses in by_writer.values():
            yield prompt, [draw.choice(responses)]
