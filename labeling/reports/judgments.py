"""The judgments of a scope as arrays: a few queries, however many rows, and no object a row.

A submission is one row of `Submissions`; what it says of each response is one row of `Judgments`. JSON columns come as
text, since few different ones occur, and each of these is parsed once.
"""

import json
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models import TextField
from django.db.models.functions import Cast, Length

from labeling.agreement import Judged
from labeling.agreement.figures import Bools, Floats, Ints
from labeling.agreement.rankings import compared_rows, comparisons_of
from labeling.checking import scales_of
from labeling.models import (
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
from labeling.reports.scope import Scope

UNKNOWN = -1
RATING_LEVELS = tuple(range(1, 8))


@dataclass(frozen=True)
class Codes:
    """Values as numbers from 0: codes (N,), and what each stands for."""

    codes: Ints
    values: tuple[Any, ...]

    @classmethod
    def of(cls, column: Iterable[Any]) -> "Codes":
        found: dict[Any, int] = {}
        codes = np.fromiter((found.setdefault(value, len(found)) for value in column), dtype=np.int64)
        return cls(codes, tuple(found))

    def only(self, rows: Bools | Ints) -> "Codes":
        return Codes(self.codes[rows], self.values)


@dataclass(frozen=True, kw_only=True)
class Submissions:
    """(S,) each, in the order in which the tasks' submissions were first made. labelers: codes of `who`.

    submitted: seconds since 1970 of the current submission. active_ms: NaN where unknown. place: 0 for the first of
    its task that counts; from `overlap` on it was asked for because others disagreed. orders: ids of responses as
    shown, () where unknown.
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
    orders: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def independent(self) -> Bools:
        """(S,) within the overlap that was planned: a later judgment, asked for because two disagreed, would bias every
        figure of agreement."""
        return np.asarray(self.place < self.overlap, dtype=np.bool_)

    def only(self, rows: Bools) -> "Submissions":
        kept: dict[str, Any] = {
            name: value.only(rows) if isinstance(value, Codes) else value[rows]
            for name, value in vars(self).items()
            if name != "orders"
        }
        orders = tuple(order for order, keep in zip(self.orders, rows, strict=True) if keep)
        return replace(self, **kept, orders=orders)


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

    def rated(self, scale: str) -> Judged:
        """Every response with its ratings 1 to 7."""
        return self._answers(self.ratings, lambda answers: answers.get(scale), RATING_LEVELS)

    def flagged(self, flag: str) -> Judged:
        """Every response with its answers, no or yes."""
        return self._answers(self.flags, lambda answers: answers.get(flag), (False, True))

    @cached_property
    def shown(self) -> Ints:
        """(J,) a number for each response in a task."""
        tasks = self.of.tasks.codes[self.submission]
        wide = int(self.responses.max(initial=0)) + 1
        return np.unique(tasks * wide + self.responses, return_inverse=True)[1].astype(np.int64)

    def _answers(self, answers: Codes, answer: Callable[[dict[str, Any]], Any], levels: tuple[Hashable, ...]) -> Judged:
        """The unit is a response in a task: the same text shown in two tasks is two units of one prompt."""
        code = {level: number for number, level in enumerate(levels)}
        meaning = np.array([code.get(answer(one), UNKNOWN) for one in answers.values] or [UNKNOWN], dtype=np.int64)
        values = meaning[answers.codes] if len(answers.codes) else np.zeros(0, dtype=np.int64)
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

    def places(self, orders: tuple[tuple[int, ...], ...]) -> Floats:
        """(R, K) at which place each response was shown, from 0; NaN where that is unknown. orders: of the
        submissions."""
        found = np.full(self.ranks.shape, np.nan)
        shown = np.array([len(orders[row]) for row in self.rows], dtype=np.int64)
        there = (self.responses > 0).sum(axis=1)
        for size in np.unique(there):
            rows = np.flatnonzero((there == size) & (shown == size))
            if not len(rows):
                continue
            given = np.array([orders[self.rows[row]] for row in rows], dtype=np.int64)
            same = (np.sort(given, axis=1) == self.responses[rows, :size]).all(axis=1)
            found[rows[same], :size] = np.argsort(given[same], axis=1)
        return found


FIELDS = (
    "current_submission_id", "task_id", "task__prompt_id", "campaign_id", "current_submission__guideline_id",
    "task__prompt__use_case", "labeler_id", "current_submission__submitted_at", "current_submission__active_ms",
    "current_submission__number", "task__overlap", "task__room", "order_text", "pk",
)  # fmt: skip


def judgments_in(scope: Scope) -> Judgments:
    """Five queries."""
    rows = list(scope.assignments().annotate(order_text=Cast("order", TextField())).order_by().values_list(*FIELDS))
    said = _judgments(scope, _submissions(rows))
    return said.only(members_of(scope.cohort, said)) if scope.cohort else said


def _submissions(rows: list[tuple[Any, ...]]) -> Submissions:
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(FIELDS)
    seconds = np.array([moment.timestamp() for moment in columns[7]], dtype=np.float64)
    first = _first_times(columns, seconds)
    tasks = Codes.of(columns[1])
    unsorted = Submissions(
        ids=np.array(columns[0], dtype=np.int64),
        tasks=tasks,
        prompts=Codes.of(columns[2]),
        campaigns=Codes.of(columns[3]),
        guidelines=Codes.of(columns[4]),
        use_cases=Codes.of(columns[5]),
        labelers=Codes.of(columns[6]),
        submitted=seconds,
        active_ms=np.array([np.nan if ms is None else ms for ms in columns[8]], dtype=np.float64),
        place=_places(tasks.codes, first, np.array(columns[13], dtype=np.int64)),
        overlap=np.array(columns[10], dtype=np.int64) - np.array(columns[11], dtype=np.int64),
        orders=tuple(tuple(json.loads(text)) if text else () for text in columns[12]),
    )
    return unsorted


def _first_times(columns: list[Any], seconds: Floats) -> Floats:
    """When each task was first submitted by its labeler: a correction keeps its place (at most one query)."""
    corrected = {pk: row for row, (pk, number) in enumerate(zip(columns[13], columns[9], strict=True)) if number > 1}
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


def _judgments(scope: Scope, of: Submissions) -> Judgments:
    people = Labeler.objects.filter(pk__in=of.labelers.values).values_list("pk", "pseudonym", "source")
    known = {pk: Person(pk=pk, pseudonym=pseudonym, source=source) for pk, pseudonym, source in people}
    current = scope.assignments().order_by().values("current_submission_id")
    found = Judgment.objects.filter(submission__in=current).annotate(
        ratings_text=Cast("ratings", TextField()), flags_text=Cast("flags", TextField())
    )
    rows = list(found.order_by().values_list("submission_id", "response_id", "rank", "ratings_text", "flags_text"))
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * 5
    order = np.argsort(of.ids)
    ids = np.array(columns[0], dtype=np.int64)
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
        responses=np.array(columns[1], dtype=np.int64)[there][sort],
        rank=np.array([np.nan if rank is None else rank for rank in columns[2]], dtype=np.float64)[there][sort],
        ratings=_parsed(columns[3]).only(there).only(sort),
        flags=_parsed(columns[4]).only(there).only(sort),
    )


def _parsed(texts: Iterable[str]) -> Codes:
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


def lengths_in(scope: Scope) -> dict[int, int]:
    """Characters of every response that the scope's campaigns show (one query)."""
    shown = TaskResponse.objects.filter(task__campaign__project=scope.project, task__campaign__kind=WorkKind.RANKING)
    if scope.campaign:
        shown = shown.filter(task__campaign=scope.campaign)
    return dict(shown.order_by().values_list("response_id", Length("response__text")))


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
