"""A task is not done, and why: the reasons that can be given, and what becomes of the task. The draft is kept."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from labeling.assigning import STALE
from labeling.errors import AlreadySubmitted, StaleLease
from labeling.models import Assignment, Campaign, Task, WorkKind
from labeling.releasing import give_back_slots
from labeling.setting_aside import set_aside

SKIPPED_FOR = timedelta(minutes=30)
"""When a task skipped under the policy "back later" is offered to the same labeler again."""

State = Assignment.State


@dataclass(frozen=True)
class SkipReason:
    """Why a task is not done. for_good: not offered to the same person again, whatever the campaign's policy. of_task:
    it lies in the task and not in the person, so that others would skip it too. free: it costs nothing, and is counted
    nowhere."""

    name: str
    sentence: str | Promise
    for_good: bool = False
    of_task: bool = False
    free: bool = False

    @property
    def words(self) -> str:
        """In the language of the page."""
        return str(self.sentence)


SKIP_REASONS = (
    SkipReason("unclear", gettext_lazy("I cannot tell what the prompt asks"), of_task=True),
    SkipReason("subject", gettext_lazy("I do not know enough about the subject")),
    SkipReason("language", gettext_lazy("I do not read this language well"), for_good=True),
    SkipReason("distress", gettext_lazy("I would rather not read this (costs nothing)"), for_good=True, free=True),
    SkipReason("broken", gettext_lazy("Something is broken on the page"), of_task=True),
)
FREE_REASONS = [reason.name for reason in SKIP_REASONS if reason.free]
WRITING_SKIP_REASONS = (
    SkipReason("no_idea", gettext_lazy("Nothing comes to mind just now")),
    SkipReason("broken", gettext_lazy("Something is broken on the page")),
)


def skip_reasons_of(campaign: Campaign) -> tuple[SkipReason, ...]:
    return WRITING_SKIP_REASONS if campaign.kind == WorkKind.PROMPT else SKIP_REASONS


def skip(assignment: Assignment, reason: SkipReason, *, lease_token: UUID) -> None:
    """Gives the slot back; the draft is kept. Skipping twice is skipping once. Raises AlreadySubmitted, StaleLease."""
    with transaction.atomic():
        task = Task.objects.select_for_update().get(pk=assignment.task_id)
        locked = (
            Assignment.objects.select_for_update(of=("self",))
            .select_related("campaign")
            .annotate(clock=Now())
            .get(pk=assignment.pk)
        )
        if locked.state == State.SUBMITTED:
            raise AlreadySubmitted(gettext("This task is submitted already; it cannot be skipped any more."))
        if locked.lease_token != lease_token:
            raise StaleLease(str(STALE))
        if locked.state == State.SKIPPED:
            return
        if locked.occurrence == 0:
            if reason.of_task and locked.campaign.skip_policy == Campaign.SkipPolicy.WITHDRAW and not task.aside:
                set_aside(task, Task.Aside.WITHDRAWN)
            if locked.state == State.LIVE:
                give_back_slots(locked.task_id)
        again = locked.campaign.skip_policy == Campaign.SkipPolicy.BACK_LATER and not reason.for_good
        # Whoever has no idea now may have one later.
        again = again or locked.campaign.kind == WorkKind.PROMPT
        Assignment.objects.filter(pk=locked.pk).update(
            state=State.SKIPPED,
            skip_reason=reason.name,
            skipped_until=locked.clock + SKIPPED_FOR if again else None,
            lease_until=None,
        )
