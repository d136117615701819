"""What one person holds, and letting go of it."""

from django.db.models import QuerySet

from labeling.access import LABELS
from labeling.assigning import SEE_GENERATORS, State, kept_out_of
from labeling.models import Assignment, Membership
from labeling.releasing import release_all


def held_by(membership: Membership) -> QuerySet[Assignment]:
    """The member's live leases, those that ran out and were not taken back included."""
    return Assignment.objects.filter(labeler__membership=membership, state=State.LIVE)


def release_what_role_may_not_do(membership: Membership, role: str) -> int:
    """Gives back what the member holds and may not do in this role: all of it where the role labels nothing, what
    judges models blind where it is shown the models. Drafts are kept. Returns how many. Needs a transaction."""
    if role not in LABELS:
        return release_all(held_by(membership))
    return release_all(held_by(membership).filter(kept_out_of())) if role in SEE_GENERATORS else 0
