"""What the ratings of a campaign say of whoever wrote the responses: gathered here, reckoned in labeling.evaluating.

Only submissions that count, are current and not withdrawn. People and simulated labelers are kept apart unless both are
asked for. A human demonstration is compared like a generator's response, all who wrote one taken together. A cohort is
the one that a labeler was in when they rated; of one that a rule fills, and of a campaign that is kept for one, nothing
is told below five people. Ratings are held as arrays: there may be hundreds of thousands.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce

import numpy as np

from labeling.agreement.figures import Bools, Figure, Floats, Ints, undefined
from labeling.backgrounds import FEWEST_SHOWN, people_told, too_few
from labeling.evaluating import Answers, Ratings, flag_rate, mean_difference, mean_rating, outcomes, win_rate
from labeling.models import Campaign, Cohort, CohortMember, TaskResponse
from labeling.reports.floor import are_few
from training.authors import HUMAN, Author, authors_of
from training.models import Round
from training.rated import Rated, rated_in

OVERALL = "overall"
ENOUGH_PROMPTS = 10
"""Prompts of a use case from which on it is looked at by itself."""
RATERS = ("people", "simulated", "both")
"""Whose ratings count."""
FEW = f"Fewer than {FEWEST_SHOWN} people of the cohort said this, and nothing is told of so few."


@dataclass(frozen=True)
class Evaluation:
    """The ratings of one campaign by one kind of raters; every figure is reckoned when it is asked for.

    baseline: whoever the others are set beside. subject: whoever the page speaks of first.
    """

    campaign: Campaign
    authors: list[Author]
    subject: Author
    baseline: Author
    raters: str
    said: Rated
    by_source: Mapping[str, int]
    """Labelers who rated, "people" and "simulated", whoever of them counts here."""
    prompts: int
    """Prompts of the campaign, rated or not."""
    cohorts: Mapping[str, Bools] = field(default_factory=dict)
    """Cohort -> which of the ratings fall into it; those by a rule from five raters of a model on."""
    by_rule: frozenset[str] = frozenset()
    """Cohorts that a rule fills from background answers, with raters or without."""
    called: Mapping[int, str] = field(default_factory=dict)
    """The name of each cohort of the project now, by primary key."""
    withheld: str = ""
    """Why nothing is told, where the campaign is kept for a cohort by a rule and too few of it rated."""

    @cached_property
    def labelers(self) -> int:
        """In a campaign that is kept for a cohort by a rule as many as may be told."""
        return _told(self.campaign, len(np.unique(self.said.labelers)))

    def _is_of_few(self, labelers: Ints) -> bool:
        return self.campaign.kept_by_rule and are_few(len(np.unique(labelers)))

    @cached_property
    def shared_prompts(self) -> int:
        """Prompts on which both the subject and the baseline were rated: what their difference rests on."""
        return len(self._rated(self.subject) & self._rated(self.baseline))

    def _rated(self, author: Author) -> set[int]:
        said = self.said.by(author.key) & np.isfinite(self.said.rating(OVERALL))
        return set(self.said.prompts.codes[said].tolist())

    def author(self, key: str) -> Author | None:
        return next((one for one in self.authors if one.key == key), None)

    # figures: means and differences on a scale of 1 to 7, shares from 0 to 1; among: a part of the ratings

    def mean(self, author: Author, scale: str = OVERALL, *, among: Rated | None = None) -> Figure:
        return self._once(("mean", author.key, scale), among, lambda said: self._mean(author, scale, said))

    def _mean(self, author: Author, scale: str, said: Rated) -> Figure:
        return mean_rating(self.labelled(scale, among=said), generator=author.label)

    def difference(self, author: Author, scale: str = OVERALL, *, among: Rated | None = None) -> Figure:
        """The author less the baseline, prompt by prompt."""

        def reckoned(said: Rated) -> Figure:
            labelled = self.labelled(scale, among=said)
            return mean_difference(labelled, generator=author.label, baseline=self.baseline.label)

        return self._once(("difference", author.key, scale), among, reckoned)

    def wins(self, author: Author, against: Author, scale: str = OVERALL) -> Figure:
        """How often the author was rated higher where one labeler rated both on a prompt; a tie is a half."""
        compared = outcomes(self.labelled(scale), generator=author.label, baseline=against.label)
        return undefined(FEW) if self._is_of_few(compared.labelers) else win_rate(compared)

    def flagged(self, author: Author, flag: str) -> Figure:
        """The share of answers that are yes."""
        return self.share(author, self.said.flag(flag))

    def share(self, author: Author, answers: Floats) -> Figure:
        """The mean of answers (M,) to the author's responses; NaN is unanswered."""
        own = self.said.by(author.key)
        if self._is_of_few(self.said.labelers[own & np.isfinite(answers)]):
            return undefined(FEW)
        return flag_rate(
            Answers(prompts=self.said.prompts.codes[own], labelers=self.said.labelers[own], values=answers[own])
        )

    def flag_difference(self, flag: str, *, level: float = 0.95) -> Figure:
        """The share of yes for the subject less that for the baseline, prompt by prompt."""
        labelled = replace(self.labelled(), values=self.said.flag(flag))
        return mean_difference(labelled, generator=self.subject.label, baseline=self.baseline.label, level=level)

    def ratings(self, scale: str = OVERALL, *, among: Rated | None = None) -> Ratings:
        """Of all authors, by their keys."""
        said = self.said if among is None else among
        return Ratings(
            generators=said.authors.codes, prompts=said.prompts.codes, labelers=said.labelers,
            values=said.rating(scale), names=said.authors.values,
        )  # fmt: skip

    def labelled(self, scale: str = OVERALL, *, among: Rated | None = None) -> Ratings:
        """The same by their labels, which a reason speaks of."""
        labels = {author.key: author.label for author in self.authors}
        found = self.ratings(scale, among=among)
        return replace(found, names=tuple(labels.get(str(key), str(key)) for key in found.names))

    @cached_property
    def _reckoned(self) -> dict[tuple[str, str, str], Figure]:
        return {}

    def _once(self, name: tuple[str, str, str], among: Rated | None, reckoned: Callable[[Rated], Figure]) -> Figure:
        """A page asks for some figures of the whole again and again."""
        if among is not None:
            return reckoned(among)
        if name not in self._reckoned:
            self._reckoned[name] = reckoned(self.said)
        return self._reckoned[name]

    # parts of the ratings

    def by_cohort(self) -> dict[str, Rated]:
        """The ratings of each cohort's members of the time; who was in two counts in both."""
        return {name: self.said.only(inside) for name, inside in self.cohorts.items()}

    def by_use_case(self) -> dict[str, Rated]:
        """The ratings of each use case with enough prompts, the one with the most first."""
        cases = self.said.use_cases
        parts = {name: self.said.only(cases.codes == code) for code, name in enumerate(cases.values)}
        prompts = {name: len(np.unique(said.prompts.codes)) for name, said in parts.items()}
        ordered = sorted(prompts.items(), key=lambda one: -one[1])
        large = {name: parts[name] for name, number in ordered if number >= ENOUGH_PROMPTS}
        return {name: said for name, said in large.items() if not self.campaign.kept_by_rule or self.is_told(said)}

    def is_told(self, said: Rated) -> bool:
        """Whether as many people as may be told of gave these ratings."""
        return are_enough(said, np.ones(len(said), dtype=np.bool_), beside=self.baseline.key)


