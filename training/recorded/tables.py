"""What is recorded of a project: the tables and their columns, and where numbers of rows stand within JSON.

A link is written as the place of the row in its table (the first is 0), a time in milliseconds since 1970. What a row
gets anew where it is loaded (its project, its keys, the addresses of files) is not written; loading.py sets it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import models

from labeling.models import (
    Assignment,
    Campaign,
    Cohort,
    CohortMember,
    Generator,
    Guideline,
    Judgment,
    Labeler,
    Prompt,
    Response,
    Submission,
    Task,
    TaskResponse,
)
from training.models import Checkpoint, Job, JobInput, Metric, Round, Snapshot, Stage

Renumber = Callable[[type[models.Model], int], int]
"""The number that a row of this model has on the other side."""
Translate = Callable[[Any, Renumber], Any]
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Table:
    """columns: names of fields. numbers: of JSON columns that hold primary keys, how they are translated."""

    model: type[models.Model]
    columns: tuple[str, ...]
    numbers: Mapping[str, Translate] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        return str(self.model._meta.model_name)

    def field(self, column: str) -> "models.Field[Any, Any]":
        found = self.model._meta.get_field(column)
        assert isinstance(found, models.Field)
        return found

    def link(self, column: str) -> type[models.Model] | None:
        """The model that a column points to."""
        found = self.field(column)
        return found.related_model if isinstance(found, models.ForeignKey) else None

    def is_time(self, column: str) -> bool:
        return isinstance(self.field(column), models.DateTimeField)


def milliseconds(time: datetime) -> int:
    """Cut, never rounded up: what came before something still does."""
    return (time - EPOCH) // MILLISECOND


def time_at(milliseconds: int) -> datetime:
    return EPOCH + milliseconds * MILLISECOND


# --- numbers within JSON ----------------------------------------------------------------------------------------------


def in_recipe(recipe: Mapping[str, Any], to: Renumber) -> dict[str, Any]:
    found = dict(recipe)
    for key in ("base", "policy"):
        if found.get(key) is not None:
            found[key] = to(Checkpoint, found[key])
    asked = found.get("evaluation", {})
    if asked.get("others"):
        found["evaluation"] = asked | {"others": [to(Checkpoint, one) for one in asked["others"]]}
    audience = found.get("audience", {})
    if audience.get("conditions"):
        told = [one | {"cohort": to(Cohort, one["cohort"])} for one in audience["conditions"]]
        found["audience"] = audience | {"conditions": told}
    return found


def in_config(config: Mapping[str, Any], to: Renumber) -> Any:
    found = in_names(dict(config), to)
    return found | {"job": str(to(Job, int(config["job"])))} if "job" in config else found


def in_names(value: Any, to: Renumber) -> Any:
    """Models of other rounds are called "other-12" in a run folder, after the checkpoint."""
    if isinstance(value, str):
        return OTHER.sub(lambda match: f"other-{to(Checkpoint, int(match[1]))}", value)
    if isinstance(value, list):
        return [in_names(one, to) for one in value]
    if isinstance(value, dict):
        return {in_names(key, to): in_names(one, to) for key, one in value.items()}
    return value


OTHER = re.compile(r"\bother-(\d+)\b")


def in_asks(asks: Mapping[str, Any], to: Renumber) -> dict[str, Any]:
    if "guideline" not in asks:
        return dict(asks)
    found: dict[str, Any] = in_names(dict(asks), to) | {"guideline": to(Guideline, asks["guideline"])}
    return found | {"external": [to(Generator, one) for one in asks["external"]]} if asks.get("external") else found


def in_report(report: Mapping[str, Any] | None, to: Renumber) -> Any:
    if not report or "rating" not in report:
        return in_names(report, to)
    rating = report["rating"]
    return in_names(dict(report), to) | {"rating": {**rating, "campaign": to(Campaign, rating["campaign"])}}


def in_query(query: Mapping[str, Any], to: Renumber) -> dict[str, Any]:
    found = dict(query)
    kinds: tuple[tuple[str, type[models.Model]], ...] = (
        ("campaigns", Campaign), ("tokens_of", Generator), ("answered_by", Generator), ("among", Cohort)
    )  # fmt: skip
    for key, model in kinds:
        if found.get(key):
            found[key] = [to(model, one) for one in found[key]]
    return found


def in_sampling(sampling: Mapping[str, Any], to: Renumber) -> dict[str, Any]:
    return {**sampling, "job": to(Job, sampling["job"])} if "job" in sampling else dict(sampling)


def in_order(order: list[int], to: Renumber) -> list[int]:
    return [to(Response, one) for one in order]


# --- the tables -------------------------------------------------------------------------------------------------------

PARENTS = Checkpoint.parents.through
FROZEN = Snapshot.submissions.through

TABLES = (
    Table(Cohort, ("name", "about", "created_at")),
    Table(Labeler, ("pseudonym", "source", "created_at")),
    Table(CohortMember, ("cohort", "labeler", "since", "until")),
    Table(Guideline, ("kind", "version", "body", "flags", "scales", "changes", "published_at")),
    Table(
        Prompt,
        ("messages", "use_case", "style", "origin", "group_key", "language", "split", "external_id", "created_at"),
    ),
    Table(Generator, ("name", "kind", "created_at")),
    Table(Round, ("number", "recipe", "runs_itself", "state", "created_at"), {"recipe": in_recipe}),
    Table(
        Campaign,
        ("name", "kind", "guideline", "overlap", "required", "cohort", "lease_minutes", "correction_minutes", "blind",
         "created_at"),
    ),
    Table(Stage, ("round", "kind", "place", "state", "waits_for", "campaign", "job")),
    Table(
        Job,
        ("stage", "kind", "config", "asks", "queue", "state", "attempt", "step", "steps", "checkpoint_step",
         "stopped_early", "error", "report", "created_at", "started_at", "finished_at"),
        {"config": in_config, "asks": in_asks, "report": in_report},
    ),
    Table(Checkpoint, ("kind", "name", "generator", "job", "sha256", "created_at")),
    Table(PARENTS, ("from_checkpoint", "to_checkpoint")),
    Table(Snapshot, ("kind", "query", "rows", "bytes", "sha256", "report", "created_at"), {"query": in_query}),
    Table(JobInput, ("job", "role", "snapshot", "checkpoint"), {"role": in_names}),
    Table(
        Response,
        ("prompt", "generator", "labeler", "text", "sampling", "token_count", "finish_reason", "review_state",
         "created_at"),
        {"sampling": in_sampling},
    ),
    Table(Task, ("campaign", "prompt", "overlap", "open_slots", "position", "created_at")),
    Table(TaskResponse, ("task", "response", "place")),
    Table(
        Assignment,
        ("task", "campaign", "labeler", "occurrence", "state", "order", "opened_at", "current_submission",
         "created_at"),
        {"order": in_order},
    ),
    Table(
        Submission,
        ("assignment", "number", "counted", "verdict", "strength", "note", "active_ms", "guideline", "submitted_at"),
    ),
    Table(Judgment, ("submission", "response", "rank", "ratings", "flags", "note")),
    Table(FROZEN, ("snapshot", "submission")),
    Table(Metric, ("job", "step", "split", "values")),
)  # fmt: skip
"""Rows may point forward; links are checked when all of them are in."""
