"""Cohorts are made, described, filled and deleted.

Time in a cohort is kept: what somebody judged while in it stays a judgment of the cohort after they are out.
"""

from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from labeling.errors import BadName, StillInUse, WrongState
from labeling.models import Cohort, CohortMember, Labeler, Project
from labeling.names import checked_line
from labeling.projects import checked_about

NAME_CHARACTERS = 60


def make_cohort(project: Project, *, name: str, about: str) -> Cohort:
    """Raises BadName."""
    return _write(Cohort(project=project), name, about)


def describe_cohort(cohort: Cohort, *, name: str, about: str) -> Cohort:
    """Raises BadName."""
    return _write(cohort, name, about)


def _write(cohort: Cohort, name: str, about: str) -> Cohort:
    cohort.name = checked_line(name, what="name of the cohort", most=NAME_CHARACTERS)
    cohort.about = checked_about(about)
    others = Cohort.objects.filter(project=cohort.project).exclude(pk=cohort.pk)
    if alike := others.filter(name__iexact=cohort.name).first():
        raise BadName(f"There is a cohort {alike.name!r} in this project already; choose another name.")
    try:
        with transaction.atomic():
            cohort.save()
    except IntegrityError:
        raise BadName(f"There is a cohort {cohort.name!r} in this project already; choose another name.") from None
    return cohort


def refuse_by_rule(cohort: Cohort) -> None:
    """Raises WrongState where a rule fills it: who fits is in it, and by hand its people could be found out."""
    if cohort.by_rule:
        raise WrongState(f"{cohort.name} is filled by its rule; nobody is put in or taken out by hand.")


def put_in(cohort: Cohort, labelers: Iterable[Labeler]) -> int:
    """From now on they are in it; who is in it already stays as they are. Returns how many came in. Raises
    WrongState."""
    with transaction.atomic():
        refuse_by_rule(Cohort.objects.select_for_update().get(pk=cohort.pk))
        inside = set(cohort.members.filter(until=None).values_list("labeler_id", flat=True))
        new = {labeler.pk: labeler for labeler in labelers if labeler.pk not in inside}
        now = timezone.now()
        CohortMember.objects.bulk_create(
            CohortMember(cohort=cohort, labeler=labeler, since=now) for labeler in new.values()
        )
    return len(new)


def take_out(cohort: Cohort, labeler_id: int) -> None:
    """From now on they are not in it; what they hold of its campaigns they may finish. Raises WrongState."""
    refuse_by_rule(cohort)
    cohort.members.filter(labeler=labeler_id, until=None).update(until=Greatest(F("since"), Value(timezone.now())))


def why_kept(cohort: Cohort) -> str:
    """Why the cohort cannot be deleted; empty where it can (two queries)."""
    campaigns = list(cohort.campaigns.order_by("name").values_list("name", flat=True)[:3])
    if campaigns:
        return f"Its work is given to {cohort.name} alone in {', '.join(campaigns)}; so it is not deleted."
    if cohort.by_rule:  # Whether anybody fits it is not told, so neither whether anybody was in it.
        return f"{cohort.name} is filled by a rule, and judgments may be told apart by it; so it is not deleted."
    if cohort.members.exists():
        return f"{cohort.name} has had members, and their judgments are told apart by it; so it is not deleted."
    return ""


def delete_cohort(cohort: Cohort) -> None:
    """Raises StillInUse."""
    with transaction.atomic():
        Cohort.objects.select_for_update().get(pk=cohort.pk)
        if why := why_kept(cohort):
            raise StillInUse(why)
        cohort.delete()