def evaluation_of(
    round_: Round, campaign: Campaign, *, raters: str = "", baseline: str = "", subject: str = ""
) -> Evaluation | None:
    """The evaluation that a rating campaign of a round amounts to; None where it shows no responses. Eight queries.

    raters: one of RATERS; people, or in a rehearsal simulated labelers where any rated. baseline, subject: keys of
    authors; SFT and the policy of this round, or what is nearest to them.
    """
    authors = authors_of(round_, campaign)
    if not authors:
        return None
    everything = rated_in(campaign)
    programs = everything.simulated
    by_source = Counter("simulated" if simulated else "people" for simulated in everything.is_simulated)
    if raters not in RATERS:
        raters = "simulated" if campaign.project.simulated and by_source["simulated"] else "people"
    said = everything if raters == "both" else everything.only(programs == (raters == "simulated"))
    set_beside = _named(authors, baseline) or _of_kind(authors, ("sft", "base", "external", HUMAN))
    first = _named(authors, subject) or _of_kind([one for one in authors if one != set_beside], ("policy", "sft"))
    prompts = TaskResponse.objects.filter(task__campaign=campaign).values("task__prompt").distinct().count()
    cohorts, known = _cohorts(campaign, said), list(Cohort.objects.filter(project=campaign.project_id))
    by_rule = frozenset(cohort.name for cohort in known if cohort.by_rule)
    beside = set_beside or authors[-1]
    found = Evaluation(
        campaign=campaign, authors=authors, subject=first or set_beside or authors[0],
        baseline=beside, raters=raters, said=said, prompts=prompts,
        by_source={source: _told(campaign, number) for source, number in by_source.items()},
        cohorts={
            name: inside
            for name, inside in cohorts.items()
            if name not in by_rule or are_enough(said, inside, beside=beside.key)
        },
        by_rule=by_rule, called={cohort.pk: cohort.name for cohort in known},
    )  # fmt: skip
    if campaign.cohort is None or not campaign.kept_by_rule or not len(said) or found.is_told(said):
        return found
    nothing = said.only(np.zeros(len(said), dtype=np.bool_))
    why = too_few(campaign.cohort.name, "rated each model")
    return replace(found, said=nothing, by_source={}, cohorts={}, withheld=why)


