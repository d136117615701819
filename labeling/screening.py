"""Screening: what somebody shows before real work is handed to them, and what becomes of it.

A try is decided once, when all of it is done and graded, by the cut-offs as they then are; a person may decide
otherwise. Who failed may try again, after a while and on other tasks. What becomes of who passed is in probation.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from labeling.errors import InvalidSetting, WrongState
from labeling.models import (
    Assignment,
    Campaign,
    GoldAnswer,
    Judgment,
    Labeler,
    Qualification,
    QualificationTry,
    Screening,
    Submission,
    Task,
    User,
    WorkKind,
)
from labeling.probation import end_probation
from labeling.reports.beside import answers_right, flags_of, pairs_right, usable

State = QualificationTry.State


# --- who may ----------------------------------------------------------------------------------------------------------


def decide_what_is_due(campaign: Campaign, labeler: Labeler) -> None:
    """Decides the labeler's try, or ends their probation, where that is due. Before a claim and not within it: a claim
    that is refused writes nothing. No query for a campaign that requires nothing."""
    if campaign.requires_id is None:
        return
    qualification = Qualification.objects.get(pk=campaign.requires_id)
    current = settle(qualification, labeler)
    if current is not None and current.state == State.PASSED:
        end_probation(qualification, current)


def hindrance_to(campaign: Campaign, labeler: Labeler) -> str:
    """Why the campaign is not for this person, in a sentence; empty where it is. Begins a try where one is due. No
    query for a campaign that requires nothing."""
    if campaign.requires_id is None:
        return ""
    screening = Screening.objects.select_related("qualification").filter(campaign=campaign).first()
    if screening is not None:
        return _hindrance_to_try(screening, labeler)
    qualification = Qualification.objects.get(pk=campaign.requires_id)
    current = latest_of(qualification, labeler)
    if current is None or current.state == State.OPEN:
        says = gettext("This work is for those who passed “%(name)s”; its tasks are among your campaigns.")
        return says % {"name": qualification.name}
    if current.state == State.FAILED:
        says = gettext("This work is for those who passed “%(name)s”. %(again)s")
        return says % {"name": qualification.name, "again": _when_again(qualification, current)}
    if current.state == State.SUSPENDED:
        return gettext("Your probation has ended; somebody of the project will talk with you about it.")
    return ""


def _hindrance_to_try(screening: Screening, labeler: Labeler) -> str:
    qualification = screening.qualification
    current = latest_of(qualification, labeler)
    if current is not None and screening.number == current.number:
        return ""  # Whatever became of it: what is left of it is handed out, and soon nothing is.
    due = 1 if current is None else current.number + (current.state == State.FAILED)
    if current is not None and current.state in (State.PASSED, State.SUSPENDED):
        says = gettext("“%(name)s” is decided for you; there is nothing more to do in it.")
        return says % {"name": qualification.name}
    if screening.number != due:
        says = gettext("These tasks are for try %(number)s of “%(name)s”; yours is try %(due)s.")
        return says % {"number": screening.number, "name": qualification.name, "due": due}
    if current is not None and current.state == State.FAILED and not _may_try_again(qualification, current):
        return _when_again(qualification, current)
    if current is None or current.state == State.FAILED:
        QualificationTry.objects.get_or_create(qualification=qualification, labeler=labeler, number=due)
    return ""


def _may_try_again(qualification: Qualification, current: QualificationTry) -> bool:
    return current.number < qualification.tries and timezone.now() >= _again_at(qualification, current)


def _again_at(qualification: Qualification, current: QualificationTry) -> datetime:
    return (current.decided_at or timezone.now()) + timedelta(days=qualification.retake_days)


def _when_again(qualification: Qualification, current: QualificationTry) -> str:
    if current.number >= qualification.tries:
        says = ngettext(
            "It can be tried %(many)s time; for you it is over.",
            "It can be tried %(many)s times; for you it is over.",
            qualification.tries,
        )
        return says % {"many": qualification.tries}
    says = gettext("It can be tried again from %(day)s on.")
    return says % {"day": date_format(_again_at(qualification, current), "j F Y")}


# --- what was shown ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How far a try is. scores: what can be told so far; left: tasks not submitted; ungraded: demonstrations."""

    scores: Mapping[str, float | None]
    left: int
    ungraded: int
    asks_self: bool

    @property
    def complete(self) -> bool:
        return not (self.left or self.ungraded or self.asks_self)


