"""A draft is kept, a submission is checked and written once.

Locks are taken in the order of assigning.py: task, then assignment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext

from labeling.asking_again import ask_another
from labeling.assigning import KEPT_OUT, STALE, State, extended_lease, is_kept_out, take_slot
from labeling.audit.recording import record
from labeling.checking import LETTERS, Said, Work, close_gaps, problems_of, unstorable
from labeling.completing import note_task
from labeling.errors import AlreadySubmitted, CampaignNotOpen, InvalidWork, KeptOut, NewerDraft, Problem, StaleLease
from labeling.models import Assignment, AuditKind, Campaign, ClaimCursor, Judgment, Response, Submission, Task, WorkKind
from labeling.numbers import in_words
from labeling.prepared import Prepared, as_time
from labeling.prompt_writing import SURE, written_in
from labeling.quotas import has_enough_of
from labeling.reviewing import REVIEWED_KINDS, is_returned
from labeling.row_writing import Write, changed, insert, inserted, write
from labeling.tallies import count_submission
from labeling.written_prompts import is_in_use, problems_with_project, write_prompt

DRAFT_LIMIT = 200_000
"""Characters of a whole draft, names of fields included."""
DRAFT_FIELDS = 300
TOLD_TO = timedelta(milliseconds=1)
"""How exactly a browser knows when a draft was saved."""


@dataclass(frozen=True)
class Basis:
    """What a draft goes on from: the draft that was saved then, None where there was none. device: where it is written,
    or empty; of its own drafts it may have missed the answer."""

    saved_at: datetime | None
    device: str = ""


@dataclass(frozen=True)
class DraftKept:
    """held: the slot is still the labeler's, or they may correct what they submitted; if not, a submission counts only
    while a slot is free."""

    saved_at: datetime
    lease_until: datetime | None
    held: bool


def keep_draft(
    assignment: Assignment,
    fields: Mapping[str, str],
    *,
    lease_token: UUID,
    basis: Basis | None = None,
    corrects: int = 0,
) -> DraftKept:
    """Writes the form's fields as they are and keeps the lease alive up to its ceiling; the words are judged at the
    submission only. basis: None replaces whatever is there. corrects: the number of the submission that a correction is
    written of. Raises StaleLease, AlreadySubmitted, InvalidWork, NewerDraft."""
    _refuse_unkeepable(fields)
    with transaction.atomic():
        locked, clock = _lock(assignment)
        again = locked.state == State.SUBMITTED and _is_written_again(locked, clock, corrects)
        if locked.state == State.SUBMITTED and not again:
            raise AlreadySubmitted(gettext("This task is submitted already; the draft is not needed any more."))
        if locked.lease_token != lease_token:
            raise StaleLease(str(STALE))
        if basis and not _goes_on(locked, basis):
            says = gettext("Newer words of this task were saved on another device or in another browser.")
            assert locked.draft_saved_at is not None
            raise NewerDraft(says, draft=locked.draft, saved_at=locked.draft_saved_at)
        held = locked.state == State.LIVE
        lease_until = extended_lease(locked, clock) if held else None
        # A draft is known by its time: two that are kept at once, or while the clock goes back, are not to share one.
        saved_at = max(clock, locked.draft_saved_at + TOLD_TO) if locked.draft_saved_at else clock
        changes = {"draft": dict(fields), "draft_saved_at": saved_at, "draft_device": basis.device if basis else ""}
        Assignment.objects.filter(pk=locked.pk).update(**changes, lease_until=lease_until)
    return DraftKept(saved_at=saved_at, lease_until=lease_until, held=held or again)


def _is_written_again(locked: Assignment, clock: datetime, corrects: int) -> bool:
    """Of what is submitted: whether it was returned, or the draft is of a correction, and not of the page before it."""
    current = locked.current_submission
    if is_returned(current):
        return True
    return current is not None and current.number == corrects and may_correct(locked, clock)


def _goes_on(locked: Assignment, basis: Basis) -> bool:
    """Whether there is no draft that whoever writes has not seen."""
    if locked.draft_saved_at is None or (basis.device and basis.device == locked.draft_device):
        return True
    return basis.saved_at is not None and abs(locked.draft_saved_at - basis.saved_at) < TOLD_TO


def _refuse_unkeepable(fields: Mapping[str, str]) -> None:
    size = sum(len(name) + len(value) for name, value in fields.items())
    if size > DRAFT_LIMIT or len(fields) > DRAFT_FIELDS:
        says = gettext("The draft has %(many)s characters in %(fields)s fields; at most %(most)s are kept.")
        says %= {"many": in_words(size), "fields": in_words(len(fields)), "most": in_words(DRAFT_LIMIT)}
        raise InvalidWork([Problem("draft_too_long", says)])
    for name, value in fields.items():
        if wrong := unstorable(name + value):
            says = gettext("The text holds %(what)s; remove it.") % {"what": wrong}
            raise InvalidWork([Problem("text_unstorable", says, name)])


def _lock(assignment: Assignment) -> tuple[Assignment, datetime]:
    """The assignment, locked, and the database's time."""
    [locked] = _ASSIGNMENT.rows([assignment.pk])
    locked.campaign.project = assignment.campaign.project
    # A published guideline never changes, and what is checked is what the labeler saw.
    if locked.guideline_id == assignment.guideline_id:
        locked.guideline = assignment.guideline
    locked.campaign.guideline = locked.worked_by
    return locked, as_time(vars(locked)["clock"])


