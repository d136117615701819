"""The quality of labelers' work, one by one: signals to look at somebody's work by, never verdicts.

Gold, agreement with themselves, drift, time at work, runs of equal answers, ability. The raw figures stand beside what
is made of them.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from labeling.agreement import Figure, undefined
from labeling.agreement.ability import Ability, abilities
from labeling.agreement.figures import Bools
from labeling.agreement.habits import HiddenRepeat, StraightLining, self_agreement, straight_lining
from labeling.agreement.pairwise import agreement_of_each
from labeling.backgrounds import FEWEST_SHOWN
from labeling.evaluating import holm
from labeling.reports.agreement import AgreementReport
from labeling.reports.beside import GoldReport, gold_report, hidden_repeats
from labeling.reports.floor import are_few
from labeling.reports.judgments import Judgments, Person
from labeling.reports.scope import Scope

FAST = 1 / 3
"""Of the median time of who did the like: below it is fast."""
SURE = 0.05
LEVEL = 0.95
TOO_FEW = f"Fewer than {FEWEST_SHOWN} people of the cohort did this, and nothing is told of so few."
FEWEST_TO_DRIFT = 60


@dataclass(frozen=True)
class Drift:
    """Agreement with the others in the first and in the second half of a labeler's work. p_value: of no change, as it
    stands among that of all labelers (Holm). p_reason: why there is none."""

    early: Figure
    late: Figure
    p_value: float | None
    p_reason: str


@dataclass(frozen=True)
class QualityLine:
    person: Person
    submissions: int
    agreement: Figure
    near: Figure
    """How often overall ratings lie within one of the others'."""
    gold: Figure
    with_self: Figure
    drift: Drift
    active_ms: float | None
    lining: StraightLining | None
    ability: Ability | None
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class QualityReport:
    scope: Scope
    agreement: AgreementReport

    @property
    def said(self) -> Judgments:
        return self.agreement.all

    @cached_property
    def labelers(self) -> int:
        """How many judged anything, whether or not they may be listed."""
        return len(np.unique(self.said.of.labelers.codes))

    @cached_property
    def gold(self) -> GoldReport:
        """Of people of cohorts by a rule only the whole, and that from five of them on."""
        found = gold_report(self.scope)
        if not self.agreement.by_rule:
            return found
        few = are_few(len({one.labeler for one in found.said}))
        return GoldReport([] if self._withheld or few else found.said, [], self._withheld or TOO_FEW)

    @cached_property
    def repeats(self) -> list[tuple[int, HiddenRepeat]]:
        return hidden_repeats(self.scope)

    @cached_property
    def with_themselves(self) -> Figure:
        few = self.agreement.by_rule and are_few(len({labeler for labeler, _ in self.repeats}))
        if self._withheld or few:
            return undefined(self._withheld or TOO_FEW)
        return self_agreement(repeat for _, repeat in self.repeats)

    @property
    def _withheld(self) -> str:
        return self.agreement.withheld

    @cached_property
    def abilities(self) -> dict[str, Ability]:
        """Of the independent judgments of comparisons."""
        said = self.agreement.said
        first, second = np.triu_indices(said.ranked.ranks.shape[1], k=1)
        before = np.sign(said.places[:, second] - said.places[:, first])
        ranked = np.isfinite(np.sign(said.ranked.ranks[:, second] - said.ranked.ranks[:, first]))
        shown = np.nan_to_num(before[ranked]) if ranked.size else np.zeros(0)
        return abilities(said.comparisons, shown=shown)

    @cached_property
    def lines(self) -> list[QualityLine]:
        """Those with remarks first."""
        if not self.agreement.names_people:
            return []
        agreements, nears = self.agreement.agreement_of_each, self.agreement.near_of_each
        drifts, linings = self._drifts(), self._linings()
        repeats: dict[int, list[HiddenRepeat]] = defaultdict(list)
        for labeler, repeat in self.repeats:
            repeats[labeler].append(repeat)
        apart = {line.person.pk for line in self.agreement.labelers if line.apart}
        counts = np.bincount(self.said.of.labelers.codes, minlength=len(self.said.who))
        times, paces = self._median_times(), self._paces()
        lines = []
        for code, person in enumerate(self.said.who):
            if not counts[code]:
                continue
            line = QualityLine(
                person, int(counts[code]), agreements[person.pseudonym], nears[person.pseudonym],
                self.gold.of(person.pk), self_agreement(repeats[person.pk]), drifts[code], times[code], linings[code],
                self.abilities.get(person.pseudonym), (),
            )  # fmt: skip
            lines.append((line, person.pk in apart, paces.get(code)))
        among = len(lines)
        found = [_with_remarks(line, apart=far, pace=pace, among=among) for line, far, pace in lines]
        return sorted(found, key=lambda line: (-len(line.remarks), line.person.pseudonym))

    def _median_times(self) -> list[float | None]:
        of = self.said.of
        found: list[float | None] = []
        for code in range(len(self.said.who)):
            times = of.active_ms[of.labelers.codes == code]
            times = times[np.isfinite(times)]
            found.append(float(np.median(times)) if len(times) else None)
        return found

    def _paces(self) -> dict[int, float]:
        """By labeler's code: the median of their times, each as a multiple of what labelers take for as many responses
        in the same campaign (a rating takes less than a ranking of nine). Who did what nobody else did is absent."""
        said, of = self.said, self.said.of
        if not len(of):
            return {}
        sizes = np.bincount(said.submission, minlength=len(of))
        alike = np.unique(of.campaigns.codes * (int(sizes.max()) + 1) + sizes, return_inverse=True)[1]
        usual = np.full(len(of), np.nan)
        for group in range(int(alike.max()) + 1):
            rows = np.flatnonzero((alike == group) & np.isfinite(of.active_ms))
            who = of.labelers.codes[rows]
            medians = [np.median(of.active_ms[rows[who == code]]) for code in np.unique(who)]
            if len(medians) > 1:
                usual[rows] = np.median(medians)
        compared = usual > 0
        who, paces = of.labelers.codes[compared], of.active_ms[compared] / usual[compared]
        return {int(code): float(np.median(paces[who == code])) for code in np.unique(who)}

    def _linings(self) -> list[StraightLining | None]:
        """Of the answers in the order of time: the ranks as shown, or the overall rating."""
        answers = self._answers()
        everyone = Counter(answer for some in answers for answer in some)
        return [straight_lining(some, everyone=everyone) for some in answers]

    def _answers(self) -> list[list[Hashable]]:
        of = self.said.of
        answer: dict[int, Hashable] = {}
        for rows, ranks in self.agreement.shown_ranks.values():
            answer |= dict(zip(rows.tolist(), map(tuple, ranks.tolist()), strict=True))
        overall = np.array([ratings.get("overall") or 0 for ratings in self.said.ratings.values] or [0])
        rated = self.said.submission[np.r_[True, np.diff(self.said.submission) > 0]] if len(self.said) else ()
        firsts = np.flatnonzero(np.r_[True, np.diff(self.said.submission) > 0]) if len(self.said) else ()
        for row, place in zip(rated, firsts, strict=True):
            if int(row) not in answer and overall[self.said.ratings.codes[place]]:
                answer[int(row)] = int(overall[self.said.ratings.codes[place]])
        found: list[list[Hashable]] = [[] for _ in self.said.who]
        for row in np.argsort(of.submitted, kind="stable"):
            if int(row) in answer:
                found[of.labelers.codes[row]].append(answer[int(row)])
        return found

    def _drifts(self) -> list[Drift]:
        said = self.agreement.said
        late = self._late(said)[said.compared_rows]
        # The others are as they are throughout; only this labeler's judgments are halved.
        halves = [
            list(agreement_of_each(said.comparisons, intervals=True, own=late == half).values())
            for half in (False, True)
        ]
        pairs = [_p_value(early, later) for early, later in zip(*halves, strict=True)]
        known = [place for place, p_value in enumerate(pairs) if p_value is not None]
        adjusted = dict(zip(known, holm([p for p in pairs if p is not None]), strict=True))
        return [
            Drift(early, later, adjusted.get(code), "" if code in adjusted else _no_p_value(early, later))
            for code, (early, later) in enumerate(zip(*halves, strict=True))
        ]

    def _late(self, said: Judgments) -> Bools:
        """(S,) whether a submission is in the second half of its labeler's."""
        of = said.of
        late = np.zeros(len(of), dtype=np.bool_)
        for code in range(len(said.who)):
            mine = np.flatnonzero(of.labelers.codes == code)
            late[mine[np.argsort(of.submitted[mine], kind="stable")][len(mine) // 2 :]] = True
        return late


def _p_value(early: Figure, late: Figure) -> float | None:
    """Two-sided, of no difference between two shares on different prompts, from their intervals."""
    if early.value is None or late.value is None or min(early.count, late.count) < FEWEST_TO_DRIFT // 2:
        return None
    if early.interval is None or late.interval is None:
        return None
    spread = sum(((one.interval.high - one.interval.low) / 3.92) ** 2 for one in (early, late) if one.interval)
    return float(2 * ndtr(-abs(early.value - late.value) / spread**0.5)) if spread else None


def _no_p_value(early: Figure, late: Figure) -> str:
    if early.value is None or late.value is None:
        return early.reason or late.reason
    fewest, needed = min(early.count, late.count), FEWEST_TO_DRIFT // 2
    if fewest < needed:
        return f"Fewer than {needed} shared comparisons in a half: {fewest}; {needed - fewest} more would do."
    return early.interval_reason or late.interval_reason or "Neither half varies."


def surely_apart(figure: Figure, than: float, *, among: int) -> bool:
    """Whether it is not `than`, at 95 % for all that are looked at together (Bonferroni): among 40 labelers without any
    fault two would stand out one by one. By its own interval, stretched on either side."""
    if figure.value is None or figure.interval is None:
        return False
    stretch = float(ndtri(1 - (1 - LEVEL) / 2 / max(among, 1)) / ndtri((1 + LEVEL) / 2))
    low = figure.value - stretch * (figure.value - figure.interval.low)
    high = figure.value + stretch * (figure.interval.high - figure.value)
    return not low <= than <= high


def _with_remarks(line: QualityLine, *, apart: bool, pace: float | None, among: int) -> QualityLine:
    """among: how many labelers are looked at."""
    remarks = []
    if apart:
        remarks.append("agrees less than the others")
    if line.drift.p_value is not None and line.drift.p_value < SURE:
        assert line.drift.early.value is not None
        assert line.drift.late.value is not None
        remarks.append("agrees less than before" if line.drift.late.value < line.drift.early.value else "agrees more")
    if pace is not None and pace < FAST:
        remarks.append("fast")
    if line.lining and line.lining.run_probability.value is not None and line.lining.run_probability.value < 0.001:
        remarks.append(f"{line.lining.longest_run} equal answers in a row")
    if line.ability and surely_apart(line.ability.first, 0.0, among=among):
        lean = line.ability.first.known()
        remarks.append("leans to what is shown first" if lean > 0 else "leans to what is shown last")
    if line.gold.value is not None and line.gold.value < 0.75 and surely_apart(line.gold, 0.75, among=among):
        remarks.append("often wrong on gold")
    return QualityLine(**{**vars(line), "remarks": tuple(remarks)})


def quality_report(scope: Scope, agreement: AgreementReport) -> QualityReport:
    return QualityReport(scope, agreement)
