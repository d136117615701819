"""External models in an evaluation: their responses to held-out prompts were imported, and are rated among the others.

Where one is compared, only prompts that it answered are asked of the others, so that all are compared on the same.
"""

from collections.abc import Collection
from dataclasses import replace

from django.db.models import Count, Q

from labeling.models import Generator
from training.errors import LaunchRefused
from training.models import Stage
from training.preflight import DATA_NEEDS, query_of
from training.snapshot_rows import Query, prompts_asked_for

FEWEST_ANSWERED = 10
"""Held-out prompts that an external model has to answer: of fewer no interval means anything."""


def externals(stage: Stage, *, most: int) -> list[tuple[Generator, int]]:
    """External generators of the project with how many held-out prompts they answer, the most first (one query)."""
    asked = prompts_asked_for(stage.round.project, _held_out(stage))
    answered = Count("responses__prompt", filter=Q(responses__prompt__in=asked), distinct=True)
    found = Generator.objects.filter(project=stage.round.project_id, kind=Generator.Kind.EXTERNAL)
    counted = found.annotate(answered=answered).filter(answered__gt=0).order_by("-answered", "name")[:most]
    return [(one, one.answered) for one in counted]


def externals_in(stage: Stage, asked: Collection[int]) -> tuple[Generator, ...]:
    """Those of these ids. Raises LaunchRefused where one is none, or too few prompts are answered by all of them."""
    if not asked:
        return ()
    wanted = sorted(set(asked))
    there = Generator.objects.in_bulk(wanted)
    for pk in wanted:
        if pk not in there or there[pk].project_id != stage.round.project_id or not _is_external(there[pk]):
            raise LaunchRefused(f"There is no external model {pk} in this project. Choose one that the form offers.")
    names = " and ".join(there[pk].name for pk in wanted)
    common = prompts_asked_for(stage.round.project, replace(_held_out(stage), answered_by=tuple(wanted))).count()
    if common < FEWEST_ANSWERED:
        answer = "answers" if len(wanted) == 1 else "all answer"
        raise LaunchRefused(
            f"{names} {answer} {common:,} of the held-out prompts (split test), and at least {FEWEST_ANSWERED} are "
            f"needed: everybody is compared on prompts that {names} answered. Import responses to more of them."
        )
    return tuple(there[pk] for pk in wanted)


def _is_external(one: Generator) -> bool:
    return one.kind == Generator.Kind.EXTERNAL


def _held_out(stage: Stage) -> Query:
    return query_of(stage.round, DATA_NEEDS[Stage.Kind.EVALUATE][0])