def _assignment_asked(assignment: int) -> QuerySet[Assignment]:
    return (
        Assignment.objects.select_for_update(of=("self",))
        .select_related("campaign", "labeler__membership", "current_submission")
        .annotate(clock=Now())
        .filter(pk=assignment)
    )


_ASSIGNMENT = Prepared(_assignment_asked, int)


def _task_asked(task: int) -> QuerySet[Task]:
    return Task.objects.select_for_update().filter(pk=task)


_TASK = Prepared(_task_asked, int)


@dataclass(frozen=True)
class Outcome:
    """repeated: the same key was sent before, and this is what it led to then."""

    submission: Submission
    repeated: bool = False


def submit(assignment: Assignment, work: Work, *, key: UUID, lease_token: UUID, corrects: int = 0) -> Outcome:
    """Writes the work as the assignment's next submission.

    It counts where the slot is still the labeler's, or free again and the campaign not closed; else it is kept as
    surplus (counted is False). What stands beside the queue, gold and repeats, needs no slot and is no part of the
    task's overlap: whoever reads counted asks for occurrence 0 too.
    corrects: the number of the submission that this one replaces, 0 for the first; a correction is taken within the
    campaign's window and counts as the one before it did. A key that was sent before answers with the first result.
    Raises InvalidWork, StaleLease, AlreadySubmitted, CampaignNotOpen, KeptOut; then nothing is written.
    """
    with transaction.atomic():
        if assignment.campaign.kind == WorkKind.PROMPT:
            # Else what is claimed at this moment could make one too many of the labeler's.
            ClaimCursor.objects.select_for_update().filter(
                campaign=assignment.campaign_id, labeler=assignment.labeler_id
            ).first()
        [task] = _TASK.rows([assignment.task_id])
        locked, clock = _lock(assignment)
        # A task that was never submitted has no keys to look through.
        earlier = locked.submissions.filter(key=key).first() if locked.current_submission_id else None
        if earlier is not None:
            return Outcome(earlier, repeated=True)
        _refuse_if_not_taken(locked, clock, lease_token=lease_token, corrects=corrects)
        problems = problems_of(work, locked.campaign, len(locked.order))
        written = None
        if locked.campaign.kind == WorkKind.PROMPT and not problems:
            written = written_in(work.writing, work.text)
            sure = {warning: work.writing.get(name) == "yes" for warning, name in SURE.items()}
            problems = problems_with_project(written, locked, sure)
        if problems:
            raise InvalidWork(problems)
        submission = Submission(
            assignment=locked,
            number=corrects + 1,
            key=key,
            counted=_counts(task, locked),
            verdict=work.verdict,
            strength=work.strength,
            note=written.use_line if written else work.note,
            active_ms=_believable(work.active_ms, clock - locked.created_at),
            guideline=locked.worked_by,
            submitted_at=clock,
        )
        insert(submission)
        said = [] if written is not None else _said(submission, task, locked, work)
        if written is not None:
            write_prompt(submission, written)
        submitted = changed(
            Assignment,
            locked.pk,
            state=State.SUBMITTED,
            current_submission_id=submission.pk,
            submitted_at=locked.submitted_at or clock,
            draft={},
            draft_saved_at=None,
            draft_device="",
            lease_until=None,
        )
        write(*said, submitted)
        if corrects:
            facts = {"submission": submission.pk, "number": submission.number}
            record(AuditKind.CORRECTION, project=locked.campaign.project_id, facts=facts)
        if submission.counted and not ask_another(task.pk, locked.campaign):
            note_task(task, submission)
        count_submission(locked.campaign.kind, counted=submission.counted)
    return Outcome(submission)


