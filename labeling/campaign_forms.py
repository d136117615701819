"""Forms of a campaign: its settings, and the choice of what its tasks are made of. Fields differ by kind of work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Count

from labeling.beside import KINDS as BESIDE_KINDS
from labeling.campaigning import MOST_OVERLAP, WHILE_DRAFT, later_versions
from labeling.choosing import FEWEST_SHOWN, MOST_PROMPTS, MOST_SHOWN, Choice
from labeling.models import Campaign, Cohort, Generator, Guideline, Project, Prompt, Qualification, WorkKind

REQUIRABLE: dict[str, list[tuple[str, str]]] = {
    WorkKind.RANKING: [
        ("ranks", "a rank for every response"),
        ("ratings", "every scale of every response"),
        ("flags", "every flag of every response"),
    ],
    WorkKind.RATING: [("ratings", "every scale"), ("flags", "every flag")],
}
REQUIRED_AT_FIRST = {WorkKind.RANKING: ["ranks"], WorkKind.RATING: ["ratings"]}
OF_PROMPTS_ONLY = ("quota", "per_labeler")
MOST_MINUTES = 60 * 24 * 30
ANY = ("", "any")
OUT_OF_RANGE = {
    "min_value": "This is %(show_value)s; expected %(limit_value)s or more.",
    "max_value": "This is %(show_value)s; expected %(limit_value)s at most.",
}
Typed = Mapping[str, Any]


def dressed(form: forms.BaseForm) -> None:
    """Every field looks like one, says in our words what is wrong with a number, and points a reader of screens at its
    hint and its problem."""
    for field in form.fields.values():
        if isinstance(field, forms.IntegerField):
            field.error_messages |= OUT_OF_RANGE
    for bound in form:
        widget = bound.field.widget
        if not isinstance(widget, forms.CheckboxInput | forms.CheckboxSelectMultiple | forms.RadioSelect):
            widget.attrs["class"] = "field__input"
        if isinstance(widget, forms.NumberInput):
            widget.attrs["inputmode"] = "numeric"
        said = [f"{bound.auto_id}-hint"] if bound.help_text else []
        if bound.errors:
            widget.attrs["aria-invalid"] = "true"
            said.append(f"{bound.auto_id}-problem")
        if said:
            widget.attrs["aria-describedby"] = " ".join(said)


class SettingsForm(forms.ModelForm):
    """What can be set of a campaign of one kind; what is fixed by now is not among the fields."""

    required = forms.MultipleChoiceField(
        label="Required before a submission is taken", required=False, widget=forms.CheckboxSelectMultiple
    )

    for_each = forms.ModelMultipleChoiceField(
        label="The same tasks for each of these cohorts",
        queryset=Cohort.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="a campaign for each, to compare what they say; the names get a number",
    )

    class Meta:
        model = Campaign
        fields = (
            "name", "guideline", "cohort", "overlap", "required", "blind", "quota", "per_labeler",
            "lease_minutes", "skip_policy", "correction_minutes", "extra", "requires", "gold_rate", "repeat_rate",
        )  # fmt: skip
        labels = {
            "guideline": "Guideline",
            "overlap": "Labelers a task",
            "blind": "Keep out whoever can see which model wrote what",
            "quota": "Prompts wanted",
            "per_labeler": "At most by one labeler",
            "lease_minutes": "A task is held for, in minutes",
            "skip_policy": "A skipped task",
            "correction_minutes": "Corrections for, in minutes",
            "extra": "Labelers more where those before disagree",
            "requires": "Only for those who passed",
            "gold_rate": "Gold, of a hundred tasks",
            "repeat_rate": "Hidden repeats, of a hundred tasks",
        }
        help_texts = {
            "name": "labelers read it: it names no model",
            "guideline": "published ones; the newest first",
            "cohort": "empty: everybody in the project",
            "overlap": "how many people do each task, independently of each other",
            "blind": "for comparisons of models; ratings are always kept so",
            "quota": "the campaign is done once so many are in; empty: no end",
            "per_labeler": "empty: no limit",
            "lease_minutes": "saving keeps it longer, up to four times; then the task goes to somebody else",
            "correction_minutes": "after a submission; 0: none",
            "extra": "at most so many a task; what they say is data, and in no figure of agreement",
            "requires": "a qualification; empty: everybody the campaign is for",
            "gold_rate": "tasks with a gold answer, handed out among the others without a mark; 0: none",
            "repeat_rate": "a labeler’s own tasks once more, to see whether they agree with themselves; 0: none",
        }
        widgets = {"skip_policy": forms.RadioSelect}

    def __init__(
        self,
        typed: Typed | None = None,
        *,
        project: Project,
        kind: WorkKind,
        instance: Campaign | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        campaign = instance or Campaign(project=project, kind=kind, required=REQUIRED_AT_FIRST.get(kind, []))
        super().__init__(typed, instance=campaign, initial=initial, auto_id="set-%s")
        self.project = project
        self._offer(project, kind)
        for name in self._left_out(kind, campaign):
            del self.fields[name]
        dressed(self)

    def _offer(self, project: Project, kind: WorkKind) -> None:
        fields: Any = self.fields
        fields["guideline"].queryset = Guideline.objects.filter(
            project=project, kind=kind, published_at__isnull=False
        ).defer("body", "flags", "scales")
        fields["guideline"].label_from_instance = lambda one: f"version {one.version}"
        fields["guideline"].empty_label = None
        fields["cohort"].queryset = Cohort.objects.filter(project=project)
        fields["cohort"].empty_label = "everybody"
        fields["requires"].queryset = Qualification.objects.filter(project=project)
        fields["requires"].empty_label = "everybody"
        fields["for_each"].queryset = Cohort.objects.filter(project=project)
        fields["skip_policy"].choices = [
            (Campaign.SkipPolicy.TO_OTHERS, "goes to others only"),
            (Campaign.SkipPolicy.BACK_LATER, "comes back to the same person after half an hour too"),
            (
                Campaign.SkipPolicy.WITHDRAW,
                "is withdrawn until somebody looks at it, where the reason lies in the task",
            ),
        ]
        fields["required"].choices = REQUIRABLE.get(kind, [])
        fields["overlap"].max_value = MOST_OVERLAP
        for name in ("lease_minutes", "correction_minutes"):
            fields[name].validators.append(_at_most(MOST_MINUTES, "minutes"))
        for name in ("extra", "gold_rate", "repeat_rate"):
            fields[name].required = False
        for name in OF_PROMPTS_ONLY:
            fields[name].validators.append(_at_most(1_000_000, "prompts"))

    def _left_out(self, kind: WorkKind, campaign: Campaign) -> Iterable[str]:
        if kind == WorkKind.PROMPT:
            yield "overlap"
        else:
            yield from OF_PROMPTS_ONLY
        if kind not in REQUIRABLE:
            yield from ("required", "extra")
        if not Qualification.objects.filter(project=self.project).exists():
            yield "requires"
        if campaign.pk or kind == WorkKind.PROMPT or not self._several_cohorts():
            yield "for_each"
        if kind != WorkKind.RANKING:
            yield "blind"
        if kind not in BESIDE_KINDS:
            yield from ("gold_rate", "repeat_rate")
        if kind == WorkKind.DEMONSTRATION:
            yield "correction_minutes"  # A demonstration goes to review instead.
        if campaign.pk:
            # The overlap has a page of its own, which says what changing it does.
            yield from (name for name in ("overlap",) if kind != WorkKind.PROMPT)
            if campaign.state != Campaign.State.DRAFT:
                later = [one.pk for one in later_versions(campaign)]
                fields: Any = self.fields
                offered = Guideline.objects.filter(pk__in=[campaign.guideline_id, *later])
                fields["guideline"].queryset = offered.order_by("-version").defer("body", "flags", "scales")
                fields["guideline"].help_text = "a later one that asks the same; what is in hand is finished as it was"
                yield from (name for name in WHILE_DRAFT if name in self.fields and (name != "guideline" or not later))

    def _several_cohorts(self) -> bool:
        return Cohort.objects.filter(project=self.project).count() > 1

    def clean_for_each(self) -> list[Cohort]:
        chosen = list(self.cleaned_data["for_each"])
        if len(chosen) == 1:
            raise forms.ValidationError("One cohort is compared with nothing: choose another, or set it as the cohort.")
        if chosen and self.cleaned_data.get("cohort"):
            raise forms.ValidationError("The campaign is for one cohort, set above; choose one or the other.")
        return chosen

    def clean_extra(self) -> int:
        return self._number("extra")

    def clean_gold_rate(self) -> int:
        return self._number("gold_rate")

    def clean_repeat_rate(self) -> int:
        return self._number("repeat_rate")

    def _number(self, name: str) -> int:
        """Left empty it is none; left out it stays."""
        said = self.cleaned_data[name]
        return int(said if said is not None else 0 if name in self.data else getattr(self.instance, name))

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        same = Campaign.objects.filter(project=self.project, name=name).exclude(pk=self.instance.pk)
        if same.exists():
            raise forms.ValidationError(f"There is a campaign “{name}” already; give this one another name.")
        return name


def _at_most(most: int, unit: str) -> Any:
    def check(value: int) -> None:
        if value > most:
            raise forms.ValidationError(f"{value:,} is too many {unit}; at most {most:,}.")

    return check


@dataclass(frozen=True)
class Writer:
    """Whose responses can be chosen. value: a generator's id, or "people"."""

    value: str
    words: str


