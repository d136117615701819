"""Texts of a stage for people to read: what it wrote to samples.jsonl, or what was sampled and taken in.

Both are untrusted: a line that is no sample is passed over, and of a long file only the end is read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models.fields.json import KeyTextTransform

from labeling.browsing.filters import query_with
from labeling.browsing.sheets import place_of
from labeling.models import Response
from training.conditions import TOLD
from training.following import last_lines, shown_text
from training.models import Job
from training.run_folders import run_folder
from training.views.stage_cards import signed

ROWS = 10
CHARACTERS = 4000
READ_BYTES = 2 << 20
READ_LINES = 5000
STEPS_OFFERED = 200


@dataclass(frozen=True)
class Sample:
    """A text to read. score and kl: as far as the stage knows them. told: the key of the condition that the model was
    told. response: its row, where it has one."""

    step: int
    prompt: str
    text: str
    score: str = ""
    kl: str = ""
    cut: bool = False
    told: str = ""
    response: Response | None = None


@dataclass(frozen=True)
class Reading:
    """One page of samples. steps: those that can be asked for, the newest first. step: the one shown, None for all.

    newer, older: queries of the neighbouring pages, or empty.
    """

    samples: Sequence[Sample] = ()
    steps: Sequence[int] = ()
    step: int | None = None
    many: int = 0
    conditions: Sequence[str] = ()
    """Keys that the models of a sample job were told."""
    told: str = ""
    """The one that is shown, empty for all."""
    newer: str = ""
    older: str = ""


def reading_of(job: Job, typed: Mapping[str, str]) -> Reading:
    """What ?step=STEP&told=KEY&sheet=NUMBER asks for; what is none of these is the newest of all."""
    if job.kind == Job.Kind.SAMPLE:
        return _taken_from(job, typed)
    lines = last_lines(run_folder(job).samples, lines=READ_LINES, most_bytes=READ_BYTES).splitlines()
    told = [sample for line in reversed(lines) if (sample := _sample(line)) is not None]
    steps = list(dict.fromkeys(sample.step for sample in told))[:STEPS_OFFERED]
    asked = place_of(typed.get("step", ""))
    step = asked if asked in steps else None
    chosen = [sample for sample in told if step is None or sample.step == step]
    page = Paginator(chosen, ROWS).get_page(typed.get("sheet", "1"))
    return _reading(list(page.object_list), page, typed, steps=steps, step=step)


def _taken_from(job: Job, typed: Mapping[str, str]) -> Reading:
    taken = Response.objects.filter(prompt__project=job.project_id, sampling__job=job.pk)
    keys = conditions_of(job)
    told = typed.get("told", "") if typed.get("told", "") in keys else ""
    if told:
        taken = taken.filter(**{f"sampling__{TOLD}": told})
    if keys:
        taken = taken.annotate(condition=KeyTextTransform(TOLD, "sampling"))
    paginator = Paginator(taken.select_related("prompt").defer("sampling").order_by("pk"), ROWS)
    sheet = paginator.get_page(typed.get("sheet", "1"))
    samples = [_taken_in(one, job) for one in sheet.object_list]
    return _reading(samples, sheet, typed, conditions=keys, told=told)


def conditions_of(job: Job) -> list[str]:
    """What the models of a sample job were told, by key."""
    one = (job.config.get("sample") or {}).get("condition")
    return sorted({*job.asks.get("told", {}).values(), *([one] if one else [])})


def _reading(samples: Sequence[Sample], sheet: Page[Any], typed: Mapping[str, str], **more: Any) -> Reading:
    return Reading(
        samples=samples,
        many=sheet.paginator.count,
        newer=query_with(typed, sheet=str(sheet.number - 1)) if sheet.has_previous() else "",
        older=query_with(typed, sheet=str(sheet.number + 1)) if sheet.has_next() else "",
        **more,
    )


def _taken_in(one: Response, job: Job) -> Sample:
    return Sample(
        job.step, one.prompt.last_turn[:CHARACTERS], one.text[:CHARACTERS], cut=one.finish_reason == "length",
        told=getattr(one, "condition", None) or "", response=one,
    )  # fmt: skip


def _sample(line: str) -> Sample | None:
    """None for a line that is cut or no sample."""
    try:
        row = json.loads(line)
        prompt = str(row.get("prompt_text", row["prompt"]))
        return Sample(
            step=int(row["step"]), prompt=shown_text(prompt[:CHARACTERS]),
            text=shown_text(str(row["text"])[:CHARACTERS]), score=_rounded(row.get("score")),
            kl=_rounded(row.get("kl")), cut=row.get("finish") == "length" or row.get("ended") is False,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _rounded(value: object) -> str:
    return signed(f"{value:.2f}") if isinstance(value, int | float) else ""