def _told(campaign: Campaign, people: int) -> int:
    """How many of these people are told of: of a cohort by a rule in steps of five."""
    return (people_told(campaign.cohort, people) or 0) if campaign.cohort else people


def _named(authors: Iterable[Author], key: str) -> Author | None:
    return next((one for one in authors if one.key == key), None)


def _of_kind(authors: Iterable[Author], kinds: Iterable[str]) -> Author | None:
    """The first author of the first kind that there is, those of this round before others, and told nothing before told
    something; else any."""
    found = sorted(authors, key=lambda one: (not one.own, one.told is not None))
    for kind in kinds:
        for one in found:
            if one.kind == kind:
                return one
    return found[0] if found else None


def are_enough(said: Rated, inside: Bools, *, beside: str) -> bool:
    """Whether each model that was rated among these ratings (M,) was rated by as many people as may be told of, also on
    the prompts that it shares with the author whose key is beside: their difference rests on these alone."""
    rated = inside & np.isfinite(said.rating(OVERALL))
    cells = [rated & (said.authors.codes == code) for code in np.unique(said.authors.codes[rated])]
    base = rated & said.by(beside)
    return (
        len(cells) > 0
        and all(fewest_raters(said, [cell]) >= FEWEST_SHOWN for cell in cells)
        and not are_few(*(fewest_raters(said, [cell, base]) for cell in cells))
    )


def fewest_raters(said: Rated, cells: Sequence[Bools]) -> int:
    return min(raters_on_shared(said, cells))


def raters_on_shared(said: Rated, cells: Sequence[Bools]) -> list[int]:
    """What a contrast of these cells, each some of the ratings (M,), rests on: the people of each, on prompts that were
    rated in every one of them; 0 where there are no such prompts."""
    rated = [cell & np.isfinite(said.rating(OVERALL)) for cell in cells]
    shared = reduce(np.intersect1d, (said.prompts.codes[cell] for cell in rated))
    on_shared = np.isin(said.prompts.codes, shared)
    return [len(np.unique(said.labelers[cell & on_shared])) for cell in rated]


def _cohorts(campaign: Campaign, said: Rated) -> dict[str, Bools]:
    """Which of the ratings were given by somebody who was in a cohort at the time (one query)."""
    members = CohortMember.objects.filter(cohort__project=campaign.project_id, labeler__in=said.people)
    place = {labeler: code for code, labeler in enumerate(said.people)}
    found: dict[str, Bools] = {}
    for member in members.select_related("cohort").order_by("cohort__name"):
        inside = (said.labelers == place[member.labeler_id]) & (said.submitted >= member.since.timestamp())
        if member.until is not None:
            inside &= said.submitted < member.until.timestamp()
        found[member.cohort.name] = found[member.cohort.name] | inside if member.cohort.name in found else inside
    return {name: inside for name, inside in found.items() if inside.any()}
