"""Cohorts as a model is told them: a condition is a cohort's key in a run folder.

A judgment counts for the cohort that its labeler was in when it was made. Cohorts that are told apart are a set, by
default all of the project; who was in two of the set at once speaks for neither. `Conditions` says so of one judgment
and `only_in` to the database.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from labeling.models import Cohort, CohortMember, Project

NAME_CHARACTERS = 100


@dataclass(frozen=True)
class Condition:
    """A cohort as models are told it, written down once: whatever the cohort is called later, key, text and name stay.

    cohort: its primary key, None where only a config is known."""

    key: str
    text: str
    name: str
    cohort: int | None = None


def condition_of(cohort: Cohort) -> str:
    """The cohort's key: its name as far as names in a run folder go, else its number."""
    return key_from(cohort.name) or f"cohort-{cohort.pk}"


def key_from(name: str) -> str:
    """Empty where nothing of the name can be in a run folder."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:NAME_CHARACTERS]


TOLD = "condition"
"""In the sampling of a response that our own job wrote: the key that its generator was told."""


def told_in(sampling: Mapping[str, Any]) -> str | None:
    """None where it was told nothing, and of what was imported: whatever stands there means something else."""
    return sampling.get(TOLD) if "job" in sampling else None


def text_of(cohort: Cohort) -> str:
    """What a model is told of it, as a system message."""
    return f"Answer as the group “{cohort.name}” prefers."


def written_down(cohorts: Iterable[Cohort]) -> tuple[Condition, ...]:
    """The cohorts as conditions, no two of one key."""
    found: dict[str, Condition] = {}
    for cohort in cohorts:
        key = condition_of(cohort)
        if key in found:
            key = f"cohort-{cohort.pk}"
        found[key] = Condition(key, text_of(cohort), cohort.name, cohort.pk)
    return tuple(found.values())


@dataclass(frozen=True)
class Conditions:
    """Who was in which cohort and when, of a whole project or of those cohorts of it that are told apart."""

    stays: Mapping[int, list[tuple[datetime, datetime | None, str]]]
    """By labeler: since, until, key."""

    @classmethod
    def of(cls, project: Project, among: Sequence[int] = (), keys: Sequence[str] = ()) -> "Conditions":
        """among: the cohorts that are told apart, by primary key; none: all. keys: what each of them is called; none:
        as its name has it now. One query."""
        called = dict(zip(among, keys, strict=True)) if keys else {}
        stays: dict[int, list[tuple[datetime, datetime | None, str]]] = {}
        found = CohortMember.objects.filter(cohort__project=project)
        if among:
            found = found.filter(cohort__in=among)
        for member in found.select_related("cohort"):
            stay = (member.since, member.until, called.get(member.cohort_id) or condition_of(member.cohort))
            stays.setdefault(member.labeler_id, []).append(stay)
        return cls(stays)

    def at(self, labeler_id: int | None, moment: datetime) -> str | None:
        """The key of the one cohort that the labeler was in at that moment."""
        keys = self.all_at(labeler_id, moment)
        return next(iter(keys)) if len(keys) == 1 else None

    def all_at(self, labeler_id: int | None, moment: datetime) -> set[str]:
        """The keys of all cohorts that the labeler was in at that moment."""
        if labeler_id is None:
            return set()
        return {
            key
            for since, until, key in self.stays.get(labeler_id, ())
            if since <= moment and (until is None or moment < until)
        }


def only_in(cohort: int, *, among: Collection[int], labeler: str, at: str) -> Q:
    """Whether a row's labeler was in the cohort and in no other of `among`. labeler, at: the row's fields."""

    def was_in(cohorts: Collection[int]) -> Q:
        stays = CohortMember.objects.filter(cohort__in=cohorts, labeler=OuterRef(labeler), since__lte=OuterRef(at))
        return Q(Exists(stays.filter(Q(until__isnull=True) | Q(until__gt=OuterRef(at)))))

    others = set(among) - {cohort}
    return was_in([cohort]) & ~was_in(others) if others else was_in([cohort])