def _refuse_if_not_taken(locked: Assignment, clock: datetime, *, lease_token: UUID, corrects: int) -> None:
    campaign = locked.campaign
    current = locked.current_submission
    if is_kept_out(campaign, locked.labeler):  # Since it was handed out their role has changed.
        raise KeptOut(str(KEPT_OUT))
    if campaign.state == Campaign.State.CLOSED and current:
        says = gettext("%(campaign)s is closed; what was submitted is not corrected any more.")
        raise CampaignNotOpen(says % {"campaign": campaign.name})
    number = current.number if current else 0
    if corrects != number:
        raise AlreadySubmitted(gettext("This task is submitted already; what was sent now was not taken."))
    if current and not may_correct(locked, clock):
        raise AlreadySubmitted(gettext("This submission can no longer be corrected; its window is over."))
    if locked.lease_token != lease_token:
        raise StaleLease(str(STALE))


def may_correct(assignment: Assignment, clock: datetime) -> bool:
    """Within the campaign's window after the submission that is current. A demonstration is not: it goes to review; a
    prompt is not once tasks or responses were made of it. What a reviewer returned is, until the campaign is closed."""
    campaign, current = assignment.campaign, assignment.current_submission
    if current is not None and campaign.kind in REVIEWED_KINDS and is_returned(current):
        return campaign.state != Campaign.State.CLOSED
    if current is None or campaign.kind == WorkKind.DEMONSTRATION or campaign.state == Campaign.State.CLOSED:
        return False
    if clock > current.submitted_at + timedelta(minutes=campaign.correction_minutes) or was_repeated(assignment):
        return False
    return campaign.kind != WorkKind.PROMPT or not is_in_use(current)


def was_repeated(assignment: Assignment) -> bool:
    """Whether its labeler was given the same task again, without being told: then what they said first stays (a query,
    unless recent_submissions() asked already)."""
    told: bool | None = getattr(assignment, "repeated", None)
    if told is not None:
        return told
    later = Assignment.objects.filter(task=assignment.task_id, labeler=assignment.labeler_id)
    return later.filter(occurrence__gt=assignment.occurrence).exists()


def _counts(task: Task, locked: Assignment) -> bool:
    """Needs the task locked; takes a free slot where the labeler's own is gone."""
    if locked.current_submission:
        return locked.current_submission.counted
    if locked.state == State.LIVE:
        return True
    if locked.occurrence:  # Beside the queue no slot is needed.
        return locked.campaign.state != Campaign.State.CLOSED
    if task.open_slots == 0 or locked.campaign.state == Campaign.State.CLOSED:
        return False
    if has_enough_of(locked.campaign, locked.labeler):
        return False
    take_slot(task)
    return True


def _believable(active_ms: int | None, passed: timedelta) -> int | None:
    """What the browser measured, cut to the time that has passed since the task was first handed out."""
    if active_ms is None or active_ms < 0:
        return None
    return min(active_ms, max(0, round(passed.total_seconds() * 1000)))


def _said(submission: Submission, task: Task, locked: Assignment, work: Work) -> list[Write]:
    """The judgments, to be written; a demonstration is written at once."""
    if locked.campaign.kind == WorkKind.DEMONSTRATION:
        assert task.prompt_id is not None
        Response.objects.create(
            prompt_id=task.prompt_id,
            labeler_id=locked.labeler_id,
            text=work.text,
            finish_reason="stop",
            submission=submission,
        )
        return []
    said = {letter: work.responses.get(letter, Said()) for letter in LETTERS[: len(locked.order)]}
    # A proposal is the page's guess from the ratings; a rank says that somebody put the response there.
    ranks = close_gaps({letter: None if work.order_is_proposed else one.rank for letter, one in said.items()})
    judgments = [
        Judgment(
            submission=submission,
            response_id=response_id,
            rank=ranks[letter],
            ratings=dict(said[letter].ratings),
            flags=dict(said[letter].flags),
            note=said[letter].note,
        )
        for letter, response_id in zip(said, locked.order, strict=True)
    ]
    return [inserted(judgments)]
