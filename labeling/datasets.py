"""What people said, as records again: prompts, demonstrations, candidates, rankings, comparisons and ratings.

Nothing is merged into a consensus; every labeler's judgment stands by itself, under the pseudonym. What is asked for is
said by a Selection (labeling/selecting.py). Records come in the order of their rows, a batch at a time, so memory does
not grow with their number.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import TypeVar

from django.db.models import Model, QuerySet

from labeling.models import (
    Adjudication,
    Assignment,
    Campaign,
    ImportedRecord,
    Judgment,
    Labeler,
    Project,
    Prompt,
    Response,
    Submission,
    Task,
    TaskResponse,
)
from labeling.record_lines import line_of
from labeling.records import Judged, Kind, PromptText, Record, ResponseText
from labeling.selecting import (
    Selection,
    chosen_assignments,
    chosen_demonstrations,
    chosen_prompts,
    chosen_tasks,
    counted,
)

__all__ = ["Selection", "counted", "lines_of", "own_id", "records_of"]

FIRST_BATCH_ROWS = 20
BATCH_ROWS = 500
SAID_IN = "submission__assignment__campaign__cohort"

Row = TypeVar("Row", bound=Model)


def records_of(project: Project, kind: Kind, selection: Selection | None = None) -> Iterator[Record]:
    """The project's records of a kind. Every batch of rows costs six queries at most."""
    return _MAKERS[kind](project, selection or Selection())


def lines_of(project: Project, kind: Kind, selection: Selection | None = None) -> Iterator[bytes]:
    """The same as JSON lines, some of them at a time."""
    waiting: list[bytes] = []
    size = FIRST_BATCH_ROWS
    for record in records_of(project, kind, selection):
        waiting.append(line_of(record))
        if len(waiting) == size:
            yield b"".join(waiting)
            waiting, size = [], BATCH_ROWS
    if waiting:
        yield b"".join(waiting)


def _batches(rows: QuerySet[Row]) -> Iterator[list[Row]]:
    """In the order of the primary key, each batch beginning where the last one ended; the first is small, so that a
    reader does not wait for it."""
    last, size = 0, FIRST_BATCH_ROWS
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:size]):
        yield batch
        last, size = batch[-1].pk, BATCH_ROWS


# --- texts ------------------------------------------------------------------------------------------------------------


def _prompts(project: Project, selection: Selection) -> Iterator[Record]:
    found = chosen_prompts(project, selection).select_related(SAID_IN)
    for batch in _batches(found):
        for prompt in batch:
            text = _prompt_text(prompt, project)
            yield Record(Kind.PROMPT, text.id, text, campaign=_campaign_of(prompt.submission))


def _demonstrations(project: Project, selection: Selection) -> Iterator[Record]:
    found = chosen_demonstrations(project, selection)
    for batch in _batches(found.select_related("prompt", "labeler", "generator", SAID_IN)):
        imported = ImportedRecord.objects.filter(kind=Kind.DEMONSTRATION, response__in=batch).order_by("-pk")
        ids = dict(imported.values_list("response_id", "external_id"))
        for response in batch:
            text = _response_text(response, project)
            yield Record(
                Kind.DEMONSTRATION,
                ids.get(response.pk) or text.id,
                _prompt_text(response.prompt, project),
                (text,),
                review=response.review_state,
                aside=_aside(response.submission),
                campaign=_campaign_of(response.submission),
            )


def _campaign_of(submission: Submission | None) -> str:
    return _called(submission.assignment.campaign) if submission else ""


def _called(campaign: Campaign) -> str:
    """Nothing where its name would tell who is in a cohort that a rule fills."""
    return "" if campaign.kept_by_rule else campaign.name


def _aside(submission: Submission | None) -> str:
    """Why the submission does not count: of records.ASIDES, or ""."""
    if submission is None or (submission.counted and submission.withdrawn_at is None):
        return ""
    return "surplus" if submission.withdrawn_at is None else "withdrawn"


def _prompt_text(prompt: Prompt, project: Project) -> PromptText:
    return PromptText(
        messages=prompt.messages,
        id=prompt.external_id or own_id(project, "prompt", prompt.pk),
        use_case=prompt.use_case,
        style=prompt.style,
        origin=prompt.origin,
        group_key=prompt.group_key,
        language=prompt.language,
        consent=prompt.consent,
        split=prompt.split,
    )


