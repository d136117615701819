"""The judgments of a scope as arrays: a few queries, however many rows, and no object a row.

A submission is one row of `Submissions`; what it says of each response is one row of `Judgments`. Of JSON columns few
different ones occur, and each of these is parsed once.
"""

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.db.models.functions import Length

from labeling.agreement import Judged
from labeling.agreement.figures import Bools, Floats, Ints
from labeling.agreement.rankings import compared_rows, comparisons_of, pairs_a_task
from labeling.checking import scales_of
from labeling.models import (
    Assignment,
    Campaign,
    Cohort,
    CohortMember,
    Guideline,
    Judgment,
    Labeler,
    Submission,
    TaskResponse,
    WorkKind,
)
from labeling.reports.columns import Codes, Joined, JoinedSeconds, lists_of_ids, numbers, parts_of, whole_numbers
from labeling.reports.scope import Scope

UNKNOWN = -1
RATING_LEVELS = tuple(range(1, 8))
FLAG_LEVELS = (False, True)
OVERALL = "overall"
"""The scale that every guideline has."""
NEAR = 1
"""Ratings of one response that lie so far apart still agree."""


@dataclass(frozen=True, kw_only=True)
class Submissions:
    """(S,) each, in the order in which the tasks' submissions were first made. labelers: codes of `who`.

    submitted: seconds since 1970 of the current submission. active_ms: NaN where unknown. place: 0 for the first of
    its task, whether or not that is in the scope; from `overlap` on it was asked for because others disagreed. orders:
    (S, K) ids of the responses as shown, 0 where there are fewer or the order is unknown.
    """

    ids: Ints
    tasks: Codes
    prompts: Codes
    campaigns: Codes
    guidelines: Codes
    use_cases: Codes
    labelers: Codes
    submitted: Floats
    active_ms: Floats
    place: Ints
    overlap: Ints
    orders: Ints

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def independent(self) -> Bools:
        """(S,) within the overlap that was planned: a later judgment, asked for because two disagreed, would bias every
        figure of agreement."""
        return np.asarray(self.place < self.overlap, dtype=np.bool_)

    def only(self, rows: Bools) -> "Submissions":
        kept: dict[str, Any] = {
            name: value.only(rows) if isinstance(value, Codes) else value[rows] for name, value in vars(self).items()
        }
        return replace(self, **kept)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A labeler as reports speak of them."""

    pk: int
    pseudonym: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Judgments:
    """What was said of each response: (J,) each, sorted by submission. submission: its row in `of`. rank: NaN where not
    ranked. ratings, flags: codes of the parsed answers."""

    of: Submissions
    who: tuple[Person, ...]
    submission: Ints
    responses: Ints
    rank: Floats
    ratings: Codes
    flags: Codes

    def __len__(self) -> int:
        return len(self.submission)

    def only(self, rows: Bools) -> "Judgments":
        """Those of the submissions where rows (S,) is true."""
        kept = rows[self.submission]
        renumbered = np.cumsum(rows) - 1
        return replace(
            self,
            of=self.of.only(rows),
            submission=renumbered[self.submission[kept]],
            responses=self.responses[kept],
            rank=self.rank[kept],
            ratings=self.ratings.only(kept),
            flags=self.flags.only(kept),
        )

    @property
    def names(self) -> tuple[Hashable, ...]:
        return tuple(person.pseudonym for person in self.who)

    # what labelers can agree on

    @cached_property
    def ranked(self) -> "Ranked":
        return Ranked.of(self)

    @cached_property
    def places(self) -> Floats:
        """(R, K) of `ranked`: at which place each response was shown, from 0."""
        return self.ranked.places(self.of.orders)

    @cached_property
    def compared_rows(self) -> Ints:
        """The row of `of` that each judgment of `comparisons` is from."""
        return self.ranked.rows[compared_rows(self.ranked.ranks)]

    @cached_property
    def comparisons(self) -> Judged:
        """Every pair of responses of a task that a labeler ranked."""
        ranked = self.ranked
        rows = ranked.rows
        return comparisons_of(
            ranked.ranks,
            tasks=self.of.tasks.codes[rows],
            prompts=self.of.prompts.codes[rows],
            labelers=self.of.labelers.codes[rows],
            names=self.names,
        )

    @property
    def pairs_a_task(self) -> int:
        return pairs_a_task(self.ranked.ranks)

    def rated(self, scale: str) -> Judged:
        """Every response with its ratings 1 to 7."""
        return self._answers(self.ratings, lambda answers: answers.get(scale), RATING_LEVELS)

    def rated_rows(self, scale: str) -> Ints:
        """The row of `of` that each judgment of `rated` is from."""
        return self.submission[_meaning(self.ratings, lambda answers: answers.get(scale), RATING_LEVELS) != UNKNOWN]

    def flagged(self, flag: str) -> Judged:
        """Every response with its answers, no or yes."""
        return self._answers(self.flags, lambda answers: answers.get(flag), FLAG_LEVELS)

    def flagged_rows(self, flag: str) -> Ints:
        """The row of `of` that each judgment of `flagged` is from."""
        return self.submission[_meaning(self.flags, lambda answers: answers.get(flag), FLAG_LEVELS) != UNKNOWN]

    @cached_property
    def shown(self) -> Ints:
        """(J,) a number for each response in a task."""
        tasks = self.of.tasks.codes[self.submission]
        wide = int(self.responses.max(initial=0)) + 1
        return np.unique(tasks * wide + self.responses, return_inverse=True)[1].astype(np.int64)

    def _answers(self, answers: Codes, answer: Callable[[dict[str, Any]], Any], levels: tuple[Hashable, ...]) -> Judged:
        """The unit is a response in a task: the same text shown in two tasks is two units of one prompt."""
        values = _meaning(answers, answer, levels)
        said = values != UNKNOWN
        rows = self.submission[said]
        return Judged(
            units=self.shown[said],
            prompts=self.of.prompts.codes[rows],
            labelers=self.of.labelers.codes[rows],
            values=values[said],
            levels=levels,
            names=self.names,
        )


def _meaning(answers: Codes, answer: Callable[[dict[str, Any]], Any], levels: tuple[Hashable, ...]) -> Ints:
    """(J,) the level that each said, UNKNOWN where none."""
    code = {level: number for number, level in enumerate(levels)}
    meaning = np.array([code.get(answer(one), UNKNOWN) for one in answers.values] or [UNKNOWN], dtype=np.int64)
    return meaning[answers.codes] if len(answers.codes) else np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Submissions that ranked two responses or more. rows: (R,) theirs; ranks: (R, K), NaN where not ranked, by the
    responses' ids; responses: (R, K) ids, 0 where there are fewer."""

    rows: Ints
    ranks: Floats
    responses: Ints

    @classmethod
    def of(cls, said: Judgments) -> "Ranked":
        if not len(said):
            return cls(rows=said.submission, ranks=np.zeros((0, 0)), responses=np.zeros((0, 0), dtype=np.int64))
        order = np.lexsort((said.responses, said.submission))
        submission = said.submission[order]
        starts = np.flatnonzero(np.diff(submission, prepend=-1))
        sizes = np.diff(np.r_[starts, len(order)])
        place = np.arange(len(order)) - np.repeat(starts, sizes)
        row = np.repeat(np.arange(len(starts)), sizes)
        ranks = np.full((len(starts), int(sizes.max())), np.nan)
        responses = np.zeros(ranks.shape, dtype=np.int64)
        ranks[row, place], responses[row, place] = said.rank[order], said.responses[order]
        some = np.isfinite(ranks).sum(axis=1) >= 2
        return cls(rows=submission[starts][some], ranks=ranks[some], responses=responses[some])

    def places(self, orders: Ints) -> Floats:
        """(R, K) at which place each response was shown, from 0; NaN where that is unknown. orders: (S, K) ids."""
        found = np.full(self.ranks.shape, np.nan)
        given = orders[self.rows]
        shown, there = (given > 0).sum(axis=1), (self.responses > 0).sum(axis=1)
        for size in np.unique(there):
            rows = np.flatnonzero((there == size) & (shown == size))
            if len(rows):
                ids = given[rows, :size]
                same = (np.sort(ids, axis=1) == self.responses[rows, :size]).all(axis=1)
                found[rows[same], :size] = np.argsort(ids[same], axis=1)
        return found


