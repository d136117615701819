"""Whose preferences a project's models carry: one report of who labeled, what researchers chose, where prompts came
from, and what each does to agreement and to the reward models. Ouyang et al. 2022, section 5.2, ask these questions of
their own work in words; here they are figures.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils.text import capfirst

from labeling.backgrounds import FEWEST_SHOWN, Asked, form_of, in_aggregate
from labeling.models import Assignment, Campaign, Guideline, Labeler, Project, Prompt
from labeling.reports.agreement import AgreementReport, Part, agreement_report
from labeling.reports.scope import Scope, default_raters
from training.cohort_matrix import Found, newest_matrix, newest_round_with_one
from training.models import Job, Round
from training.models_read import Read, models_read
from training.origins import choices_of
from training.validation_scores import RightPart, compared_by, right_by, right_by_guideline

LARGEST_SOURCES = 8
OTHER_SOURCES = "all other sources"


def _called(labels: Mapping[str, Any], value: str) -> str:
    """As it begins a line; what has no label, such as a language, as it is."""
    return capfirst(str(labels[value])) if value in labels else value


@dataclass(frozen=True)
class Told:
    """A name with a number, and the share of all such numbers."""

    name: str
    number: int
    share: float


@dataclass(frozen=True)
class Chosen:
    """A guideline version. submissions: those that count, made under it."""

    guideline: Guideline
    submissions: int


@dataclass(frozen=True)
class Model:
    """A reward model: accuracy on held-out comparisons, with its interval, and what was chosen for it."""

    round: int
    job: int
    accuracy: tuple[float, float, float] | None
    over_longer: tuple[float, float, float] | None
    choices: list[tuple[str, str]]


@dataclass(frozen=True)
class Apart:
    """Where a model is right. of: which model; parts: by what, where it gives any; why: why there are none."""

    of: str
    parts: list[tuple[str, list[RightPart]]]
    why: str


@dataclass(frozen=True)
class BiasReport:
    project: Project
    made_at: datetime

    # who

    @cached_property
    def done(self) -> QuerySet[Assignment]:
        """All that is counted here: current submissions that count, in no screening, no hidden repeat; by people, in a
        rehearsal by simulated labelers, as agreement is."""
        simulated = Q(labeler__source=Labeler.Source.SIMULATED)
        return Assignment.objects.filter(
            simulated if default_raters(self.project) == "simulated" else ~simulated,
            campaign__project=self.project, campaign__screening_of__isnull=True, occurrence=0,
            current_submission__counted=True, current_submission__withdrawn_at__isnull=True,
        ).order_by()  # fmt: skip

    @cached_property
    def labelers(self) -> list[Told]:
        """By what they are."""
        by_source = self.done.values_list("labeler__source").annotate(n=Count("labeler", distinct=True))
        return shares(Counter({str(Labeler.Source(source).label): number for source, number in by_source}))

    @cached_property
    def prompts_worked_on(self) -> int:
        """Of how many prompts something was said: responses judged, or one written."""
        return self.done.filter(task__prompt__isnull=False).values("task__prompt").distinct().count()

    @cached_property
    def concentration(self) -> tuple[float, int] | None:
        """The share of submissions that the busiest tenth of labelers made, and how many labelers that is."""
        numbers = sorted(self.done.values_list("labeler").annotate(n=Count("pk")).values_list("n", flat=True))
        if not numbers:
            return None
        busiest = max(1, round(len(numbers) / 10))
        return sum(numbers[-busiest:]) / sum(numbers), busiest

    @cached_property
    def asked(self) -> list[Asked]:
        """Of those who labeled, and of nobody else who answered."""
        return in_aggregate(self.project, among=set(self.done.values_list("labeler", flat=True).distinct()))

    @property
    def reference_source(self) -> str:
        return form_of(self.project).reference_source

    # what researchers chose

    @cached_property
    def guidelines(self) -> list[Chosen]:
        """Every published version, with its changes and the submissions under it."""
        found = Guideline.objects.filter(project=self.project, published_at__isnull=False).order_by("kind", "version")
        made = dict(self.done.values_list("current_submission__guideline").annotate(n=Count("pk")))
        return [Chosen(one, made.get(one.pk, 0)) for one in found]

    @cached_property
    def campaigns(self) -> list[Campaign]:
        """Work that was kept for some: a cohort, the qualified, or those who see no models."""
        kept = Q(cohort__isnull=False) | Q(requires__isnull=False) | Q(blind=True)
        found = Campaign.objects.filter(kept, project=self.project, screening_of__isnull=True)
        return list(found.select_related("cohort", "requires").order_by("name")[:100])

    @cached_property
    def models(self) -> list[Model]:
        """The newest reward model of every round that has one (three queries)."""
        rounds = list(Round.objects.filter(project=self.project).order_by("-number")[:30])
        made = Job.objects.filter(stage__round__in=rounds, kind=Job.Kind.REWARD, state=Job.State.DONE).order_by()
        newest = dict(made.values_list("stage__round").annotate(newest=Max("pk")))
        jobs = Job.objects.in_bulk(newest.values())
        return [_model(round_, jobs[newest[round_.pk]]) for round_ in rounds if round_.pk in newest]

    # where prompts came from

    @cached_property
    def prompts(self) -> dict[str, list[Told]]:
        """What is counted of the prompts, each with its shares; sources by the group they came from, unnamed."""
        found = Prompt.objects.filter(project=self.project).order_by()

        def by(field: str) -> Counter[str]:
            return Counter(dict(found.values_list(field).annotate(n=Count("pk"))))

        labels: dict[str, dict[str, Any]] = {
            "origin": dict(Prompt.Origin.choices), "use_case": dict(Prompt.UseCase.choices),
            "style": dict(Prompt.Style.choices), "language": {},
        }  # fmt: skip
        return {
            name: shares(Counter({_called(labels[name], one): number for one, number in by(name).items()}))
            for name in labels
        }

    @cached_property
    def sources(self) -> tuple[int, float]:
        """How many authors, customers, documents or conversations prompts came from, and the share of all prompts that
        the largest few gave."""
        numbers = sorted(
            Prompt.objects.filter(project=self.project).order_by().values_list("group_key").annotate(n=Count("pk"))
            .values_list("n", flat=True)
        )  # fmt: skip
        return len(numbers), (sum(numbers[-LARGEST_SOURCES:]) / sum(numbers) if numbers else 0.0)

    @cached_property
    def consents(self) -> tuple[int, int]:
        """Customers' prompts with consent, of all customers' prompts."""
        theirs = Prompt.objects.filter(project=self.project, origin=Prompt.Origin.CUSTOMER)
        return theirs.exclude(consent="").count(), theirs.count()

    @cached_property
    def prompts_by(self) -> dict[str, dict[int, str]]:
        """What each prompt is called by what it can be taken apart by. Sources are numbered by how many prompts they
        gave and never named: they may be customers."""
        found = list(Prompt.objects.filter(project=self.project).values_list("pk", "use_case", "origin", "language",
                                                                             "group_key"))  # fmt: skip
        sizes = Counter(group for *_, group in found)
        largest = sorted(sizes, key=lambda group: (-sizes[group], group))[:LARGEST_SOURCES]
        number = {group: f"source {place}" for place, group in enumerate(largest, start=1)}
        use_cases, origins = dict(Prompt.UseCase.choices), dict(Prompt.Origin.choices)
        return {
            "Use case": {pk: _called(use_cases, use_case) for pk, use_case, *_ in found},
            "Origin": {pk: _called(origins, origin) for pk, _, origin, *_ in found},
            "Language": {pk: language for pk, _, _, language, _ in found},
            "Source": {pk: number.get(group, OTHER_SOURCES) for pk, *_, group in found},
        }

    # what each does

    @cached_property
    def agreement(self) -> AgreementReport:
        return agreement_report(Scope(project=self.project, raters=default_raters(self.project)))

    @cached_property
    def agreement_parts(self) -> list[tuple[str, list[Part]]]:
        """Also by what the prompts are."""
        by = [(name, self.agreement.by_prompt(self.prompts_by[name])) for name in ("Origin", "Language", "Source")]
        return [*self.agreement.parts, *((name, some) for name, some in by if len(some) > 1)]

    @cached_property
    def read(self) -> list[Read]:
        return models_read(self.project)

    @cached_property
    def matrix(self) -> Found | None:
        """The newest matrix of reward models by cohorts."""
        round_ = newest_round_with_one(self.project)
        return newest_matrix(round_) if round_ else None

    @cached_property
    def apart(self) -> Apart | None:
        """Where the newest reward model is right; where it kept no scores, the one of everybody in the matrix."""
        newest = self.models[0] if self.models else None
        tried = [(f"round {newest.round}", Job.objects.get(pk=newest.job))] if newest else []
        if self.matrix and (whole := self.matrix.of_everybody):
            tried.append((f"the matrix of round {self.matrix.round.number}: of everybody but the held-out", whole))
        whys = []
        for of, job in tried:
            compared = compared_by(job)
            if isinstance(compared, str):
                whys.append(compared)
                continue
            by = [(name, right_by(compared, names)) for name, names in self.prompts_by.items()]
            by.append(("Guideline", right_by_guideline(compared)))
            return Apart(of, [(name, some) for name, some in by if some], "")
        return Apart(tried[0][0], [], whys[0]) if tried else None


def shares(numbers: Counter[str]) -> list[Told]:
    total = sum(numbers.values())
    return [Told(name, number, number / total) for name, number in numbers.most_common() if number]


def _model(round_: Round, job: Job) -> Model:
    validation = (job.report or {}).get("validation") or {}
    return Model(
        round_.number, job.pk, _interval(validation.get("accuracy")),
        _interval(validation.get("accuracy_over_longer")), choices_of(job),
    )  # fmt: skip


def _interval(told: object) -> tuple[float, float, float] | None:
    """Mean, low and high of a report's figure, None where it has no interval."""
    if not isinstance(told, dict) or not all(isinstance(told.get(end), int | float) for end in ("mean", "low", "high")):
        return None
    return float(told["mean"]), float(told["low"]), float(told["high"])