def _response_text(response: Response, project: Project) -> ResponseText:
    labeler = response.labeler
    return ResponseText(
        text=response.text,
        id=response.external_id or own_id(project, "response", response.pk),
        generator=response.generator.name if response.generator else None,
        labeler=labeler.pseudonym if labeler else None,
        simulated=labeler is not None and labeler.source == Labeler.Source.SIMULATED,
        finish_reason=response.finish_reason,
        token_count=response.token_count,
        sampling={name: value for name, value in response.sampling.items() if not isinstance(value, list | dict)},
    )


def own_id(project: Project, noun: str, pk: int) -> str:
    """The id in records of a row that came without one: tells where it is from, and is no other project's."""
    return f"{project.slug}/{noun}/{pk}"


# --- judgments --------------------------------------------------------------------------------------------------------


def _candidates(project: Project, selection: Selection) -> Iterator[Record]:
    """Responses that came in to be judged, and the judgments of which, if any, are other tasks'."""
    return _of_tasks(project, Kind.CANDIDATES, selection)


def _rankings(project: Project, selection: Selection) -> Iterator[Record]:
    return _of_tasks(project, Kind.RANKING, selection)


def _ratings(project: Project, selection: Selection) -> Iterator[Record]:
    return _of_tasks(project, Kind.RATING, selection)


def _of_tasks(project: Project, kind: Kind, selection: Selection) -> Iterator[Record]:
    for batch in _batches(chosen_tasks(project, kind, selection).select_related("prompt", "campaign__cohort")):
        yield from _task_records(batch, project, kind, selection)


def _comparisons(project: Project, selection: Selection) -> Iterator[Record]:
    """Every pair of every labeler's order. A comparison that came in as one goes out under its own id."""
    for batch in _batches(
        chosen_tasks(project, Kind.COMPARISON, selection).select_related("prompt", "campaign__cohort")
    ):
        imported = ImportedRecord.objects.filter(kind=Kind.COMPARISON, task__in=batch)
        ids = dict(imported.values_list("task_id", "external_id"))
        rankings = _task_records(batch, project, Kind.RANKING, selection)
        for task, ranking in zip(batch, rankings, strict=True):
            for comparison in _pairs(ranking, own=ids.get(task.pk)):
                if selection.ties == "keep" or not is_tie(comparison):
                    yield comparison
                elif selection.ties == "both":
                    yield comparison
                    yield turned(comparison)


def is_tie(comparison: Record) -> bool:
    return comparison.judged[0].ranks[0] == comparison.judged[0].ranks[1]


def _pairs(ranking: Record, *, own: str | None) -> Iterator[Record]:
    for judged in ranking.judged:
        for left, right in combinations(range(len(ranking.responses)), 2):
            ranks = judged.ranks[left], judged.ranks[right]
            if ranks[0] is None or ranks[1] is None:
                continue
            chosen, rejected = (left, right) if ranks[0] <= ranks[1] else (right, left)
            yield replace(
                ranking,
                kind=Kind.COMPARISON,
                id=own or comparison_id(ranking.id, judged.labeler, left, right),
                responses=(ranking.responses[chosen], ranking.responses[rejected]),
                judged=(_of_pair(judged, chosen, rejected, of=len(ranking.responses)),),
            )


def comparison_id(ranking_id: str, labeler: str, left: int, right: int) -> str:
    return f"{ranking_id}:{labeler}:{left}-{right}"


def turned(comparison: Record) -> Record:
    """A tie the other way round, under an id of its own."""
    (judged,) = comparison.judged
    order = tuple(1 - place for place in judged.order)
    overall = judged.margin_overall
    other = replace(judged, order=order, margin_overall=None if overall is None else -overall)
    responses = comparison.responses[::-1]
    return replace(comparison, id=f"{comparison.id}:turned", responses=responses, judged=(other,))