def judgments_in(scope: Scope) -> Judgments:
    """A few queries."""
    assignments = scope.assignments()
    said = _judgments(assignments, _submissions(assignments, scope.placed()))
    return said.only(members_of(scope.cohort, said)) if scope.cohort else said


def _submissions(assignments: QuerySet[Assignment], placed: QuerySet[Assignment]) -> Submissions:
    ids = {
        "ids": "current_submission", "tasks": "task", "prompts": "task__prompt", "campaigns": "campaign",
        "guidelines": "current_submission__guideline", "labelers": "labeler", "assignments": "pk",
        "overlap": "task__overlap", "room": "task__room",
    }  # fmt: skip
    columns = {name: Joined(field) for name, field in ids.items()} | {
        "use_cases": Joined("task__prompt__use_case"), "active_ms": Joined("current_submission__active_ms"),
        "orders": Joined("order"), "submitted": JoinedSeconds("current_submission__submitted_at"),
    }  # fmt: skip
    parts = list(parts_of(assignments, by="current_submission_id", columns=columns))

    def texts(name: str) -> list[str]:
        return [part[name] for part in parts]

    found = {name: whole_numbers(texts(name)) for name in ids}
    return Submissions(
        ids=found["ids"],
        tasks=Codes.of_ids(found["tasks"]),
        prompts=Codes.of_ids(found["prompts"]),
        campaigns=Codes.of_ids(found["campaigns"]),
        guidelines=Codes.of_ids(found["guidelines"]),
        use_cases=Codes.of(texts("use_cases")),
        labelers=Codes.of_ids(found["labelers"]),
        submitted=numbers(texts("submitted")),
        active_ms=numbers(texts("active_ms")),
        place=_places_among(placed, found["assignments"]),
        overlap=found["overlap"] - found["room"],
        orders=lists_of_ids(texts("orders")),
    )


