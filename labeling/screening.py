"""Screening: what somebody shows before real work is handed to them, and what becomes of it.

A try is decided once, when all of it is done and graded, by the cut-offs as they then are; a person may decide
otherwise. Who failed may try again, after a while and on other tasks. What becomes of who passed is in probation.py.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from labeling.errors import InvalidSetting, WrongState
from labeling.models import (
    Campaign,
    Labeler,
    Qualification,
    QualificationTry,
    Screening,
    User,
)
from labeling.probation import end_probation
from labeling.screening_scores import Standing, progress_of, standings_of

State = QualificationTry.State

MOST_TRIES = 200
"""On the page of a qualification."""


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


# --- what is decided --------------------------------------------------------------------------------------------------


def passes(qualification: Qualification, standing: Standing, knows: Iterable[str]) -> bool:
    """By the cut-offs; what none of its campaigns asks for has no score and does not count."""
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
    # Before each claim: what was said is read only where it can decide.
    if progress_of(qualification, [current])[0].complete:
        decide(qualification, [(current, standings_of(qualification, [current])[0])])
        current.refresh_from_db()
    return current


def decide(qualification: Qualification, tries: Iterable[tuple[QualificationTry, Standing]]) -> None:
    """Those that are open and can be decided (one query)."""
    due = [(one, standing) for one, standing in tries if one.state == State.OPEN and standing.decidable]
    for one, standing in due:
        one.state = State.PASSED if passes(qualification, standing, one.knows or ()) else State.FAILED
        one.scores, one.decided_at = dict(standing.scores), timezone.now()
    # Decided once: of two at the same moment one changes nothing.
    open_yet = QualificationTry.objects.filter(state=State.OPEN)
    open_yet.bulk_update([one for one, _ in due], ["state", "scores", "decided_at"])


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
    """Who tried last, decided where it is complete (a dozen queries, however many they are)."""
    found = QualificationTry.objects.filter(qualification=qualification).select_related("labeler").order_by("-pk")
    tries = list(found[:MOST_TRIES])
    candidates = list(zip(tries, standings_of(qualification, tries), strict=True))
    decide(qualification, candidates)
    return candidates