def missing_of(report: BiasReport) -> Iterable[str]:
    """What this report cannot say, and what it would take."""
    if not report.asked:
        yield "Nobody is asked about their background, so nothing can be said of whom the labelers speak for."
    elif all(one.answered is None for one in report.asked):
        yield f"Fewer than {FEWEST_SHOWN} of those who labeled told about their background; nothing is shown before."
    elif not form_of(report.project).reference:
        yield "No population was uploaded, so the shares of labelers stand beside nothing."
    yield from report.agreement.wanting
    if not report.agreement.cohorts and not report.agreement.wanting:
        yield "No cohort has judgments, so it cannot be told whether groups differ."
    if not report.models:
        yield "No reward model was trained, so nothing can be said of what it learned from whom."
    if report.agreement.pairwise.value is None:
        yield f"Agreement: {report.agreement.pairwise.reason}"
    else:
        there = {name for name, _ in report.agreement_parts}
        for name in ("Origin", "Language", "Source"):
            if name not in there:
                yield f"All that was ranked has one {name.lower()}, so agreement is not told by it."
    if report.apart and report.apart.why:
        yield f"The reward model of {report.apart.of}: {report.apart.why}"
    if report.matrix is None and report.agreement.cohorts:
        yield "No reward models were trained by cohorts, so it is not known what each cohort's rankings do to them."