def standing_of(current: QualificationTry) -> Standing:
    """A handful of queries."""
    qualification, labeler = current.qualification, current.labeler_id
    tasks = Task.objects.filter(
        campaign__screening_of__qualification=qualification, campaign__screening_of__number=current.number
    )
    done = Submission.objects.filter(
        assignment__task__in=tasks, assignment__labeler=labeler, assignment__current_submission__isnull=False
    )
    submitted = done.values("assignment__task").distinct().count()
    written = done.filter(assignment__campaign__kind=WorkKind.DEMONSTRATION)
    # Of candidates, those who passed can contradict gold; the others are not known to judge well.
    passed = QualificationTry.objects.filter(qualification=qualification, state=State.PASSED).exclude(labeler=labeler)
    others = Assignment.objects.filter(labeler__in=passed.values("labeler"))
    rightly = _rightly(usable(GoldAnswer.objects.filter(task__in=tasks), others), labeler)
    grades = written.filter(grades__isnull=False).aggregate(mean=Avg("grades__grade"))["mean"]
    scores = {name: right / certain if certain else None for name, (right, certain) in rightly.items()}
    return Standing(
        scores=scores | {"demonstrations": grades},
        left=max(0, tasks.count() - submitted),
        ungraded=written.filter(grades__isnull=True).count(),
        asks_self=bool(qualification.self_assessed) and current.knows is None,
    )


def _rightly(gold: Iterable[GoldAnswer], labeler: int) -> dict[str, tuple[int, int]]:
    """Of what gold asks for in the tasks that were submitted: how much was said rightly, and how much is asked for.
    What was left open was not said rightly; else whoever says nothing would pass."""
    by_task = {one.task_id: one for one in gold}
    sums = {"comparisons": (0, 0), "flags": (0, 0)}
    for task, answers in _said(by_task, labeler).items():
        gold_ = by_task[task]
        for name, right, asked in (
            ("comparisons", pairs_right(gold_, answers)[0], len(gold_.above)),
            ("flags", answers_right(gold_, answers, "flags")[0], len(flags_of(gold_))),
        ):
            sums[name] = (sums[name][0] + right, sums[name][1] + asked)
    return sums


def _said(by_task: Iterable[int], labeler: int) -> dict[int, dict[int, Judgment]]:
    said: dict[int, dict[int, Judgment]] = defaultdict(dict)
    judgments = Judgment.objects.filter(
        submission__assignment__task__in=by_task, submission__assignment__labeler=labeler,
        submission__adjudication__isnull=True,
    ).order_by("submission__number")  # fmt: skip
    for one in judgments.select_related("submission__assignment"):
        said[one.submission.assignment.task_id][one.response_id] = one
    return said


def passes(qualification: Qualification, standing: Standing, knows: Iterable[str]) -> bool:
    """By the cut-offs; what was not asked for in any of its campaigns does not count."""
    cutoffs = {
        "comparisons": qualification.comparisons / 100, "flags": qualification.flags / 100,
        "demonstrations": qualification.demonstrations,
    }  # fmt: skip
    above = all(score is None or score >= cutoffs[name] for name, score in standing.scores.items())
    return above and len(set(knows) & set(qualification.self_assessed)) >= qualification.groups_known


def latest_of(qualification: Qualification, labeler: Labeler) -> QualificationTry | None:
    return QualificationTry.objects.filter(qualification=qualification, labeler=labeler).order_by("-number").first()


def settle(qualification: Qualification, labeler: Labeler) -> QualificationTry | None:
    """The labeler's latest try, decided if it is complete by now; None before the first."""
    current = latest_of(qualification, labeler)
    if current is None or current.state != State.OPEN:
        return current
    current.qualification = qualification
    standing = standing_of(current)
    if not standing.complete:
        return current
    state = State.PASSED if passes(qualification, standing, current.knows or ()) else State.FAILED
    # Decided once: of two at the same moment one changes nothing.
    QualificationTry.objects.filter(pk=current.pk, state=State.OPEN).update(
        state=state, scores=dict(standing.scores), decided_at=timezone.now()
    )
    current.refresh_from_db()
    return current


def assess_self(current: QualificationTry, knows: Iterable[str]) -> None:
    """What groups of people the labeler says they can judge for. Raises WrongState once the try is decided."""
    if current.state != State.OPEN:
        raise WrongState(gettext("This try is decided; what you say of yourself belongs before that."))
    offered = set(current.qualification.self_assessed)
    QualificationTry.objects.filter(pk=current.pk).update(knows=sorted(set(knows) & offered))


def decide_by_hand(current: QualificationTry, state: str, *, by: User, why: str) -> None:
    """A person decides otherwise. Raises InvalidSetting without a reason or for a state that none can give."""
    if state not in (State.PASSED, State.FAILED, State.SUSPENDED) or not why.strip():
        raise InvalidSetting("Say whether they passed, failed or are suspended, and why.")
    QualificationTry.objects.filter(pk=current.pk).update(
        state=state, decided_by=by, decided_at=timezone.now(), why=why.strip()[:2_000]
    )


def candidates_of(qualification: Qualification) -> list[tuple[QualificationTry, Standing]]:
    """Everybody who tried, the latest try of each first, decided where it is complete."""
    tries = QualificationTry.objects.filter(qualification=qualification).select_related("labeler").order_by("-pk")
    found = []
    for one in tries[:200]:
        one.qualification = qualification
        settled = settle(qualification, one.labeler) if one.state == State.OPEN else one
        found.append((settled or one, standing_of(one)))
    return found
