"""What somebody asks for, read from the parameters of an address or a form by a list of those that are known.

Nothing of a parameter reaches a query but through here: a name that is not on the list, a value that is not one of its
values, or a parameter that says nothing of this kind of record is refused in a sentence.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from labeling.errors import Refusal
from labeling.exporting.formats import FORMATS, Format
from labeling.exporting.layouts import LAYOUTS, RECORDS, TABLE, Layout, layouts_of
from labeling.exporting.weighing import HEAVIEST, LIGHTEST, labelers_of_weight
from labeling.models import Campaign, Cohort, Project
from labeling.records import REVIEWS, SPLITS, Kind
from labeling.selecting import Selection

YES_OR_NO = ("true", "false")
TIES = ("keep", "drop", "both")
MARGINS = ("none", "ranks", "overall", "strength")
KEPT = (
    "which is kept for a cohort that a rule fills from background answers, and its rows would tell by pseudonym who is"
    " in it"
)
DECIDED = ("preference", "unpaired")
"""Layouts whose rows cannot say that they are a tie."""

ALL = frozenset(Kind)
WRITTEN = frozenset({Kind.PROMPT, Kind.DEMONSTRATION})
JUDGED = frozenset({Kind.RANKING, Kind.COMPARISON, Kind.RATING})
PARAMETERS: dict[str, frozenset[Kind]] = {
    "format": ALL,
    "layout": ALL,
    "split": ALL,
    "campaign": ALL,
    "round": JUDGED | {Kind.CANDIDATES},
    "cohort": WRITTEN | JUDGED,
    "weight": JUDGED,
    "since": WRITTEN | JUDGED,
    "until": WRITTEN | JUDGED,
    "review": WRITTEN,
    "simulated": WRITTEN | JUDGED,
    "surplus": JUDGED | {Kind.DEMONSTRATION},
    "withdrawn": JUDGED | {Kind.DEMONSTRATION},
    "adjudicated": frozenset({Kind.RANKING, Kind.COMPARISON}),
    "ties": frozenset({Kind.COMPARISON}),
    "margin": frozenset({Kind.COMPARISON}),
}
"""Of which kinds of record each says something."""


class CannotExport(Refusal):
    """A parameter that is not known here, or has no such value."""

    code = "invalid_query"


@dataclass(frozen=True)
class Asked:
    """query: the parameters as they were given, those that say nothing left out."""

    project: Project
    kind: Kind
    layout: Layout
    format: Format
    selection: Selection
    query: Mapping[str, str]

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return stem_of(self.project, self.kind, self.layout)


def stem_of(project: Project, kind: Kind, layout: Layout) -> str:
    said = "" if layout.name in (RECORDS, TABLE) else f"-{layout.name}"
    return f"{project.slug}-{kind}{said}"


def parameters_of(kind: Kind) -> list[str]:
    return [name for name, kinds in PARAMETERS.items() if kind in kinds]


def read_asked(project: Project, kind: Kind, given: Mapping[str, str]) -> Asked:
    """Raises CannotExport."""
    known = parameters_of(kind)
    for name in given:
        if name not in known:
            raise CannotExport(f"The parameter {name[:60]!r} is not known here; known are: {', '.join(known)}.")
    query = {name: value for name, value in given.items() if value != ""}
    layout, chosen = shape_of(kind, query)
    return Asked(project, kind, layout, chosen, _selection(project, query, layout), query)


def shape_of(kind: Kind, query: Mapping[str, str]) -> tuple[Layout, Format]:
    """How the rows are laid out and written. Raises CannotExport."""
    chosen = FORMATS[_choice(query, "format", FORMATS, "jsonl")]
    layout = LAYOUTS[kind, _choice(query, "layout", layouts_of(kind), TABLE if chosen.typed else RECORDS)]
    if not chosen.takes(layout):
        raise CannotExport(
            f"layout is {layout.name!r}, whose rows differ in their members; {chosen.name} takes one of"
            f" {', '.join(name for name in layouts_of(kind) if name != RECORDS)}."
        )
    return layout, chosen


def _selection(project: Project, query: Mapping[str, str], layout: Layout) -> Selection:
    selection = Selection(
        split=_choice(query, "split", SPLITS, "") or None,
        campaign=_campaign(project, query),
        round=_round(project, query.get("round", "")),
        cohort=_cohort(project, query),
        labelers=_of_weight(project, query),
        since=_time(query, "since"),
        until=_time(query, "until"),
        review=_choice(query, "review", REVIEWS, "") or None,
        simulated=_yes(query, "simulated"),
        surplus=_yes(query, "surplus"),
        withdrawn=_yes(query, "withdrawn"),
        adjudicated=_yes(query, "adjudicated"),
    )
    if layout.kind is not Kind.COMPARISON:
        return selection
    decided = layout.name in DECIDED
    ties: Any = _choice(query, "ties", TIES, "drop" if decided else "keep")
    margin: Any = _choice(query, "margin", MARGINS, "none")
    if decided and ties == "keep":
        raise CannotExport(
            f"ties is 'keep', and a row of the layout {layout.name} cannot say that it is a tie; take drop, or both to"
            " have each tie once either way."
        )
    if margin != "none" and layout.name != "preference":
        raise CannotExport(
            f"margin is {margin!r}, which is for the layout preference; the layout table has margins in columns of"
            " their own."
        )
    return replace(selection, ties=ties, margin=margin)


def _choice(query: Mapping[str, str], name: str, choices: Iterable[str], default: str) -> str:
    value = query.get(name, default)
    if value not in choices and value != default:
        raise CannotExport(f"{name} is {value[:60]!r}; expected one of {', '.join(choices)}.")
    return value


def _yes(query: Mapping[str, str], name: str) -> bool:
    return _choice(query, name, YES_OR_NO, "false") == "true"


def _named(model: type[Any], project: Project, query: Mapping[str, str], name: str) -> Any:
    """The campaign or cohort of this name; by name, for names are what people know and ids tell of other projects."""
    value = query.get(name)
    if value is None:
        return None
    found = model.objects.filter(project=project, name=value).first() if "\x00" not in value else None
    if found is None:
        raise CannotExport(f"{name} is {value[:120]!r}; there is no {name} of this name in the project.")
    return found


def _cohort(project: Project, query: Mapping[str, str]) -> Cohort | None:
    found: Cohort | None = _named(Cohort, project, query, "cohort")
    if found is not None and found.by_rule:
        raise CannotExport(
            f"cohort is {found.name!r}, which a rule fills from background answers: who is in it does not go out row by"
            " row; leave cohort out, or name one filled by hand."
        )
    return found


def _campaign(project: Project, query: Mapping[str, str]) -> Campaign | None:
    found: Campaign | None = _named(Campaign, project, query, "campaign")
    if found is not None and found.kept_by_rule:
        raise CannotExport(f"campaign is {found.name!r}, {KEPT}; leave campaign out and take all.")
    return found


def _round(project: Project, value: str) -> int | None:
    if not value:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", value, flags=re.ASCII):
        raise CannotExport(f"round is {value[:60]!r}; expected the number of a round, as 2.")
    kept = Campaign.objects.filter(cohort__in=Cohort.objects.by_rule(), project=project)
    if found := kept.filter(stages__round__number=int(value), stages__round__project=project).first():
        raise CannotExport(
            f"round is {value}, which has the campaign {found.name!r}, {KEPT}; leave round out and take all."
        )
    return int(value)


def _of_weight(project: Project, query: Mapping[str, str]) -> frozenset[int] | None:
    value = query.get("weight")
    if value is None:
        return None
    if not re.fullmatch(r"[0-2](\.[0-9]{1,3})?", value, flags=re.ASCII) or not LIGHTEST <= float(value) <= HEAVIEST:
        raise CannotExport(
            f"weight is {value[:60]!r}; expected the least weight of a labeler, a number from {LIGHTEST} to"
            f" {HEAVIEST}, as 0.8."
        )
    return labelers_of_weight(project, float(value), simulated=_yes(query, "simulated"))


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    """A day (its beginning in UTC; as until, its end), or a time with its offset."""
    value = query.get(name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value) if value.isascii() else None
        if found is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return found.replace(tzinfo=UTC) + timedelta(days=1 if name == "until" else 0)
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise CannotExport(
        f"{name} is {value[:60]!r}; expected a day as 2026-03-01, or a time with its offset as 2026-03-01T09:30:00Z."
    )
