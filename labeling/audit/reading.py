"""The entries of one project as its owners read them: narrowed, with the names of people, and out as files.

Names are looked up when somebody reads: entries hold ids. Left out: entries of no project, which the command verifies
with all others and which no page shows.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from labeling.browsing.filters import Filters, Typed, choice
from labeling.cells import neutral
from labeling.models import AuditEntry, AuditKind, Project, User

AT_ONCE = 2000
NOBODY = "nobody"
WITHOUT_PERSON = "a command or a worker"
HEAD = ("number", "at", "kind", "project", "user", "user_name", "facts", "previous", "digest")
PEOPLE_IN_FACTS = ("member",)
"""Facts that hold the id of an account."""


def _day(label: str) -> forms.DateField:
    return forms.DateField(
        label=label, required=False, input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": "Expected a day like 2026-03-01."},
    )  # fmt: skip


class AuditFilters(Filters):
    kind = choice("Kind", AuditKind.choices)
    person = choice("By")
    since = _day("From")
    until = _day("To")

    def __init__(self, typed: Typed, *, project: Project) -> None:
        super().__init__(typed, person=[(NOBODY, WITHOUT_PERSON), *people_in(project)])

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        for name in ("since", "until"):
            day = said.get(name)
            if day and not 2000 <= day.year <= 2999:
                self.add_error(name, f"{day} is no day of this log; expected one from 2000 to 2999.")
        first, last = said.get("since"), said.get("until")
        if first and last and last < first:
            self.add_error("until", f"The period ends on {last}, before it begins on {first}; swap the days.")
        return said


def people_in(project: Project) -> list[tuple[int, str]]:
    """Ids and user names of the accounts that did anything here, those that have left included."""
    acted = AuditEntry.objects.filter(project=project.pk).order_by().values("user").distinct()
    return list(User.objects.filter(pk__in=acted).order_by("username").values_list("pk", "username"))


def entries_of(project: Project, filters: AuditFilters) -> QuerySet[AuditEntry]:
    """Nothing where the filters cannot be used. Both days are whole days of the site's time zone."""
    if not filters.is_valid():
        return AuditEntry.objects.none()
    said: dict[str, Any] = dict(filters.said)
    found = AuditEntry.objects.filter(project=project.pk)
    if "kind" in said:
        found = found.filter(kind=said["kind"])
    if "person" in said:
        found = found.filter(user=None if said["person"] == NOBODY else int(said["person"]))
    if "since" in said:
        found = found.filter(at__gte=_begin_of(said["since"]))
    if "until" in said:
        found = found.filter(at__lt=_begin_of(said["until"] + timedelta(days=1)))
    return found


def _begin_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@dataclass(frozen=True)
class Line:
    """who: a name, or what stands for one. facts: names and values, people among them by name."""

    entry: AuditEntry
    who: str
    facts: list[tuple[str, str]]


def lines_of(entries: Iterable[AuditEntry]) -> list[Line]:
    """One query for all names."""
    entries = list(entries)
    names = _names_of(entries)
    return [Line(one, _who(one.user, names), list(_said(one, names))) for one in entries]


def _names_of(entries: list[AuditEntry]) -> dict[int, str]:
    ids = {one.user for one in entries if one.user is not None}
    ids |= {one.facts[name] for one in entries for name in PEOPLE_IN_FACTS if isinstance(one.facts.get(name), int)}
    return dict(User.objects.filter(pk__in=ids).values_list("pk", "username"))


def _who(user: int | None, names: dict[int, str]) -> str:
    if user is None:
        return WITHOUT_PERSON
    return names.get(user, f"account {user}, which is gone")


def _said(entry: AuditEntry, names: dict[int, str]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(entry.facts.items()):  # PostgreSQL keeps no order of its own
        if name in PEOPLE_IN_FACTS and isinstance(value, int):
            text = _who(value, names)
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield name.replace("_", " "), text


class _Row:
    """A file to csv.writer that gives each row back."""

    def write(self, text: str) -> str:
        return text


def as_csv(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """A row an entry, the oldest first. Cells that a spreadsheet would run begin with an apostrophe."""
    writer = csv.writer(_Row())
    yield writer.writerow(HEAD)
    for portion in _portions(entries):
        names = _names_of(portion)
        yield "".join(writer.writerow([neutral(cell) for cell in _cells(one, names)]) for one in portion)


def _cells(entry: AuditEntry, names: dict[int, str]) -> list[object]:
    said = _fields(entry)
    said["facts"] = json.dumps(entry.facts, sort_keys=True, ensure_ascii=False)
    said["user_name"] = names.get(entry.user, "") if entry.user is not None else ""
    return ["" if said[name] is None else said[name] for name in HEAD]


def as_json(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """A list, the oldest first, of what each digest was computed over, and of the digests."""
    between = "["
    for portion in _portions(entries):
        yield between + ",\n".join(json.dumps(_fields(one), sort_keys=True, ensure_ascii=False) for one in portion)
        between = ",\n"
    yield "[]\n" if between == "[" else "]\n"


def _fields(entry: AuditEntry) -> dict[str, Any]:
    """As labeling/audit/chain.py hashes them."""
    return {
        "number": entry.number,
        "at": entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "kind": entry.kind,
        "project": entry.project,
        "user": entry.user,
        "facts": entry.facts,
        "previous": entry.previous,
        "digest": entry.digest,
    }


def _portions(entries: QuerySet[AuditEntry]) -> Iterator[list[AuditEntry]]:
    """By number, and not by a cursor that would stay open for as long as somebody downloads."""
    after = 0
    while portion := list(entries.filter(number__gt=after).order_by("number")[:AT_ONCE]):
        yield portion
        after = portion[-1].number
