"""What a report is of: a project's judgments, narrowed by campaign, guideline, people, use case and time."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from labeling.browsing.filters import Filters, Typed, choice
from labeling.models import Assignment, Campaign, Cohort, CohortMember, Guideline, Labeler, Project, Prompt, WorkKind

RATERS = (("people", "people"), ("simulated", "simulated labelers"), ("both", "both"))
JUDGING = (WorkKind.RANKING, WorkKind.RATING)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """raters: "people", "simulated" or "both". since, until: days, both included. cohort: its members at the time of
    the judgment. What is None does not narrow."""

    project: Project
    raters: str = "people"
    campaign: int | None = None
    guideline: int | None = None
    cohort: int | None = None
    use_case: str | None = None
    since: date | None = None
    until: date | None = None

    def assignments(self) -> QuerySet[Assignment]:
        """Whose current submission counts and is in the scope; hidden repeats and screenings are left out, and cohorts
        looked at later (one query, for the campaigns)."""
        found = Assignment.objects.filter(
            occurrence=0, current_submission__counted=True, current_submission__withdrawn_at__isnull=True
        )
        return self._narrowed(found, self._campaigns().filter(screening_of__isnull=True))

    def placed(self) -> QuerySet[Assignment]:
        """Everything that takes a place in its task, whoever said it, when and by which guideline (one query, for the
        campaigns). In a task that was given room a withdrawn submission keeps its place: what was asked for because it
        disagreed would move up into it."""
        campaigns = list(self._campaigns().filter(screening_of__isnull=True).values_list("pk", flat=True))
        found = Assignment.objects.filter(campaign__in=campaigns, occurrence=0, current_submission__counted=True)
        found = found.filter(Q(current_submission__withdrawn_at__isnull=True) | Q(task__room__gt=0))
        return found.filter(task__prompt__use_case=self.use_case) if self.use_case else found

    def _campaigns(self) -> QuerySet[Campaign]:
        found = Campaign.objects.filter(project=self.project, kind__in=JUDGING)
        return found.filter(pk=self.campaign) if self.campaign else found

    def narrowed(self, found: QuerySet[Assignment]) -> QuerySet[Assignment]:
        """Those of this scope and its cohort, whatever else is wanted of them (one query, for the campaigns)."""
        found = self._narrowed(found, self._campaigns())
        return found.filter(self._was_member()) if self.cohort else found

    def _was_member(self) -> Exists:
        """Whether the labeler was in the cohort when they submitted."""
        submitted = OuterRef("current_submission__submitted_at")
        members = CohortMember.objects.filter(cohort=self.cohort, labeler=OuterRef("labeler"), since__lte=submitted)
        return Exists(members.filter(Q(until__isnull=True) | Q(until__gt=submitted)))

    def _narrowed(self, found: QuerySet[Assignment], campaigns: QuerySet[Campaign]) -> QuerySet[Assignment]:
        # As numbers: of a join with campaigns the database expects a handful of rows, and looks up each of 100,000.
        found = found.filter(self._who(), campaign__in=list(campaigns.values_list("pk", flat=True)))
        if self.guideline:
            found = found.filter(current_submission__guideline=self.guideline)
        if self.use_case:
            found = found.filter(task__prompt__use_case=self.use_case)
        if self.since:
            found = found.filter(current_submission__submitted_at__gte=_begin(self.since))
        if self.until:
            found = found.filter(current_submission__submitted_at__lte=_end(self.until))
        return found

    def _who(self) -> Q:
        simulated = Q(labeler__source=Labeler.Source.SIMULATED)
        return {"people": ~simulated, "simulated": simulated, "both": Q()}[self.raters]


def _begin(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _end(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.max))


class ScopeFilters(Filters):
    """The scope as a form over a page. A value that is none of those offered is refused in a sentence."""

    campaign = choice("Campaign")
    guideline = choice("Guideline")
    cohort = choice("Cohort")
    use_case = choice("Use case", Prompt.UseCase.choices)
    raters = choice("Judged by", RATERS)
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, typed: Typed, *, project: Project) -> None:
        self.project = project
        offered: dict[str, list[tuple[int, str]]] = {
            "campaign": list(judged_campaigns(project).values_list("pk", "name")),
            "guideline": _guidelines(project),
            "cohort": list(Cohort.objects.filter(project=project).values_list("pk", "name")),
        }
        super().__init__(typed, **offered)
        default = default_raters(project)  # first in the list, which is what a browser shows where none was chosen
        self.fields["raters"].choices = sorted(RATERS, key=lambda one: one[0] != default)  # type: ignore[attr-defined]
        for name in ("guideline", "cohort"):
            if not offered[name]:
                del self.fields[name]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("since") and said.get("until") and said["since"] > said["until"]:
            self.add_error("until", f"{said['until']} is before {said['since']}.")
        return said

    @property
    def scope(self) -> Scope:
        """What was asked for; the whole project where something was wrong with that."""
        said = self.said
        return Scope(
            project=self.project,
            raters=said.get("raters") or default_raters(self.project),
            campaign=_number(said.get("campaign")),
            guideline=_number(said.get("guideline")),
            cohort=_number(said.get("cohort")),
            use_case=said.get("use_case"),
            since=said.get("since"),  # type: ignore[arg-type]
            until=said.get("until"),  # type: ignore[arg-type]
        )


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def judged_campaigns(project: Project) -> QuerySet[Campaign]:
    """Campaigns in which something was judged."""
    submitted = Assignment.objects.filter(campaign=OuterRef("pk"), state=Assignment.State.SUBMITTED)
    return Campaign.objects.filter(Exists(submitted), project=project, kind__in=JUDGING).order_by("name")


def _guidelines(project: Project) -> list[tuple[int, str]]:
    found = Guideline.objects.filter(project=project, kind__in=JUDGING, published_at__isnull=False)
    return [(one.pk, f"{one.kind} {one.version}") for one in found.order_by("kind", "version")]


def default_raters(project: Project) -> str:
    """In a rehearsal nearly everybody is a program: there they are looked at unless people are asked for."""
    return "simulated" if project.simulated else "people"
