"""Do labelers agree: a scope's judgments, whole and in parts, each labeler with the others, each two labelers.

Only the judgments within a task's planned overlap. Who is in a cohort is who was in it when they judged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from labeling.agreement import (
    Figure,
    Judged,
    agreement_of_each,
    agreement_of_pairs,
    gwet_ac1,
    krippendorff_alpha,
    pairwise_agreement,
    undefined,
)
from labeling.agreement.figures import Bools, Floats, Ints
from labeling.agreement.pairwise import agreement_between
from labeling.agreement.rank_correlation import mean_tau_b_of
from labeling.backgrounds import FEWEST_SHOWN
from labeling.models import Cohort, Prompt
from labeling.reports.judgments import (
    Judgments,
    Person,
    campaign_names,
    cohorts_of,
    guideline_names,
    judgments_in,
    members_of,
    questions_of,
)
from labeling.reports.scope import Scope

FEWEST_SHARED = 30
"""Shared comparisons from which on a labeler is said to stand apart."""
MOST_PARTS = 24
WEEKS = 16
"""The longest time, in weeks, that is shown week by week; a longer one month by month."""
NOBODY = "Nothing was ranked by two labelers. Set the overlap of a campaign to two or more."


@dataclass(frozen=True)
class Part:
    """Judgments that have something in common. labelers, rankings: how many; figure: pairwise agreement."""

    name: str
    labelers: int
    rankings: int
    figure: Figure


@dataclass(frozen=True)
class LabelerLine:
    """One labeler with the others. active_ms: median, None where unknown. first_shown: share of rankings in which the
    response shown first was ranked first. apart: agrees less than chance among so many labelers explains."""

    person: Person
    rankings: int
    agreement: Figure
    active_ms: float | None
    first_shown: float | None
    apart: bool


@dataclass(frozen=True)
class Answered:
    """What labelers agree on besides order: a scale (alpha, ordinal) or a flag (AC1, and alpha beside it). share: of
    answers that are yes."""

    name: str
    label: str
    figure: Figure
    alpha: Figure | None = None
    share: float | None = None


@dataclass(frozen=True)
class AgreementReport:
    """Every figure is reckoned when it is asked for, once."""

    scope: Scope
    all: Judgments
    """Also what was asked for because others disagreed."""

    @cached_property
    def said(self) -> Judgments:
        return self.all.only(self.all.of.independent)

    @cached_property
    def judged(self) -> Judged:
        return self.said.comparisons

    @property
    def rankings(self) -> int:
        return len(self.said.ranked.rows)

    @property
    def rankers(self) -> int:
        """How many ranked anything, whether or not they may be listed."""
        return len(np.unique(self.said.of.labelers.codes[self.said.ranked.rows]))

    @cached_property
    def shared_prompts(self) -> int:
        """Prompts that two labelers or more ranked."""
        rows = self.said.ranked.rows
        tasks, counts = np.unique(self.said.of.tasks.codes[rows], return_counts=True)
        twice = np.isin(self.said.of.tasks.codes[rows], tasks[counts >= 2])
        return len(np.unique(self.said.of.prompts.codes[rows][twice]))

    @property
    def left_out(self) -> int:
        """Judged beyond the planned overlap."""
        return len(self.all.of) - len(self.said.of)

    # the whole

    @cached_property
    def pairwise(self) -> Figure:
        """Over prompts; a tie is an answer."""
        return pairwise_agreement(self.judged, by="prompts") if len(self.judged) else undefined(NOBODY)

    @cached_property
    def pairwise_of_anybody(self) -> Figure:
        """Over prompts and labelers: what other labelers like these would come to."""
        return self._whole(lambda judged: pairwise_agreement(judged, by="prompts and labelers"))

    @cached_property
    def ties_left_out(self) -> Figure:
        return self._whole(lambda judged: pairwise_agreement(judged, ties="left out", by="prompts"))

    @cached_property
    def ties_half(self) -> Figure:
        return self._whole(lambda judged: pairwise_agreement(judged, ties="half", by="prompts"))

    @cached_property
    def tau_b(self) -> Figure:
        return self._whole(lambda judged: mean_tau_b_of(judged, bootstrap=True))

    @cached_property
    def alpha(self) -> Figure:
        return self._whole(lambda judged: krippendorff_alpha(judged, metric="nominal", by="prompts"))

    def _whole(self, figure: Callable[[Judged], Figure]) -> Figure:
        return figure(self.judged) if len(self.judged) else undefined(NOBODY)

    # scales and flags

    @cached_property
    def questions(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        return questions_of(self.said)

    @cached_property
    def scales(self) -> list[Answered]:
        found = ((name, label, self.said.rated(name)) for name, label in self.questions[0])
        return [
            Answered(name, label, krippendorff_alpha(judged, metric="ordinal", by="prompts"))
            for name, label, judged in found
            if len(judged)
        ]

    @cached_property
    def flags(self) -> list[Answered]:
        found = ((name, label, self.said.flagged(name)) for name, label in self.questions[1])
        return [
            Answered(
                name, label, gwet_ac1(judged, by="prompts"), krippendorff_alpha(judged, metric="nominal"),
                float(judged.values.mean()),
            )
            for name, label, judged in found
            if len(judged)
        ]  # fmt: skip

    # labelers

    @cached_property
    def labelers(self) -> list[LabelerLine]:
        """Who agrees least last; who shares nothing at the end."""
        judged, said = self.judged, self.said
        if not len(said.of) or not self.names_people:
            return []
        agreements = agreement_of_each(judged, intervals=True)
        strict = agreement_of_each(judged, intervals=True, level=1 - 0.05 / max(1, len(said.who)))
        of_ranked = said.of.labelers.codes[said.ranked.rows]
        rankings = np.bincount(of_ranked, minlength=len(said.who))
        first = self.first_shown
        lines = [
            LabelerLine(
                person, int(rankings[code]), agreements[person.pseudonym], self._median_ms(code), first.get(code),
                self._is_apart(strict[person.pseudonym]),
            )
            for code, person in enumerate(said.who)
            if rankings[code]
        ]  # fmt: skip
        return sorted(lines, key=lambda line: 1.0 if line.agreement.value is None else -line.agreement.value)

    def _is_apart(self, figure: Figure) -> bool:
        overall = self.pairwise.value
        return (
            overall is not None
            and figure.interval is not None
            and figure.count >= FEWEST_SHARED
            and figure.interval.high < overall
        )

    def _median_ms(self, code: int) -> float | None:
        times = self.said.of.active_ms[self.said.of.labelers.codes == code]
        known = times[np.isfinite(times)]
        return float(np.median(known)) if len(known) else None

    @cached_property
    def shown_ranks(self) -> dict[int, tuple[Ints, Ints]]:
        """By number of responses: the rows of the submissions that ranked all of them, (R,), and their ranks in the
        order shown, (R, K)."""
        ranked, places = self.all.ranked, self.all.places
        sizes = (ranked.responses > 0).sum(axis=1)
        complete = (np.isfinite(ranked.ranks) & np.isfinite(places)).sum(axis=1) == sizes
        found = {}
        for size in np.unique(sizes):
            rows = np.flatnonzero((sizes == size) & complete)
            if len(rows):
                shown = np.argsort(places[rows, :size], axis=1)
                ranks = np.take_along_axis(ranked.ranks[rows, :size], shown, axis=1).astype(np.int64)
                found[int(size)] = (ranked.rows[rows], ranks)
        return found

    @cached_property
    def first_shown(self) -> dict[int, float]:
        """By labeler's code: how often the response at the first place was ranked first, ties shared out, as a multiple
        of what chance gives (1.0: no habit)."""
        totals = np.zeros((2, len(self.all.who)))
        for size, (rows, ranks) in self.shown_ranks.items():
            best = ranks == ranks.min(axis=1, keepdims=True)
            who = self.all.of.labelers.codes[rows]
            totals[0] += np.bincount(who, weights=best[:, 0] / best.sum(axis=1), minlength=len(self.all.who))
            totals[1] += np.bincount(who, weights=np.full(len(who), 1 / size), minlength=len(self.all.who))
        return {int(code): float(totals[0, code] / totals[1, code]) for code in np.flatnonzero(totals[1])}

    @cached_property
    def pairs(self) -> list[tuple[str, str, Figure]]:
        """Each two labelers who share comparisons, those who agree least first."""
        if not self.names_people:
            return []
        found = agreement_of_pairs(self.judged, intervals=True)
        lines = [(str(one), str(other), figure) for (one, other), figure in found.items()]
        return sorted(lines, key=lambda line: (line[2].value is None, line[2].value or 0.0))

    # parts

    @cached_property
    def parts(self) -> list[tuple[str, list[Part]]]:
        """What the judgments can be taken apart by, where it gives two parts or more."""
        by = [
            ("Campaign", self._by_codes(self.said.of.campaigns.codes, campaign_names(self.said))),
            ("Cohort", self.by_cohort),
            ("Use case", self._by_codes(self.said.of.use_cases.codes, self._use_cases())),
            ("Guideline", self._by_codes(self.said.of.guidelines.codes, guideline_names(self.said))),
            ("Time", self.over_time),
        ]
        return [(name, parts) for name, parts in by if len(parts) > 1]

    def _use_cases(self) -> list[str]:
        return [
            str(Prompt.UseCase(value).label) if value in Prompt.UseCase.values else "?"
            for value in self.said.of.use_cases.values
        ]

    def _by_codes(self, codes: Ints, names: list[str]) -> list[Part]:
        """codes: (S,). The parts with the most rankings, those first."""
        ranked = codes[self.said.ranked.rows]
        counts = np.bincount(ranked, minlength=len(names)) if len(ranked) else np.zeros(len(names), dtype=np.int64)
        largest = [int(code) for code in np.argsort(-counts, kind="stable") if counts[code]][:MOST_PARTS]
        return [self._part(names[code], codes == code) for code in largest]

    def _part(self, name: str, rows: Bools) -> Part:
        """rows: (S,) of `said.of`."""
        of_ranked = rows[self.said.ranked.rows]
        people = np.unique(self.said.of.labelers.codes[self.said.ranked.rows[of_ranked]])
        judged = self.judged.only(rows[self.said.compared_rows])
        figure = pairwise_agreement(judged, by="prompts") if len(judged) else undefined(NOBODY)
        return Part(name, len(people), int(of_ranked.sum()), figure)

    @cached_property
    def cohorts(self) -> list[tuple[Cohort, Bools]]:
        """Every cohort with anybody in it, and who of the submissions (S,) was."""
        found = ((cohort, members_of(cohort.pk, self.said)) for cohort in cohorts_of(self.scope))
        return [(cohort, rows) for cohort, rows in found if rows.any() and self._is_shown(cohort, rows)]

    def _is_shown(self, cohort: Cohort, rows: Bools) -> bool:
        """A cohort filled by background answers is spoken of from five people on."""
        return not cohort.rule or len(np.unique(self.said.of.labelers.codes[rows])) >= FEWEST_SHOWN

    @cached_property
    def names_people(self) -> bool:
        """Whether labelers may be listed one by one: not where the scope is a cohort made of background answers."""
        return self.scope.cohort is None or Cohort.objects.filter(pk=self.scope.cohort, rule={}).exists()

    @cached_property
    def by_cohort(self) -> list[Part]:
        """Within each cohort, then between each two; who was in two at once is in no cohort between cohorts."""
        within = [self._part(cohort.name, rows) for cohort, rows in self.cohorts]
        return [*within, *self._between()] if len(self.cohorts) > 1 else within

    def _between(self) -> Iterator[Part]:
        inside = np.array([rows for _, rows in self.cohorts])
        code = np.where(inside.sum(axis=0) == 1, inside.argmax(axis=0), -1)
        found = agreement_between(self.judged, code[self.said.compared_rows])
        for (one, other), figure in sorted(found.items()):
            if one != other:
                rows = (code == one) | (code == other)
                of_ranked = rows[self.said.ranked.rows]
                people = np.unique(self.said.of.labelers.codes[self.said.ranked.rows[of_ranked]])
                names = f"{self.cohorts[one][0].name} with {self.cohorts[other][0].name}"
                yield Part(names, len(people), int(of_ranked.sum()), figure)

    @cached_property
    def over_time(self) -> list[Part]:
        """By the week or month in which a task's last judgment came, the latest last."""
        submitted = self.said.of.submitted
        if not len(submitted):
            return []
        done = np.full(len(self.said.of.tasks.values), -np.inf)
        np.maximum.at(done, self.said.of.tasks.codes, submitted)
        periods, names = periods_of(done[self.said.of.tasks.codes])
        return [
            part
            for code, name in enumerate(names)
            if (part := self._part(name, periods == code)).rankings
        ][-MOST_PARTS:]  # fmt: skip


def periods_of(seconds: Floats) -> tuple[Ints, list[str]]:
    """Seconds since 1970 -> the number of the week or month of each, and what each is called."""
    days = (seconds // 86_400).astype(np.int64)
    found, place = np.unique(days, return_inverse=True)
    dates = [date(1970, 1, 1) + timedelta(days=int(day)) for day in found]
    by_week = (dates[-1] - dates[0]).days <= 7 * WEEKS
    starts = [day - timedelta(days=day.weekday()) if by_week else day.replace(day=1) for day in dates]
    order = {start: number for number, start in enumerate(sorted(set(starts)))}
    names = [f"week of {start:%-d %b %Y}" if by_week else f"{start:%B %Y}" for start in order]
    return np.array([order[start] for start in starts], dtype=np.int64)[place], names


def agreement_report(scope: Scope) -> AgreementReport:
    return AgreementReport(scope, judgments_in(scope))
