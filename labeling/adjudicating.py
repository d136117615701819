"""Adjudication: where labelers disagree a reviewer says what holds. It adds a submission and overwrites none.

The decision counts for no overlap and is no voice among the labelers'; who judged the task, or wrote what is judged,
does not decide it.
"""

from dataclasses import dataclass
from uuid import uuid4

import numpy as np
from django.db import transaction
from django.db.models.functions import Now

from labeling.agreement import Figure
from labeling.agreement.pairwise import agreement_in_groups
from labeling.assigning import labeler_of
from labeling.audit.recording import record
from labeling.checking import LETTERS, Said, Work, close_gaps, problems_of
from labeling.errors import InvalidWork, KeptOut, Problem
from labeling.models import Adjudication, Assignment, AuditKind, Campaign, Judgment, Membership, Submission, Task
from labeling.records import MOST_REASON
from labeling.reports.floor import are_few
from labeling.reports.judgments import judgments_in
from labeling.reports.scope import Scope


@dataclass(frozen=True)
class Dispute:
    """A task whose labelers disagree. agreement: of every two of them on its pairs of responses."""

    task: int
    labelers: int
    agreement: Figure
    adjudicated: bool


def disputes(campaign: Campaign) -> list[Dispute]:
    """The ranking tasks of a campaign with any disagreement, undecided ones first, and of these the greatest (a few
    queries, however many tasks); none where it is kept for a cohort by a rule and fewer than five of it judged."""
    said = judgments_in(Scope(project=campaign.project, raters="both", campaign=campaign.pk))
    if not len(said) or not len(said.comparisons):
        return []
    if campaign.kept_by_rule and are_few(len(np.unique(said.comparisons.labelers))):
        return []
    found = agreement_in_groups(said.comparisons, said.of.tasks.codes[said.compared_rows])
    decided = set(Adjudication.objects.filter(task__campaign=campaign).values_list("task_id", flat=True))
    labelers = np.bincount(said.of.tasks.codes)
    lines = [
        Dispute(pk, int(labelers[code]), figure, pk in decided)
        for code, figure in found.items()
        if figure.value is not None and figure.value < 1
        for pk in [said.of.tasks.values[code]]
    ]
    return sorted(lines, key=lambda one: (one.adjudicated, one.agreement.known(), one.task))


def shown_order(task: Task) -> list[int]:
    """Ids of the responses under the letters A, B, … of the page of adjudication: by storage."""
    return list(task.shown.order_by("place").values_list("response_id", flat=True))


def adjudicate(task: Task, membership: Membership, work: Work, *, why: str) -> Adjudication:
    """Writes the decision as a submission of the reviewer's that counts for nothing else.

    work: under the letters of shown_order. Raises KeptOut for who took part, InvalidWork for a decision that says
    nothing or gives no reason.
    """
    why = why.strip()
    labeler = labeler_of(membership)
    order = shown_order(task)
    _refuse_who_took_part(task, labeler.pk)
    problems = list(problems_of(work, task.campaign, len(order)))
    if not why or len(why) > MOST_REASON:
        said = f"is {len(why):,} characters long; at most {MOST_REASON:,}" if why else "is missing; say why it holds"
        problems.append(Problem("adjudication_reason", f"The reason {said}.", "why"))
    if problems:
        raise InvalidWork(problems)
    with transaction.atomic():
        Task.objects.select_for_update().get(pk=task.pk)
        last = task.assignments.filter(labeler=labeler).order_by("-occurrence").first()
        assignment = Assignment.objects.create(
            task=task, campaign=task.campaign, labeler=labeler, occurrence=last.occurrence + 1 if last else 1,
            state=Assignment.State.SUBMITTED, order=order,
        )  # fmt: skip
        submission = Submission.objects.create(
            assignment=assignment, number=1, key=uuid4(), counted=False, guideline=task.campaign.guideline,
            strength=work.strength, verdict=work.verdict, note=work.note, submitted_at=Now(),
        )  # fmt: skip
        _write(submission, order, work)
        Assignment.objects.filter(pk=assignment.pk).update(current_submission=submission)
        facts = {"task": task.pk, "submission": submission.pk}
        record(AuditKind.ADJUDICATION, project=membership.project_id, by=membership.user_id, facts=facts)
        return Adjudication.objects.create(task=task, submission=submission, by=membership.user, why=why)


def _refuse_who_took_part(task: Task, labeler: int) -> None:
    own = task.assignments.filter(labeler=labeler, occurrence=0, current_submission__isnull=False).exists()
    if own:
        raise KeptOut("You judged this task yourself; somebody else decides it.")
    if task.shown.filter(response__labeler=labeler).exists():
        raise KeptOut("One of these responses is yours; somebody else decides it.")


def _write(submission: Submission, order: list[int], work: Work) -> None:
    letters = LETTERS[: len(order)]
    said = {letter: work.responses.get(letter, Said()) for letter in letters}
    ranks = close_gaps({letter: one.rank for letter, one in said.items()})
    Judgment.objects.bulk_create(
        Judgment(
            submission=submission, response_id=pk, rank=ranks[letter], ratings=dict(said[letter].ratings),
            flags=dict(said[letter].flags), note=said[letter].note,
        )
        for letter, pk in zip(letters, order, strict=True)
    )  # fmt: skip
