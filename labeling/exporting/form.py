"""The form that chooses an export: a field for each parameter that says something of this kind of record.

It offers what there is; whether what was sent has a meaning is decided where every export is read (asked.py).
"""

from collections.abc import Mapping
from typing import Any

from django import forms

from labeling.exporting.asked import MARGINS, PARAMETERS, TIES
from labeling.exporting.formats import FORMATS
from labeling.exporting.layouts import LAYOUTS, layouts_of
from labeling.exporting.weighing import HEAVIEST, LIGHTEST
from labeling.models import Campaign, Cohort, Project
from labeling.records import REVIEWS, SPLITS, Kind
from labeling.selecting import WORK_KINDS

ANY = ("", "any")
IN_WORDS = {
    "format": "Format",
    "layout": "Layout",
    "split": "Split",
    "campaign": "Campaign",
    "round": "Round",
    "cohort": "Cohort",
    "weight": "Weight of labelers, at least",
    "since": "Said since",
    "until": "Said until",
    "review": "Review",
    "simulated": "Simulated labelers too",
    "surplus": "What is beyond the overlap too",
    "withdrawn": "What was withdrawn too",
    "adjudicated": "Decisions where labelers disagreed too",
    "ties": "Ties",
    "margin": "Margin",
}
FORMAT_WORDS = {
    "jsonl": "JSON lines",
    "jsonl.gz": "JSON lines, gzip",
    "jsonl.zst": "JSON lines, zstd",
    "parquet": "Parquet",
    "csv": "CSV, for looking",
}
TIE_WORDS = {"": "as the layout has it", "keep": "kept, marked", "drop": "dropped", "both": "each once either way"}
BOXES: dict[str, dict[str, Any]] = {
    "since": {"type": "date"},
    "until": {"type": "date"},
    "round": {"type": "number", "min": "1"},
    "weight": {"type": "number", "min": LIGHTEST, "max": HEAVIEST, "step": "0.05"},
}
HINTS = {"weight": f"{LIGHTEST:g} to {HEAVIEST:g}; 1 is the mean"}
TICKED = ("simulated", "surplus", "withdrawn", "adjudicated")


class ExportForm(forms.Form):
    def __init__(self, project: Project, kind: Kind, typed: Mapping[str, str]) -> None:
        super().__init__(typed, auto_id="export-%s")
        choices = _choices(project, kind)
        for name, kinds in PARAMETERS.items():
            if kind in kinds and (name not in choices or len(choices[name]) > 1):
                self.fields[name] = _field(name, choices.get(name))


def _field(name: str, choices: list[tuple[str, str]] | None) -> forms.Field:
    label = IN_WORDS[name]
    if name in TICKED:
        return forms.BooleanField(label=label, required=False, widget=forms.CheckboxInput(attrs={"value": "true"}))
    attributes: dict[str, Any] = {"class": "field__input"}
    if choices is not None:
        return forms.ChoiceField(label=label, required=False, choices=choices, widget=forms.Select(attrs=attributes))
    widget = forms.TextInput(attrs=attributes | BOXES[name])
    return forms.CharField(label=label, required=False, widget=widget, help_text=HINTS.get(name, ""))


def _choices(project: Project, kind: Kind) -> dict[str, list[tuple[str, str]]]:
    campaigns = Campaign.objects.filter(project=project)
    campaigns = campaigns.filter(kind=WORK_KINDS.get(kind, str(kind))).exclude(cohort__in=Cohort.objects.by_rule())
    cohorts = Cohort.objects.by_hand().filter(project=project).values_list("name", flat=True)
    return {
        "format": [(name, FORMAT_WORDS[name]) for name in FORMATS],
        "layout": [("", "records, or a table")]
        + [(name, f"{name.replace('_', ' ')}: {LAYOUTS[kind, name].loads}") for name in layouts_of(kind)],
        "split": [ANY, *((name, name) for name in SPLITS)],
        "campaign": [ANY, *((name, name) for name in campaigns.order_by("name").values_list("name", flat=True))],
        "cohort": [ANY, *((name, name) for name in cohorts)],
        "review": [ANY, *((name, name) for name in REVIEWS)],
        "ties": [(name, TIE_WORDS[name]) for name in ("", *TIES)],
        "margin": [(name, "none" if name == "none" else f"by {name}") for name in MARGINS],
    }
