"""The datasheet of an export: what its members mean, how much of what is in it, by which rules it was made, and what
may be done with it. Aggregates only: no text, no name, no pseudonym."""

from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from labeling.exporting.asked import Asked
from labeling.exporting.layouts import RECORDS, members_of
from labeling.models import Guideline, Labeler, Prompt
from labeling.records import Kind, time_text
from labeling.selecting import (
    Selection,
    assignments_of,
    chosen_demonstrations,
    chosen_prompts,
    chosen_tasks,
)

Sheet = dict[str, Any]
FORMAT = "https://arxiv.org/abs/1803.09010"
"""Datasheets for datasets (Gebru et al. 2018): what such a sheet answers."""


def datasheet_of(asked: Asked, *, as_of: datetime, rows: int) -> Sheet:
    """A few counting queries, made at the moment of asking."""
    prompts = _prompts_of(asked)
    return {
        "project": asked.project.name,
        "about": asked.project.about,
        "records": str(asked.kind),
        "layout": asked.layout.name,
        "format": asked.format.name,
        "chosen": dict(asked.query),
        "as_of": time_text(as_of),
        "rows": rows,
        "members": _members(asked),
        "prompts": prompts.count(),
        "prompts_by_split": _tally(prompts, "split"),
        "prompts_by_use_case": _tally(prompts, "use_case"),
        "prompts_by_language": _tally(prompts, "language"),
        "prompts_by_origin": _tally(prompts, "origin"),
        "prompts_that_seem_to_hold_personal_data": prompts.exclude(personal_data=[]).count(),
        "labelers": _labelers(asked),
        "guidelines": _guidelines(asked),
        "licence": asked.project.licence,
        "consent": _tally(prompts.exclude(consent=""), "consent"),
        "prompts_without_a_stated_consent": prompts.filter(consent="", origin=Prompt.Origin.CUSTOMER).count(),
        "left_out": _left_out(asked.selection),
    }


def _members(asked: Asked) -> list[Sheet] | str:
    if asked.layout.name == RECORDS:
        return "docs/records.md"
    return [
        {"name": member.name, "type": member.type, "meaning": member.meaning}
        for member in members_of(asked.layout, asked.selection)
    ]


def _prompts_of(asked: Asked) -> QuerySet[Prompt]:
    selection, project = asked.selection, asked.project
    if asked.kind is Kind.PROMPT:
        return chosen_prompts(project, selection)
    if asked.kind is Kind.DEMONSTRATION:
        of: Any = chosen_demonstrations(project, selection).values("prompt")
    else:
        of = chosen_tasks(project, asked.kind, selection).order_by().values("prompt")
    return Prompt.objects.filter(pk__in=of)


def _tally(prompts: QuerySet[Prompt], name: str) -> dict[str, int]:
    return dict(prompts.order_by(name).values_list(name).annotate(Count("pk", distinct=True)))


def _labelers(asked: Asked) -> dict[str, int]:
    """How many people, by where they come from."""
    if asked.kind is Kind.DEMONSTRATION:
        of: Any = chosen_demonstrations(asked.project, asked.selection).order_by().values("labeler")
    elif asked.kind in (Kind.PROMPT, Kind.CANDIDATES):
        return {}
    else:
        of = assignments_of(asked.project, asked.kind, asked.selection).order_by().values("labeler")
    found = Labeler.objects.filter(pk__in=of)
    return dict(found.order_by("source").values_list("source").annotate(Count("pk")))


def _guidelines(asked: Asked) -> list[Sheet]:
    """The versions that people worked by, and how many judgments each."""
    if asked.kind in (Kind.PROMPT, Kind.CANDIDATES):
        return []
    if asked.kind is Kind.DEMONSTRATION:
        of: Any = chosen_demonstrations(asked.project, asked.selection).exclude(submission=None)
        path = "submission__guideline"
    else:
        of = assignments_of(asked.project, asked.kind, asked.selection)
        path = "current_submission__guideline"
    counts = dict(of.order_by(path).values_list(path).annotate(Count("pk")))
    return [
        {
            "kind": one.kind,
            "version": one.version,
            "published": time_text(one.published_at) if one.published_at else None,
            "judgments": counts[one.pk],
        }
        for one in Guideline.objects.filter(pk__in=counts).order_by("kind", "version")
    ]


def _left_out(selection: Selection) -> list[str]:
    """What is not in it by rule."""
    found = ["earlier versions of corrected submissions", "hidden repeats"]
    if not selection.simulated:
        found.append("simulated labelers")
    if not selection.surplus:
        found.append("submissions beyond the overlap")
    if not selection.withdrawn:
        found.append("withdrawn submissions")
    if not selection.adjudicated:
        found.append("adjudications")
    return found


def as_markdown(sheet: Sheet) -> str:
    """To be read, and kept beside the file."""
    head = f"# Datasheet: {sheet['records']} of {sheet['project']}\n"
    facts = [
        f"{sheet['rows']:,} rows, layout `{sheet['layout']}`, format `{sheet['format']}`, as of {sheet['as_of']}.",
        "Chosen: " + (", ".join(f"`{name}` {value}" for name, value in sheet["chosen"].items()) or "everything") + ".",
        "Not in it: " + "; ".join(sheet["left_out"]) + ".",
    ]
    parts = [head, "\n".join(facts)]
    if sheet["about"]:
        parts.append(f"## What it is for\n\n{sheet['about']}")
    parts.append(f"## Licence and consent\n\n{_licence(sheet)}")
    parts.append(f"## Prompts\n\n{_prompts(sheet)}")
    if sheet["labelers"]:
        people = ", ".join(f"{number:,} {source}" for source, number in sheet["labelers"].items())
        parts.append(f"## Labelers\n\n{people}. They appear under pseudonyms that mean one person in this project.")
    if sheet["guidelines"]:
        lines = [
            f"- {one['kind']} guideline, version {one['version']}"
            f"{', published ' + one['published'] if one['published'] else ''}: {one['judgments']:,} judgments"
            for one in sheet["guidelines"]
        ]
        parts.append("## Guidelines\n\n" + "\n".join(lines))
    parts.append(f"## Members\n\n{_members_list(sheet)}")
    return "\n\n".join(parts) + "\n"


def _licence(sheet: Sheet) -> str:
    lines = [f"Licence: {sheet['licence'] or 'none is stated; ask the owners of the project before it goes further'}."]
    lines += [f"- {number:,} prompts with the consent “{words}”" for words, number in sheet["consent"].items()]
    if sheet["prompts_without_a_stated_consent"]:
        lines.append(f"- {sheet['prompts_without_a_stated_consent']:,} prompts of customers without a stated consent")
    seem = sheet["prompts_that_seem_to_hold_personal_data"]
    lines.append(f"- {seem:,} prompts seem to hold personal data, by their shape")
    return "\n".join(lines)


def _prompts(sheet: Sheet) -> str:
    def said(name: str) -> str:
        return ", ".join(f"{key} {number:,}" for key, number in sheet[f"prompts_by_{name}"].items()) or "none"

    lines = [f"{sheet['prompts']:,} different ones."]
    named = (("split", "split"), ("use_case", "use case"), ("language", "language"), ("origin", "origin"))
    lines += [f"- by {words}: {said(name)}" for name, words in named]
    return "\n".join(lines)


def _members_list(sheet: Sheet) -> str:
    if isinstance(sheet["members"], str):
        return "Accord's records: docs/records.md describes each member."
    return "\n".join(f"- `{one['name']}` ({one['type']}): {one['meaning']}" for one in sheet["members"])