def _of_pair(judged: Judged, chosen: int, rejected: int, *, of: int) -> Judged:
    """What was said of two of the responses. Time and note belong to all of them: they stay only where two are all."""
    ranks = judged.ranks[chosen] or 0, judged.ranks[rejected] or 0
    overall = judged.ratings[chosen].get("overall"), judged.ratings[rejected].get("overall")
    order = [place for place in judged.order if place in (chosen, rejected)]
    return replace(
        judged,
        ranks=(1, 1) if ranks[0] == ranks[1] else (1, 2),
        ratings=({}, {}),
        flags=({}, {}),
        notes=("", ""),
        order=() if not order else (0, 1) if order[0] == chosen else (1, 0),
        verdict="",
        why="",
        note=judged.note if of == 2 else "",
        active_ms=judged.active_ms if of == 2 else None,
        margin_ranks=ranks[1] - ranks[0],
        margin_overall=None if overall[0] is None or overall[1] is None else overall[0] - overall[1],
    )


def _task_records(tasks: list[Task], project: Project, kind: Kind, selection: Selection) -> Iterator[Record]:
    """One record a task, in their order (four queries)."""
    ids = dict(ImportedRecord.objects.filter(kind=kind, task__in=tasks).values_list("task_id", "external_id"))
    responses = _responses_of(tasks)
    judged = {} if kind is Kind.CANDIDATES else _judged_of(tasks, responses, selection)
    for task in tasks:
        assert task.prompt is not None
        yield Record(
            kind,
            ids.get(task.pk) or own_id(project, "task", task.pk),
            _prompt_text(task.prompt, project),
            tuple(_response_text(response, project) for response in responses[task.pk]),
            tuple(judged.get(task.pk, [])),
            campaign=_called(task.campaign),
        )


def _responses_of(tasks: list[Task]) -> dict[int, list[Response]]:
    responses: dict[int, list[Response]] = {task.pk: [] for task in tasks}
    shown = TaskResponse.objects.filter(task__in=tasks).order_by("task", "place")
    for one in shown.select_related("response__generator", "response__labeler"):
        responses[one.task_id].append(one.response)
    return responses


def _judged_of(
    tasks: list[Task], responses: dict[int, list[Response]], selection: Selection
) -> dict[int, list[Judged]]:
    """By task, in the order in which the labelers took it up (two queries)."""
    assignments = list(
        chosen_assignments(selection)
        .filter(task__in=tasks)
        .select_related("labeler", "current_submission__guideline", "current_submission__adjudication")
        .order_by("pk")
    )
    said: dict[tuple[int, int], Judgment] = {}
    submissions = [assignment.current_submission_id for assignment in assignments]
    for judgment in Judgment.objects.filter(submission__in=submissions).order_by():
        said[judgment.submission_id, judgment.response_id] = judgment
    judged: dict[int, list[Judged]] = {}
    for assignment in assignments:
        places = [response.pk for response in responses[assignment.task_id]]
        judged.setdefault(assignment.task_id, []).append(_judged(assignment, places, said))
    return judged


def _judged(assignment: Assignment, places: list[int], said: dict[tuple[int, int], Judgment]) -> Judged:
    """places: the ids of the task's responses."""
    submission = assignment.current_submission
    assert submission is not None
    judgments = [said.get((submission.pk, response)) for response in places]
    decision: Adjudication | None = getattr(submission, "adjudication", None)
    return Judged(
        labeler=assignment.labeler.pseudonym,
        ranks=tuple(one.rank if one else None for one in judgments),
        ratings=tuple(_answered(one.ratings) if one else {} for one in judgments),
        flags=tuple(_answered(one.flags) if one else {} for one in judgments),
        notes=tuple(one.note if one else "" for one in judgments),
        simulated=assignment.labeler.source == Labeler.Source.SIMULATED,
        order=tuple(map(places.index, assignment.order)) if sorted(assignment.order) == sorted(places) else (),
        verdict=submission.verdict,
        strength=submission.strength,
        note=submission.note,
        active_ms=submission.active_ms,
        submitted_at=submission.submitted_at,
        aside="adjudication" if decision else _aside(submission),
        why=decision.why if decision else "",
        guideline=f"{submission.guideline.kind} {submission.guideline.version}",
    )


Answer = TypeVar("Answer")


def _answered(answers: dict[str, Answer | None]) -> dict[str, Answer]:
    return {name: answer for name, answer in answers.items() if answer is not None}


_MAKERS: dict[Kind, Callable[[Project, Selection], Iterator[Record]]] = {
    Kind.PROMPT: _prompts,
    Kind.DEMONSTRATION: _demonstrations,
    Kind.CANDIDATES: _candidates,
    Kind.RANKING: _rankings,
    Kind.COMPARISON: _comparisons,
    Kind.RATING: _ratings,
}
