"""A member leaves, or is removed: their access ends, what they said stays.

Judgments stay under the pseudonym, and who comes back is the same labeler: otherwise one person would be counted twice
in one task.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from labeling.audit.recording import record
from labeling.leases import held_by
from labeling.members import lock_owners
from labeling.models import AuditKind, Cohort, CohortMember, Invitation, Membership, ProjectToken, Submission
from labeling.releasing import release_all
from labeling.sessions import sign_out_member


@dataclass(frozen=True)
class Leaving:
    """What ends (leases, tokens, cohorts) and what stays (submissions, invitations that they sent). Cohorts that a rule
    fills are not named, though time in them ends too."""

    leases: int
    tokens: int
    cohorts: tuple[str, ...]
    submissions: int
    invitations: int


def what_leaving_does(membership: Membership) -> Leaving:
    """What leave() would end and leave behind now (five queries)."""
    named = Cohort.objects.by_hand()
    cohorts = CohortMember.objects.filter(labeler__membership=membership, until__isnull=True, cohort__in=named)
    invitations = Invitation.objects.filter(project=membership.project_id, invited_by=membership.user_id)
    return Leaving(
        leases=held_by(membership).count(),
        tokens=ProjectToken.objects.filter(project=membership.project_id, user=membership.user_id).count(),
        cohorts=tuple(cohorts.order_by("cohort__name").values_list("cohort__name", flat=True)),
        submissions=Submission.objects.filter(assignment__labeler__membership=membership, number=1).count(),
        invitations=invitations.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now()).count(),
    )


def leave(membership: Membership, *, sign_out: bool = False) -> Leaving:
    """Ends the membership: slots go back, tokens of the project are deleted, time in cohorts ends. Returns what ended.

    sign_out: their sessions end, too, wherever else they use them. Raises LastOwner.
    """
    with transaction.atomic():
        lock_owners(membership, what="leave")
        # A claim of theirs that is under way is waited for, and what it handed out goes back too.
        Membership.objects.select_for_update().filter(pk=membership.pk).first()
        ended = what_leaving_does(membership)
        release_all(held_by(membership))
        if sign_out:
            sign_out_member(membership)
        ProjectToken.objects.filter(project=membership.project_id, user=membership.user_id).delete()
        CohortMember.objects.filter(labeler__membership=membership, until__isnull=True).update(
            until=Greatest(F("since"), Value(timezone.now()))
        )
        record(AuditKind.LEAVE, project=membership.project_id, facts={"member": membership.user_id})
        membership.delete()
    return ended