def _places_among(placed: QuerySet[Assignment], wanted: Ints) -> Ints:
    """(S,) the place of each of the assignments `wanted` in its task (two queries)."""
    ids = {"assignments": "pk", "tasks": "task", "number": "current_submission__number"}
    columns = {name: Joined(field) for name, field in ids.items()} | {
        "submitted": JoinedSeconds("current_submission__submitted_at")
    }
    parts = list(parts_of(placed, by="current_submission_id", columns=columns))
    found = {name: whole_numbers(part[name] for part in parts) for name in ids}
    first = _first_times(found["assignments"], found["number"], numbers(part["submitted"] for part in parts))
    if not len(first):
        return np.zeros(len(wanted), dtype=np.int64)
    order = np.argsort(found["assignments"])
    row = order[np.minimum(np.searchsorted(found["assignments"][order], wanted), len(order) - 1)]
    # What was withdrawn between the two queries is in the first one alone.
    return np.where(found["assignments"][row] == wanted, _places(found["tasks"], first, found["assignments"])[row], 0)


def _first_times(assignments: Ints, numbers_: Ints, seconds: Floats) -> Floats:
    """When each task was first submitted by its labeler: a correction keeps its place (at most one query)."""
    corrected = {int(assignments[row]): row for row in np.flatnonzero(numbers_ > 1)}
    if not corrected:
        return seconds
    found = seconds.copy()
    times = Submission.objects.filter(assignment__in=corrected, number=1).values_list("assignment_id", "submitted_at")
    for assignment, moment in times:
        found[corrected[assignment]] = moment.timestamp()
    return found


