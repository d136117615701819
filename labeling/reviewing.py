"""Reviews of what labelers wrote: demonstrations and prompts are accepted, or returned to their author with remarks.

Reviews are appended and never changed; the newest of a submission decides. A corrected submission is another one, and
is unreviewed again. What comes from files or from simulated labelers waits for nobody.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext, gettext_lazy

from labeling.checking import NOTE_LIMIT, unstorable
from labeling.errors import AlreadyReviewed, InvalidWork, NotReviewable, Problem
from labeling.models import Assignment, Campaign, Labeler, Project, Response, Review, Submission, User, WorkKind
from labeling.numbers import in_words

REVIEWED_KINDS = (WorkKind.DEMONSTRATION, WorkKind.PROMPT)
OWN_WORDS = gettext_lazy("These are your own words; somebody else reviews them.")


def reviewable(project: Project) -> QuerySet[Submission]:
    """Current submissions of the kinds that are reviewed, and that count."""
    return Submission.objects.filter(
        assignment__campaign__project=project,
        assignment__campaign__kind__in=REVIEWED_KINDS,
        assignment__campaign__imported=False,
        assignment__current_submission=F("pk"),
        counted=True,
        withdrawn_at__isnull=True,
    ).exclude(assignment__labeler__source=Labeler.Source.SIMULATED)


def waiting_for(reviewer: User, project: Project, campaign: Campaign | None = None) -> QuerySet[Submission]:
    """What nobody has reviewed and the reviewer did not write, the oldest first."""
    found = reviewable(project).exclude(assignment__labeler__user=reviewer).filter(reviews__isnull=True)
    if campaign is not None:
        found = found.filter(assignment__campaign=campaign)
    return found.order_by("submitted_at", "pk")


def next_after(submission: Submission, waiting: QuerySet[Submission]) -> Submission | None:
    """The one that waits next, once round (two queries at most)."""
    later = Q(submitted_at__gt=submission.submitted_at) | Q(submitted_at=submission.submitted_at, pk__gt=submission.pk)
    return waiting.filter(later).first() or waiting.exclude(pk=submission.pk).first()


def words_of(submission: Submission) -> str:
    """What it is about, for a list: what the prompt says last, or what was written (a query unless prefetched)."""
    if prompt := submission.assignment.task.prompt:
        return prompt.last_turn
    return next((written.last_turn for written in submission.prompts.all()), "")


def newest_review(submission: Submission) -> Review | None:
    """What decides about a submission (a query, unless its reviews are prefetched)."""
    return next(iter(submission.reviews.all()), None)


@dataclass(frozen=True)
class Reviewed:
    """What an author may know of a review. state: of Response.ReviewState."""

    state: str
    remarks: str = ""


def reviews_of(submissions: Iterable[Submission]) -> dict[int, Reviewed]:
    """By id of the submission: unreviewed, accepted or returned, with the remarks (one query)."""
    pks = [submission.pk for submission in submissions]
    found = {pk: Reviewed(Response.ReviewState.UNREVIEWED) for pk in pks}
    for review in Review.objects.filter(submission__in=pks).order_by("pk"):
        found[review.submission_id] = Reviewed(review.state, review.remarks)
    return found


def returned_to(labeler: Labeler) -> QuerySet[Assignment]:
    """What a reviewer returned to its author and still waits for them, the longest first (three queries)."""
    newest = Review.objects.filter(submission=OuterRef("current_submission")).order_by("-pk")
    return (
        Assignment.objects.filter(labeler=labeler, state=Assignment.State.SUBMITTED)
        .exclude(campaign__state=Campaign.State.CLOSED)
        .filter(current_submission__reviews__state=Review.State.RETURNED)
        .alias(newest=Subquery(newest.values("state")[:1]))
        .filter(newest=Review.State.RETURNED)
        .annotate(returned_at=Subquery(newest.values("created_at")[:1]))
        .distinct()
        .select_related("campaign", "task__prompt", "current_submission")
        .prefetch_related("current_submission__prompts", "current_submission__reviews")
        .order_by("returned_at", "pk")
    )


def is_returned(submission: Submission | None) -> bool:
    """Whether it waits for its author (a query, unless its reviews are prefetched)."""
    newest = newest_review(submission) if submission else None
    return newest is not None and newest.state == Review.State.RETURNED


def not_returned(path: str) -> Q:
    """A condition: the newest review of the submission at this path, if there is one, did not return it."""
    newer = Review.objects.filter(submission=OuterRef("submission"), pk__gt=OuterRef("pk"))
    newest = Review.objects.filter(submission=OuterRef(path)).filter(~Exists(newer))
    return ~Q(Exists(newest.filter(state=Review.State.RETURNED)))


def review(submission: Submission, reviewer: User, *, state: str, remarks: str, seen: int) -> Review:
    """Appends a review; the response's review state follows.

    seen: id of the newest review that the reviewer knew, 0 for none. Sent twice it is one review. Raises InvalidWork,
    NotReviewable (own words, or replaced since), AlreadyReviewed (somebody decided meanwhile); then nothing is written.
    """
    remarks = remarks.strip()
    _refuse_unsayable(state, remarks)
    with transaction.atomic():
        # The author's correction locks the assignment too, so it comes before this or after it.
        assignment = Assignment.objects.select_for_update(of=("self",)).get(pk=submission.assignment_id)
        if Labeler.objects.filter(pk=assignment.labeler_id, user=reviewer).exists():
            raise NotReviewable(str(OWN_WORDS))
        if assignment.current_submission_id != submission.pk:
            raise NotReviewable(gettext("Its author has sent another version since; review that one."))
        newest = Review.objects.filter(submission=submission).first()
        if newest is not None and newest.pk != seen:
            if (newest.reviewer_id, newest.state, newest.remarks) == (reviewer.pk, state, remarks):
                return newest
            raise AlreadyReviewed(_told(newest, reviewer))
        made = Review.objects.create(submission=submission, reviewer=reviewer, state=state, remarks=remarks)
        submission.responses.update(review_state=state)
    return made


def _told(newest: Review, reviewer: User) -> str:
    returned = newest.state == Review.State.RETURNED
    if newest.reviewer_id == reviewer.pk:
        did = gettext("You returned this meanwhile") if returned else gettext("You accepted this meanwhile")
    elif returned:
        did = gettext("Another reviewer returned this meanwhile")
    else:
        did = gettext("Another reviewer accepted this meanwhile")
    if newest.remarks:
        did = gettext("%(did)s with these remarks: “%(remarks)s”") % {"did": did, "remarks": newest.remarks}
    return gettext("%(did)s. Nothing was changed; look again before you decide.") % {"did": did}


def _refuse_unsayable(state: str, remarks: str) -> None:
    if state not in Review.State.values:
        raise InvalidWork([Problem("no_decision", gettext("Nothing is decided: accept it, or return it."))])
    if state == Review.State.RETURNED and not remarks:
        says = gettext("Say what to change: without remarks its author cannot mend it.")
        raise InvalidWork([Problem("remarks_missing", says, "remarks")])
    if len(remarks) > NOTE_LIMIT:
        says = gettext("The remarks have %(many)s characters; at most %(most)s are taken.")
        says %= {"many": in_words(len(remarks)), "most": in_words(NOTE_LIMIT)}
        raise InvalidWork([Problem("text_too_long", says, "remarks")])
    if wrong := unstorable(remarks):
        says = gettext("The remarks hold %(what)s; remove it.") % {"what": wrong}
        raise InvalidWork([Problem("text_unstorable", says, "remarks")])