PEOPLE = "people"


class ChoiceForm(forms.Form):
    """Which prompts, and whose responses to them, the tasks are made of."""

    split = forms.ChoiceField(required=False, choices=[ANY, *Prompt.Split.choices])
    use_case = forms.ChoiceField(label="Use case", required=False, choices=[ANY, *Prompt.UseCase.choices])
    origin = forms.ChoiceField(required=False, choices=[ANY, *Prompt.Origin.choices])
    prompts = forms.IntegerField(
        label="Prompts", min_value=1, max_value=MOST_PROMPTS, initial=100, help_text="at most so many, drawn by chance"
    )
    seed = forms.IntegerField(
        label="Seed", min_value=0, max_value=2**31, initial=1, help_text="the same seed draws the same prompts"
    )
    unanswered = forms.BooleanField(label="Only prompts without a demonstration", required=False, initial=True)
    writers = forms.MultipleChoiceField(
        label="Responses by", required=False, widget=forms.CheckboxSelectMultiple, help_text="labelers never see whose"
    )
    shown = forms.IntegerField(
        label="Responses a task", min_value=FEWEST_SHOWN, max_value=MOST_SHOWN, initial=4,
        help_text=f"{FEWEST_SHOWN} to {MOST_SHOWN}; a prompt with fewer shows what it has",
    )  # fmt: skip
    personal_data = forms.BooleanField(label="Also prompts that seem to hold personal data", required=False)

    def __init__(self, typed: Typed | None = None, *, project: Project, kind: WorkKind) -> None:
        super().__init__(typed, auto_id="choose-%s")
        self.kind = kind
        if kind == WorkKind.DEMONSTRATION:
            left_out = ["writers", "shown"]
        else:
            left_out = ["unanswered"] if kind == WorkKind.RANKING else ["unanswered", "shown"]
            fields: Any = self.fields
            fields["writers"].choices = [(one.value, one.words) for one in writers_of(project)]
            if kind == WorkKind.RATING:
                fields["split"].initial = Prompt.Split.TEST
                fields["prompts"].help_text = "at most so many, drawn by chance; each makes a task for every writer"
        for name in left_out:
            del self.fields[name]
        dressed(self)

    def clean_writers(self) -> list[str]:
        chosen = list(self.cleaned_data["writers"])
        if not chosen:
            raise forms.ValidationError("Choose at least one whose responses are to be judged.")
        return chosen

    @property
    def choice(self) -> Choice:
        """Needs is_valid()."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "writers"}
        writers = self.cleaned_data.get("writers", [])
        generators = tuple(int(value) for value in writers if value != PEOPLE)
        return Choice(kind=self.kind, generators=generators, people=PEOPLE in writers, **said)


def writers_of(project: Project) -> list[Writer]:
    """Generators with how many responses they have here, the newest first, then people (one query)."""
    generators = Generator.objects.filter(project=project).annotate(many=Count("responses")).order_by("-pk")
    found = [Writer(str(one.pk), f"{one.name} ({one.many:,})") for one in generators.filter(many__gt=0)]
    return [*found, Writer(PEOPLE, "people, as demonstrations")]
