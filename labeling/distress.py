"""Material that some would rather not read: announced before it is shown, and kept from who does not want it."""

from collections.abc import Iterable
from contextlib import suppress

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.text import get_text_list
from django.utils.translation import gettext

from labeling.errors import AlreadySubmitted, StaleLease
from labeling.models import Assignment, ClaimCursor, Content, Labeler, Prompt, Task, kinds_in
from labeling.skipping import SKIP_REASONS, skip

State = Assignment.State
[RATHER_NOT] = [reason for reason in SKIP_REASONS if reason.name == "distress"]


def is_announced_first(assignment: Assignment) -> bool:
    """Whether its labeler is told what the texts hold, and sees none of them before they ask to."""
    return bool(assignment.task.content) and assignment.warned_at is None and assignment.state != State.SUBMITTED


def show(assignment: Assignment) -> None:
    """The labeler was told, and goes on."""
    Assignment.objects.filter(pk=assignment.pk, warned_at__isnull=True).update(warned_at=Now())


def words_of(content: int) -> str:
    """ "violence and hatred of groups of people"."""
    return get_text_list([kind.words for kind in kinds_in(content)], gettext("and"))


def sum_of(names: Iterable[str]) -> int:
    """Names as forms send them ("VIOLENT"); unknown ones are left out."""
    return sum({Content[name] for name in names if name in Content.__members__})


def avoid(labeler: Labeler, kinds: int) -> None:
    """From now on the labeler is handed nothing that holds these, and what is in hand and was not shown yet is skipped.
    What they asked to see stays."""
    with transaction.atomic():
        # Also waits for a claim that is under way and looked at what they avoided before.
        ClaimCursor.objects.filter(labeler=labeler).update(nothing_until=None)
        Labeler.objects.filter(pk=labeler.pk).update(avoids=kinds)
        for held in _unseen(labeler, kinds):
            with suppress(AlreadySubmitted, StaleLease):  # Submitted or given back meanwhile, in another tab.
                skip(held, RATHER_NOT, lease_token=held.lease_token)
    labeler.avoids = kinds


def _unseen(labeler: Labeler, kinds: int) -> list[Assignment]:
    """What the labeler holds that has these kinds in it and was only announced so far."""
    held = Assignment.objects.filter(labeler=labeler, state=State.LIVE, warned_at__isnull=True)
    found = held.annotate(shared=F("task__content").bitand(kinds)).filter(shared__gt=0)
    return list(found.order_by("task_id"))  # Tasks are locked in this order everywhere.


def say_what_it_holds(prompt: Prompt, content: int) -> None:
    """Of the prompt and all of its tasks, those in hand too: they are announced where they were not seen yet."""
    with transaction.atomic():
        Prompt.objects.filter(pk=prompt.pk).update(content=content)
        Task.objects.filter(prompt=prompt).update(content=content)
    prompt.content = content
