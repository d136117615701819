"""The members of a project as its people page lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from labeling.history import totals_of
from labeling.models import Cohort, CohortMember, Labeler, Membership
from labeling.second_factors import those_with_one


@dataclass(frozen=True)
class Row:
    """pseudonym: empty for who never labelled. cohorts: names of those they are in now by hand."""

    membership: Membership
    pseudonym: str
    cohorts: tuple[str, ...]
    submissions: int
    last_at: datetime | None
    second_factor: bool
    """Whether they have one, never which."""


def rows_of(memberships: Sequence[Membership]) -> list[Row]:
    """In the order given (four queries)."""
    labelers = {one.membership_id: one for one in Labeler.objects.filter(membership__in=memberships)}
    ids = [labeler.pk for labeler in labelers.values()]
    totals = totals_of(ids)
    cohorts: dict[int, list[str]] = {}
    named = Cohort.objects.by_hand()
    now = CohortMember.objects.filter(labeler__in=ids, until=None, cohort__in=named).order_by("cohort__name")
    for labeler_id, name in now.values_list("labeler_id", "cohort__name"):
        cohorts.setdefault(labeler_id, []).append(name)
    guarded = those_with_one([one.user_id for one in memberships])
    found = []
    for membership in memberships:
        labeler = labelers.get(membership.pk)
        total = totals.get(labeler.pk, {}) if labeler else {}
        found.append(
            Row(
                membership=membership,
                pseudonym=labeler.pseudonym if labeler else "",
                cohorts=tuple(cohorts.get(labeler.pk, ())) if labeler else (),
                submissions=total.get("submissions", 0),
                last_at=total.get("last"),
                second_factor=membership.user_id in guarded,
            )
        )
    return found
