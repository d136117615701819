"""What the ratings of a campaign say of whoever wrote the responses: gathered here, reckoned in labeling.evaluating.

Only submissions that count, are current and not withdrawn. People and simulated labelers are kept apart unless both are
asked for. A human demonstration is compared like a generator's response, all who wrote one taken together. A cohort is
the one that a labeler was in when they rated.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from labeling.agreement.figures import Figure
from labeling.evaluating import Flag, Rating, flag_rate, mean_difference, mean_rating, outcomes, win_rate
from labeling.models import Campaign, CohortMember, Labeler, TaskResponse, WorkKind
from training.authors import HUMAN, Author, authors_of
from training.models import Round
from training.snapshot_rows import Query, judgments_asked_for

OVERALL = "overall"
ENOUGH_PROMPTS = 10
"""Prompts of a use case from which on it is looked at by itself."""
RATERS = ("people", "simulated", "both")
"""Whose ratings count."""


@dataclass(frozen=True)
class Said:
    """What one labeler said of one response. author: the key of whoever wrote it."""

    author: str
    response: int
    prompt: int
    use_case: str
    labeler: int
    simulated: bool
    submitted_at: datetime
    ratings: Mapping[str, int]
    flags: Mapping[str, bool | None]


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
    said: list[Said]
    by_source: Mapping[str, int]
    """Labelers who rated, "people" and "simulated", whoever of them counts here."""
    prompts: int
    """Prompts of the campaign, rated or not."""
    cohorts: Mapping[str, frozenset[tuple[int, datetime]]] = field(default_factory=dict)
    """Cohort -> (labeler, time of the submission) of the ratings that fall into it."""

    @cached_property
    def labelers(self) -> int:
        return len({one.labeler for one in self.said})

    @cached_property
    def shared_prompts(self) -> int:
        """Prompts on which both the subject and the baseline were rated: what their difference rests on."""
        return len(self._rated(self.subject) & self._rated(self.baseline))

    def _rated(self, author: Author) -> set[int]:
        return {one.prompt for one in self.said if one.author == author.key and OVERALL in one.ratings}

    def author(self, key: str) -> Author | None:
        return next((one for one in self.authors if one.key == key), None)

    # figures: means and differences on a scale of 1 to 7, shares from 0 to 1

    def mean(self, author: Author, scale: str = OVERALL, *, among: Iterable[Said] | None = None) -> Figure:
        return mean_rating(self._ratings(scale, [author], among), generator=author.label)

    def difference(self, author: Author, scale: str = OVERALL, *, among: Iterable[Said] | None = None) -> Figure:
        """The author less the baseline, prompt by prompt."""
        ratings = self._ratings(scale, [author, self.baseline], among)
        return mean_difference(ratings, generator=author.label, baseline=self.baseline.label)

    def wins(self, author: Author, against: Author, scale: str = OVERALL) -> Figure:
        """How often the author was rated higher where one labeler rated both on a prompt; a tie is a half."""
        ratings = self._ratings(scale, [author, against], None)
        return win_rate(outcomes(ratings, generator=author.label, baseline=against.label))

    def flagged(self, author: Author, flag: str) -> Figure:
        """The share of answers that are yes."""
        return flag_rate(
            Flag(prompt=one.prompt, labeler=one.labeler, value=one.flags.get(flag))
            for one in self.said
            if one.author == author.key
        )

    def flag_difference(self, flag: str) -> Figure:
        """The share of yes for the subject less that for the baseline, prompt by prompt."""
        both = {self.subject.key: self.subject.label, self.baseline.key: self.baseline.label}
        answers = [
            Rating(generator=both[one.author], prompt=one.prompt, labeler=one.labeler, value=_yes(one.flags.get(flag)))
            for one in self.said
            if one.author in both
        ]
        return mean_difference(answers, generator=self.subject.label, baseline=self.baseline.label)

    def ratings(self, scale: str = OVERALL) -> list[Rating]:
        """Of all authors, by their keys."""
        return [
            Rating(generator=one.author, prompt=one.prompt, labeler=one.labeler, value=one.ratings.get(scale))
            for one in self.said
        ]

    def _ratings(self, scale: str, authors: Iterable[Author], among: Iterable[Said] | None) -> list[Rating]:
        label = {author.key: author.label for author in authors}
        return [
            Rating(generator=label[one.author], prompt=one.prompt, labeler=one.labeler, value=one.ratings.get(scale))
            for one in (self.said if among is None else among)
            if one.author in label
        ]

    # parts of the ratings

    def by_cohort(self) -> dict[str, list[Said]]:
        """The ratings of each cohort's members of the time; who was in two counts in both."""
        return {
            name: [one for one in self.said if (one.labeler, one.submitted_at) in inside]
            for name, inside in self.cohorts.items()
        }

    def by_use_case(self) -> dict[str, list[Said]]:
        """The ratings of each use case with enough prompts, the one with the most first."""
        return self._parts(lambda one: one.use_case, ENOUGH_PROMPTS)

    def _parts(self, part_of: Callable[[Said], str], fewest: int) -> dict[str, list[Said]]:
        parts: dict[str, list[Said]] = defaultdict(list)
        for one in self.said:
            parts[part_of(one)].append(one)
        prompts = {part: len({one.prompt for one in said}) for part, said in parts.items()}
        return {part: parts[part] for part, number in sorted(prompts.items(), key=lambda n: -n[1]) if number >= fewest}


