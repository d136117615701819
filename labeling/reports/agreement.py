"""Do labelers agree: a scope's judgments, whole and in parts, each labeler with the others, each two labelers.

Only the judgments within a task's planned overlap. Who is in a cohort is who was in it when they judged.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
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
from labeling.backgrounds import FEWEST_SHOWN, too_few
from labeling.models import Cohort, Prompt
from labeling.reports.floor import are_few, cohorts_by_rule, in_steps, kept_by_rule, who_share, who_share_across
from labeling.reports.judgments import (
    NEAR,
    OVERALL,
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
NOT_RANKED = "Nothing was ranked here; what labelers agree on is their ratings."
NOT_RATED = "No response was rated overall here."


@dataclass(frozen=True)
class Part:
    """Judgments that have something in common. labelers, rankings, ratings: how many; figure: pairwise agreement of
    rankings, and tau_b. near: how often two overall ratings of a response lie within one, and alpha (ordinal) of them.
    flags: AC1 by the flag's name, where it was answered."""

    name: str
    labelers: int
    rankings: int
    ratings: int
    figure: Figure
    tau_b: Figure
    near: Figure
    alpha: Figure
    flags: Mapping[str, Figure]
    rests_on: tuple[int, ...] = ()
    """Labelers whom agreement in rankings, and in ratings, rests on: those who judged what others judged too."""
    in_fives: bool = False
    """Whether its people are told of in steps of five, as those of cohorts by a rule are."""

    @property
    def people(self) -> int:
        """Its labelers as they may be told of."""
        return in_steps(self.labelers) if self.in_fives else self.labelers


@dataclass(frozen=True)
class LabelerLine:
    """One labeler with the others. agreement: of rankings; near: how often overall ratings lie within one. active_ms:
    median, None where unknown. first_shown: share of rankings in which the response shown first was ranked first.
    apart: agrees less, in either, than chance among so many labelers explains."""

    person: Person
    rankings: int
    ratings: int
    agreement: Figure
    near: Figure
    active_ms: float | None
    first_shown: float | None
    apart: bool