def _places(tasks: Ints, first: Floats, ids: Ints) -> Ints:
    """(S,) how many of the same task came before."""
    order = np.lexsort((ids, first, tasks))
    sorted_tasks = tasks[order]
    starts = np.flatnonzero(np.diff(sorted_tasks, prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    found = np.zeros(len(order), dtype=np.int64)
    found[order] = place
    return found


def _judgments(assignments: QuerySet[Assignment], of: Submissions) -> Judgments:
    people = Labeler.objects.filter(pk__in=of.labelers.values).values_list("pk", "pseudonym", "source")
    known = {pk: Person(pk=pk, pseudonym=pseudonym, source=source) for pk, pseudonym, source in people}
    found = Judgment.objects.filter(submission__in=assignments.order_by().values("current_submission_id"))
    columns = {
        "submission": Joined("submission"), "response": Joined("response"), "rank": Joined("rank"),
        "ratings": Joined("ratings"), "flags": Joined("flags"),
    }  # fmt: skip
    parts = list(parts_of(found, by="submission_id", columns=columns))
    ids = whole_numbers(part["submission"] for part in parts)
    order = np.argsort(of.ids)
    place = np.searchsorted(of.ids[order], ids)
    # What was submitted between the two queries is in the second one alone.
    there = (
        (place < len(of.ids)) & (of.ids[order[np.minimum(place, len(of.ids) - 1)]] == ids) if len(of.ids) else ids < 0
    )
    submission = order[place[there]] if len(of.ids) else ids[there]
    sort = np.argsort(submission, kind="stable")
    return Judgments(
        of=of,
        who=tuple(known[pk] for pk in of.labelers.values),
        submission=submission[sort],
        responses=whole_numbers(part["response"] for part in parts)[there][sort],
        rank=numbers(part["rank"] for part in parts)[there][sort],
        ratings=_parsed([part["ratings"] for part in parts]).only(there).only(sort),
        flags=_parsed([part["flags"] for part in parts]).only(there).only(sort),
    )


def _parsed(texts: list[str]) -> Codes:
    coded = Codes.of(texts)
    return Codes(coded.codes, tuple(json.loads(text) for text in coded.values))


def members_of(cohort: int, said: Judgments) -> Bools:
    """(S,) whether the labeler was in the cohort when they submitted (one query)."""
    inside = np.zeros(len(said.of), dtype=np.bool_)
    code = {person.pk: number for number, person in enumerate(said.who)}
    members = CohortMember.objects.filter(cohort=cohort).values_list("labeler_id", "since", "until")
    for labeler, since, until in members:
        if labeler in code:
            inside |= (said.of.labelers.codes == code[labeler]) & _between(said.of.submitted, since, until)
    return inside


def _between(seconds: Floats, since: datetime, until: datetime | None) -> Bools:
    found = seconds >= since.timestamp()
    return np.asarray(found & (seconds < until.timestamp()) if until else found, dtype=np.bool_)


def lengths_in(scope: Scope) -> tuple[Ints, Floats]:
    """Every response that the scope's campaigns show, by rising id, and its characters (one query)."""
    shown = TaskResponse.objects.filter(task__campaign__project=scope.project, task__campaign__kind=WorkKind.RANKING)
    if scope.campaign:
        shown = shown.filter(task__campaign=scope.campaign)
    columns = {"response": Joined("response"), "characters": Joined(Length("response__text"))}
    parts = list(parts_of(shown, by="task_id", columns=columns))
    ids, first = np.unique(whole_numbers(part["response"] for part in parts), return_index=True)
    return ids, numbers(part["characters"] for part in parts)[first]


def campaign_names(said: Judgments) -> list[str]:
    """By code (one query)."""
    names = dict(Campaign.objects.filter(pk__in=said.of.campaigns.values).values_list("pk", "name"))
    return [names[pk] for pk in said.of.campaigns.values]


def guideline_names(said: Judgments) -> list[str]:
    """By code (one query)."""
    found = Guideline.objects.filter(pk__in=said.of.guidelines.values).values_list("pk", "kind", "version")
    names = {pk: f"{kind} {version}" for pk, kind, version in found}
    return [names[pk] for pk in said.of.guidelines.values]


def questions_of(said: Judgments) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(name, label) of the scales and of the flags of the guidelines in use, the newest first (one query)."""
    scales: dict[str, str] = {}
    flags: dict[str, str] = {}
    for guideline in Guideline.objects.filter(pk__in=said.of.guidelines.values).order_by("-version"):
        scales |= {scale["name"]: scale["label"] for scale in scales_of(guideline) if scale["name"] not in scales}
        flags |= {flag["name"]: flag["label"] for flag in guideline.flags if flag["name"] not in flags}
    return list(scales.items()), list(flags.items())


def cohorts_of(scope: Scope) -> list[Cohort]:
    return list(Cohort.objects.filter(project=scope.project).order_by("name"))