def _yes(value: bool | None) -> float | None:
    return None if value is None else float(value)


def evaluation_of(
    round_: Round, campaign: Campaign, *, raters: str = "", baseline: str = "", subject: str = ""
) -> Evaluation | None:
    """The evaluation that a rating campaign of a round amounts to; None where it shows no responses. Seven queries.

    raters: one of RATERS; people, or in a rehearsal simulated labelers where any rated. baseline, subject: keys of
    authors; SFT and the policy of this round, or what is nearest to them.
    """
    authors = authors_of(round_, campaign)
    if not authors:
        return None
    everything = _said(campaign)
    sources = {one.labeler: "simulated" if one.simulated else "people" for one in everything}
    by_source = Counter(sources.values())
    if raters not in RATERS:
        raters = "simulated" if campaign.project.simulated and by_source["simulated"] else "people"
    said = [one for one in everything if raters in ("both", sources[one.labeler])]
    set_beside = _named(authors, baseline) or _of_kind(authors, ("sft", "base", "external", HUMAN))
    first = _named(authors, subject) or _of_kind([one for one in authors if one != set_beside], ("policy", "sft"))
    prompts = TaskResponse.objects.filter(task__campaign=campaign).values("task__prompt").distinct().count()
    return Evaluation(
        campaign=campaign, authors=authors, subject=first or set_beside or authors[0],
        baseline=set_beside or authors[-1], raters=raters, said=said, by_source=by_source, prompts=prompts,
        cohorts=_cohorts(campaign, said),
    )  # fmt: skip


def _named(authors: Iterable[Author], key: str) -> Author | None:
    return next((one for one in authors if one.key == key), None)


def _of_kind(authors: Iterable[Author], kinds: Iterable[str]) -> Author | None:
    """The first author of the first kind that there is, those of this round before others; else any."""
    found = sorted(authors, key=lambda one: not one.own)
    for kind in kinds:
        for one in found:
            if one.kind == kind:
                return one
    return found[0] if found else None


FIELDS = (
    "response__generator_id", "response_id", "submission__assignment__task__prompt_id",
    "submission__assignment__task__prompt__use_case", "submission__assignment__labeler_id",
    "submission__assignment__labeler__source", "submission__submitted_at", "ratings", "flags",
)  # fmt: skip


def _said(campaign: Campaign) -> list[Said]:
    """Of everybody (one query)."""
    query = Query(kind="ratings", campaigns=(campaign.pk,), simulated="include")
    found = judgments_asked_for(campaign.project, query, [WorkKind.RATING])
    return [
        Said(
            HUMAN if generator is None else str(generator), response, prompt, use_case, labeler,
            source == Labeler.Source.SIMULATED, submitted_at, ratings, flags,
        )
        for generator, response, prompt, use_case, labeler, source, submitted_at, ratings, flags
        in found.order_by("pk").values_list(*FIELDS)
    ]  # fmt: skip


def _cohorts(campaign: Campaign, said: Iterable[Said]) -> dict[str, frozenset[tuple[int, datetime]]]:
    """Who of the raters was in which cohort when they rated (one query)."""
    times: dict[int, set[datetime]] = defaultdict(set)
    for one in said:
        times[one.labeler].add(one.submitted_at)
    members = CohortMember.objects.filter(cohort__project=campaign.project_id, labeler__in=times)
    found: dict[str, set[tuple[int, datetime]]] = defaultdict(set)
    for member in members.select_related("cohort").order_by("cohort__name"):
        found[member.cohort.name].update(
            (member.labeler_id, time)
            for time in times[member.labeler_id]
            if member.since <= time and (member.until is None or time < member.until)
        )
    return {name: frozenset(inside) for name, inside in found.items() if inside}