@dataclass(frozen=True)
class PairLine:
    """Two labelers. agreement: of the comparisons they share; near: how often their overall ratings lie within one;
    None where they share none."""

    one: str
    other: str
    agreement: Figure | None
    near: Figure | None


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
    by_rule: tuple[str, ...] = ()
    """Names of cohorts by a rule where all of it is of their people: they are not listed one by one."""
    withheld: str = ""
    """Why nothing is told, where they are too few."""

    @cached_property
    def said(self) -> Judgments:
        return self.all.only(self.all.of.independent)

    @cached_property
    def judged(self) -> Judged:
        return self.said.comparisons

    @cached_property
    def rated(self) -> Judged:
        """Overall ratings."""
        return self.said.rated(OVERALL)

    @cached_property
    def rated_rows(self) -> Ints:
        return self.said.rated_rows(OVERALL)

    @property
    def rankings(self) -> int:
        return len(self.said.ranked.rows)

    @property
    def raters(self) -> int:
        """How many rated anything, whether or not they may be listed."""
        return len(np.unique(self.rated.labelers))

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

    def speaks_of_few(self) -> bool:
        """Whether those who judged, ranked or rated, or whom agreement rests on, are nobody or fewer than may be told
        of in a cohort by a rule."""
        judged = len(np.unique(self.said.of.labelers.codes))
        shared = who_share(self.judged), who_share(self.rated)
        return judged == 0 or are_few(judged, self.rankers, self.raters, *shared)

    # the whole

    @cached_property
    def pairwise(self) -> Figure:
        """Over prompts; a tie is an answer."""
        return self._whole(lambda judged: pairwise_agreement(judged, by="prompts"))

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
        pairs = self.said.pairs_a_task
        return self._whole(lambda judged: mean_tau_b_of(judged, pairs_a_task=pairs, bootstrap=True))

    @cached_property
    def alpha(self) -> Figure:
        return self._whole(lambda judged: krippendorff_alpha(judged, metric="nominal", by="prompts", mirrored=True))

    def _whole(self, figure: Callable[[Judged], Figure]) -> Figure:
        return figure(self.judged) if len(self.judged) else self._not_ranked

    @cached_property
    def _not_ranked(self) -> Figure:
        return undefined(self.withheld or (NOT_RANKED if len(self.rated) else NOBODY))

    @cached_property
    def near(self) -> Figure:
        """Of overall ratings, over prompts: how often two lie within one."""
        return pairwise_agreement(self.rated, near=NEAR, by="prompts") if len(self.rated) else undefined(NOT_RATED)

    @cached_property
    def rating_alpha(self) -> Figure:
        """Of overall ratings, ordinal, over prompts and labelers."""
        if not len(self.rated):
            return undefined(NOT_RATED)
        return krippendorff_alpha(self.rated, metric="ordinal", by="prompts and labelers")

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
            if len(judged) and self._is_told(judged)
        ]

    @cached_property
    def flags(self) -> list[Answered]:
        found = ((name, label, self.said.flagged(name)) for name, label in self.questions[1])
        return [
            Answered(
                name, label, gwet_ac1(judged, by="prompts"), krippendorff_alpha(judged, metric="nominal", by="prompts"),
                float(judged.values.mean()),
            )
            for name, label, judged in found
            if len(judged) and self._is_told(judged)
        ]  # fmt: skip

    def _is_told(self, judged: Judged) -> bool:
        return not self.by_rule or not are_few(len(np.unique(judged.labelers)))

    # labelers

    @cached_property
    def labelers(self) -> list[LabelerLine]:
        """Who agrees least last; who shares nothing at the end."""
        judged, rated, said = self.judged, self.rated, self.said
        if not len(said.of) or not self.names_people:
            return []
        level = 1 - 0.05 / max(1, len(said.who))
        agreements, nears = self.agreement_of_each, self.near_of_each
        strict = agreement_of_each(judged, intervals=True, level=level)
        strict_near = agreement_of_each(rated, near=NEAR, intervals=True, level=level)
        rankings = np.bincount(said.of.labelers.codes[said.ranked.rows], minlength=len(said.who))
        ratings = np.bincount(rated.labelers, minlength=len(said.who))
        first = self.first_shown
        lines = [
            LabelerLine(
                person, int(rankings[code]), int(ratings[code]), agreements[person.pseudonym], nears[person.pseudonym],
                self._median_ms(code), first.get(code),
                self._is_apart(strict[person.pseudonym], self.pairwise.value)
                or self._is_apart(strict_near[person.pseudonym], self.near.value),
            )
            for code, person in enumerate(said.who)
            if rankings[code] or ratings[code]
        ]  # fmt: skip
        values = {line.person.pk: _first_known(line.agreement, line.near) for line in lines}
        return sorted(lines, key=lambda line: (values[line.person.pk] is None, -(values[line.person.pk] or 0.0)))

    @cached_property
    def agreement_of_each(self) -> dict[Hashable, Figure]:
        return agreement_of_each(self.judged, intervals=True)

    @cached_property
    def near_of_each(self) -> dict[Hashable, Figure]:
        return agreement_of_each(self.rated, near=NEAR, intervals=True)

    def _is_apart(self, figure: Figure, overall: float | None) -> bool:
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
            if len(rows) and not (
                self.by_rule and are_few(len(np.unique(self.all.of.labelers.codes[ranked.rows[rows]])))
            ):
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
    def pairs(self) -> list[PairLine]:
        """Each two labelers who share comparisons or rated responses, those who agree least first."""
        if not self.names_people:
            return []
        ranked = _by_names(agreement_of_pairs(self.judged, intervals=True))
        rated = _by_names(agreement_of_pairs(self.rated, near=NEAR, intervals=True))
        lines = [PairLine(*names, ranked.get(names), rated.get(names)) for names in ranked | rated]
        values = {line: _first_known(line.agreement, line.near) for line in lines}
        return sorted(lines, key=lambda line: (values[line] is None, values[line] or 0.0))

    # parts

    @cached_property
    def parts(self) -> list[tuple[str, list[Part]]]:
        """What the judgments can be taken apart by, where it gives two parts or more."""
        by = [
            ("Campaign", self._by_campaign()),
            ("Cohort", self.by_cohort),
            ("Use case", self._by_codes(self.said.of.use_cases.codes, self._use_cases())),
            ("Guideline", self._by_codes(self.said.of.guidelines.codes, guideline_names(self.said))),
            ("Time", self.over_time),
        ]
        return [(name, parts) for name, parts in by if len(parts) > 1]

    def _by_campaign(self) -> list[Part]:
        """Those kept for a cohort by a rule from five people on."""
        kept, campaigns, names = kept_by_rule(self.scope.project), self.said.of.campaigns, campaign_names(self.said)
        few = {name for name, pk in zip(names, campaigns.values, strict=True) if pk in kept}
        return [
            replace(part, in_fives=part.in_fives or part.name in few)
            for part in self._by_codes(campaigns.codes, names)
            if part.name not in few or not are_few(part.labelers, *part.rests_on)
        ]

    def _told(self, parts: list[Part]) -> list[Part]:
        """All or none: by the others and the whole a small one could be worked out."""
        few = any(are_few(part.labelers, *part.rests_on) for part in parts)
        return [] if self.by_rule and few else parts

    def _use_cases(self) -> list[str]:
        return [
            str(Prompt.UseCase(value).label) if value in Prompt.UseCase.values else "?"
            for value in self.said.of.use_cases.values
        ]

    def by_prompt(self, names: Mapping[int, str]) -> list[Part]:
        """Parts by something of the prompt. names: what each prompt is called, by primary key."""
        of_prompt = [names.get(pk, "?") for pk in self.said.of.prompts.values]
        known = sorted(set(of_prompt))
        code = {name: number for number, name in enumerate(known)}
        codes = np.array([code[name] for name in of_prompt], dtype=np.int64)
        return self._by_codes(codes[self.said.of.prompts.codes], known) if known else []

    def _by_codes(self, codes: Ints, names: list[str]) -> list[Part]:
        """codes: (S,). The parts with the most rankings and ratings, those first."""
        counts = np.bincount(codes[self._telling], minlength=len(names))
        largest = [int(code) for code in np.argsort(-counts, kind="stable") if counts[code]][:MOST_PARTS]
        return self._told([self._part(names[code], codes == code) for code in largest])

    def _part(self, name: str, rows: Bools) -> Part:
        """rows: (S,) of `said.of`."""
        judged, rated = self.judged.only(rows[self.said.compared_rows]), self.rated.only(rows[self.rated_rows])
        ranked, was_rated = len(judged) > 0, len(rated) > 0
        flags = ((flag, of.only(rows[of_rows])) for flag, of, of_rows in self._flagged)
        return Part(
            name,
            *self._counts(rows),
            figure=pairwise_agreement(judged, by="prompts") if ranked else self._not_ranked,
            tau_b=mean_tau_b_of(judged, pairs_a_task=self.said.pairs_a_task) if ranked else self._not_ranked,
            near=pairwise_agreement(rated, near=NEAR, by="prompts") if was_rated else undefined(NOT_RATED),
            alpha=krippendorff_alpha(rated, metric="ordinal", by="prompts") if was_rated else undefined(NOT_RATED),
            flags={flag: gwet_ac1(of) for flag, of in flags if len(of)},
            rests_on=(who_share(judged), who_share(rated)),
            in_fives=bool(self.by_rule),
        )

    def _counts(self, rows: Bools) -> tuple[int, int, int]:
        """Labelers who ranked or rated, rankings, ratings. rows: (S,) of `said.of`."""
        people = np.unique(self.said.of.labelers.codes[rows & self._telling])
        return len(people), int(rows[self.said.ranked.rows].sum()), int(rows[self.rated_rows].sum())

    @cached_property
    def _telling(self) -> Bools:
        """(S,) whether anything was ranked or rated overall."""
        found = np.zeros(len(self.said.of), dtype=np.bool_)
        found[self.said.ranked.rows] = found[self.rated_rows] = True
        return found

    @cached_property
    def _flagged(self) -> list[tuple[str, Judged, Ints]]:
        return [(name, self.said.flagged(name), self.said.flagged_rows(name)) for name, _ in self.questions[1]]

    @cached_property
    def _all_cohorts(self) -> list[tuple[Cohort, Bools]]:
        return [(cohort, members_of(cohort.pk, self.said)) for cohort in cohorts_of(self.scope)]

    @cached_property
    def cohorts(self) -> list[tuple[Cohort, Bools]]:
        """Every cohort with anybody in it, and who of the submissions (S,) was."""
        return [(cohort, rows) for cohort, rows in self._all_cohorts if rows.any() and self._is_shown(cohort, rows)]

    def _is_shown(self, cohort: Cohort, rows: Bools) -> bool:
        """A cohort filled by background answers is spoken of from five people on."""
        if not cohort.by_rule:
            return True
        judged, rated = self.judged.only(rows[self.said.compared_rows]), self.rated.only(rows[self.rated_rows])
        return self._counts(rows)[0] >= FEWEST_SHOWN and not are_few(who_share(judged), who_share(rated))

    @cached_property
    def wanting(self) -> list[str]:
        """Of which cohorts by a rule nothing is told, and what would do."""
        if self.withheld:
            return [self.withheld]
        shown = {cohort.pk for cohort, _ in self.cohorts}
        return [
            too_few(cohort.name, "judged")
            for cohort, _ in self._all_cohorts
            if cohort.by_rule and cohort.pk not in shown
        ]

    @property
    def names_people(self) -> bool:
        """Whether labelers may be listed one by one: not where all are of cohorts made of background answers."""
        return not self.by_rule

    @cached_property
    def by_cohort(self) -> list[Part]:
        """Within each cohort, then between each two; who was in two at once is in no cohort between cohorts."""
        within = [
            replace(self._part(cohort.name, rows), in_fives=cohort.by_rule or bool(self.by_rule))
            for cohort, rows in self.cohorts
        ]
        return self._told([*within, *self._between()] if len(self.cohorts) > 1 else within)

    def _between(self) -> Iterator[Part]:
        inside = np.array([rows for _, rows in self.cohorts])
        code = np.where(inside.sum(axis=0) == 1, inside.argmax(axis=0), -1)
        found = agreement_between(self.judged, code[self.said.compared_rows])
        nears = agreement_between(self.rated, code[self.rated_rows], near=NEAR)
        within = undefined("Reckoned within a cohort, not between two.")
        few = {
            number
            for number, (cohort, _) in enumerate(self.cohorts)
            if cohort.by_rule and self._counts(code == number)[0] < FEWEST_SHOWN
        }
        for one, other in sorted(found | nears):
            ruled = [self.cohorts[number][0].by_rule for number in (one, other)]
            across = [
                who_share_across(judged, code[rows], one, other)
                for judged, rows in ((self.judged, self.said.compared_rows), (self.rated, self.rated_rows))
            ]
            shared = [number for counts in across for number, by_rule in zip(counts, ruled, strict=True) if by_rule]
            if one != other and not few & {one, other} and not are_few(*shared):
                names = f"{self.cohorts[one][0].name} with {self.cohorts[other][0].name}"
                yield Part(
                    names, *self._counts((code == one) | (code == other)),
                    figure=found.get((one, other), self._not_ranked), tau_b=within,
                    near=nears.get((one, other), undefined(NOT_RATED)), alpha=within, flags={}, in_fives=any(ruled),
                )  # fmt: skip

    @cached_property
    def over_time(self) -> list[Part]:
        """By the week or month in which a task's last judgment came, the latest last."""
        submitted = self.said.of.submitted
        if not len(submitted):
            return []
        done = np.full(len(self.said.of.tasks.values), -np.inf)
        np.maximum.at(done, self.said.of.tasks.codes, submitted)
        periods, names = periods_of(done[self.said.of.tasks.codes])
        parts = [
            part
            for code, name in enumerate(names)
            if (part := self._part(name, periods == code)).labelers
        ][-MOST_PARTS:]  # fmt: skip
        return self._told(parts)


def _first_known(agreement: Figure | None, near: Figure | None) -> float | None:
    """Of rankings, and of ratings where nothing of rankings is known."""
    known = [figure.value for figure in (agreement, near) if figure is not None and figure.value is not None]
    return known[0] if known else None


def _by_names(found: dict[tuple[Hashable, Hashable], Figure]) -> dict[tuple[str, str], Figure]:
    return {(str(one), str(other)): figure for (one, other), figure in found.items()}


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
    """Of people of cohorts by a rule alone it is empty, and says why, where they are too few."""
    said = judgments_in(scope)
    found = AgreementReport(scope, said, cohorts_by_rule(scope, said))
    if not found.by_rule or not found.speaks_of_few():
        return found
    nothing = said.only(np.zeros(len(said.of), dtype=np.bool_))
    return AgreementReport(scope, nothing, found.by_rule, too_few(" and ".join(found.by_rule), "judged"))
