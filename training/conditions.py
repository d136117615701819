"""Cohorts as a model is told them: a condition is a cohort's key in a run folder.

A judgment counts for the cohort that its labeler was in when it was made. Who was in two at once speaks for neither.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from labeling.models import Cohort, CohortMember, Project

NAME_CHARACTERS = 100


def condition_of(cohort: Cohort) -> str:
    """The cohort's key: its name as far as names in a run folder go, else its number."""
    key = re.sub(r"[^A-Za-z0-9_-]+", "-", cohort.name).strip("-_")[:NAME_CHARACTERS]
    return key or f"cohort-{cohort.pk}"


@dataclass(frozen=True)
class Conditions:
    """Who was in which cohort and when, of a whole project."""

    stays: Mapping[int, list[tuple[datetime, datetime | None, str]]]
    """By labeler: since, until, key."""

    @classmethod
    def of(cls, project: Project) -> "Conditions":
        """One query."""
        stays: dict[int, list[tuple[datetime, datetime | None, str]]] = {}
        for member in CohortMember.objects.filter(cohort__project=project).select_related("cohort"):
            stay = (member.since, member.until, condition_of(member.cohort))
            stays.setdefault(member.labeler_id, []).append(stay)
        return cls(stays)

    def at(self, labeler_id: int | None, moment: datetime) -> str | None:
        """The key of the one cohort that the labeler was in at that moment."""
        if labeler_id is None:
            return None
        keys = {
            key
            for since, until, key in self.stays.get(labeler_id, ())
            if since <= moment and (until is None or moment < until)
        }
        return keys.pop() if len(keys) == 1 else None
