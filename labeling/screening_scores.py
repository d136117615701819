"""How far somebody is in a screening, and what they showed: for many tries in as many queries as for one.

A task is left, done, or will not be done. One that the labeler may leave at no cost is counted out: its texts hold what
they avoid, they would rather not read it, the words are their own or reviewed by them, or it was withdrawn. So nobody
is made to read what harms them, nor waits for what they are never handed. One that they skipped for another reason is
unanswered, and what is unanswered is wrong, or only what is easy would be answered. Where most of a try is counted out,
or nothing in it can judge, the cut-offs say nothing, and a person decides.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, F, QuerySet

from labeling.models import (
    Assignment,
    GoldAnswer,
    Grade,
    Judgment,
    Qualification,
    QualificationTry,
    Task,
    TaskResponse,
    WorkKind,
)
from labeling.reports.beside import answers_right, flags_of, pairs_right, problem_of, said_of

AssignmentState = Assignment.State

Said = Mapping[int, Judgment]
"""By response."""
Met = tuple[int, int]
"""A task and a labeler."""

LOWEST_GRADE = 1
"""Of a demonstration that was skipped."""


@dataclass(frozen=True)
class Progress:
    """left: tasks that can be done yet. done: submissions by task; skipped: unanswered; out: counted out. grades: means
    by task."""

    left: int
    done: Mapping[int, int]
    skipped: frozenset[int]
    out: frozenset[int]
    written: frozenset[int]
    grades: Mapping[int, float]
    asks_self: bool

    @property
    def ungraded(self) -> int:
        return len((self.written & self.done.keys()) - self.grades.keys())

    @property
    def complete(self) -> bool:
        return not (self.left or self.ungraded or self.asks_self)

    @property
    def judged(self) -> set[int]:
        return {*self.done, *self.skipped}


@dataclass(frozen=True)
class Standing:
    """scores: what can be told so far, None where nothing can. by_hand: why the cut-offs cannot decide it; empty where
    they can."""

    progress: Progress
    scores: Mapping[str, float | None]
    by_hand: str

    @property
    def decidable(self) -> bool:
        return self.progress.complete and not self.by_hand


def progress_of(qualification: Qualification, tries: Sequence[QualificationTry]) -> list[Progress]:
    """Eight queries, where the labelers are at hand."""
    tasks = list(
        Task.objects.filter(campaign__screening_of__qualification=qualification)
        .filter(campaign__screening_of__number__in={one.number for one in tries})
        .annotate(number=F("campaign__screening_of__number"), kind=F("campaign__kind"))
    )
    labelers = {one.labeler_id for one in tries}
    met: dict[Met, Assignment] = {}
    found = Assignment.objects.filter(task__in=[one.pk for one in tasks], labeler__in=labelers)
    for each in found.filter(current_submission__adjudication__isnull=True).order_by("-occurrence"):
        met[each.task_id, each.labeler_id] = each
    grades = dict(
        Grade.objects.filter(submission__in=[each.current_submission_id for each in met.values()])
        .values_list("submission")
        .annotate(mean=Avg("grade"))
        .order_by()
    )
    kept = _own_words([one.pk for one in tasks], labelers) | _reviewed([one.pk for one in tasks], tries)
    return [
        _progress(
            one, [task for task in tasks if vars(task)["number"] == one.number], met, kept, grades,
            asks_self=bool(qualification.self_assessed) and one.knows is None,
        )
        for one in tries
    ]  # fmt: skip


def _own_words(tasks: Collection[int], labelers: Collection[int]) -> set[Met]:
    shown = TaskResponse.objects.filter(task__in=tasks, response__labeler__in=labelers)
    asked = Task.objects.filter(pk__in=tasks, prompt__submission__assignment__labeler__in=labelers)
    return {
        *shown.values_list("task_id", "response__labeler_id"),
        *asked.values_list("pk", "prompt__submission__assignment__labeler_id"),
    }


def _reviewed(tasks: Collection[int], tries: Iterable[QualificationTry]) -> set[Met]:
    """What a labeler reviewed of a task, the words or an answer, keeps it from them (assigning.py)."""
    by_user = {one.labeler.user_id: one.labeler_id for one in tries if one.labeler.user_id is not None}
    response, prompt = "response__submission__assignment", "prompt__submission__assignment"
    asked: tuple[tuple[QuerySet[Any], str, str], ...] = (
        (TaskResponse.objects.filter(task__in=tasks), "task_id", f"{response}__submissions__reviews__reviewer"),
        (Task.objects.filter(pk__in=tasks), "pk", f"{prompt}__submissions__reviews__reviewer"),
        (Task.objects.filter(pk__in=tasks), "pk", "assignments__submissions__reviews__reviewer"),
    )
    return {
        (task, by_user[user])
        for rows, name, reviewer in asked
        for task, user in rows.filter(**{f"{reviewer}__in": by_user}).values_list(name, reviewer)
    }


def _progress(
    one: QualificationTry,
    tasks: Iterable[Task],
    met: Mapping[Met, Assignment],
    kept: Collection[Met],
    graded: Mapping[int, float],
    *,
    asks_self: bool,
) -> Progress:
    left, done = 0, dict[int, int]()
    skipped, out, written = set[int](), set[int](), set[int]()
    for task in tasks:
        assignment = met.get((task.pk, one.labeler_id))
        if vars(task)["kind"] == WorkKind.DEMONSTRATION:
            written.add(task.pk)
        if assignment is not None and assignment.current_submission_id is not None:
            done[task.pk] = assignment.current_submission_id
        elif assignment is not None and _is_skipped_for_good(assignment):
            (out if _is_free(assignment) else skipped).add(task.pk)
        elif assignment is not None and assignment.state == AssignmentState.LIVE:
            left += 1
        elif task.aside or task.content & one.labeler.avoids or (task.pk, one.labeler_id) in kept:
            out.add(task.pk)
        else:
            left += 1
    grades = {task: graded[submission] for task, submission in done.items() if submission in graded}
    return Progress(left, done, frozenset(skipped), frozenset(out), frozenset(written), grades, asks_self)


def _is_skipped_for_good(assignment: Assignment) -> bool:
    return assignment.state == AssignmentState.SKIPPED and assignment.skipped_until is None


def _is_free(assignment: Assignment) -> bool:
    from labeling.skipping import FREE_REASONS  # it takes back what assigning.py hands out, which asks this module

    return assignment.skip_reason in FREE_REASONS


def standings_of(qualification: Qualification, tries: Sequence[QualificationTry]) -> list[Standing]:
    """Twelve queries, where the labelers are at hand. Of a try that was decided: the scores that it was decided by."""
    progresses = progress_of(qualification, tries)
    gold = list(
        GoldAnswer.objects.filter(task__campaign__screening_of__qualification=qualification)
        .filter(task__campaign__screening_of__number__in={one.number for one in tries})
        .annotate(number=F("task__campaign__screening_of__number"))
        .select_related("task__campaign__guideline")
    )
    # Of candidates, those who passed can contradict gold; the others are not known to judge well.
    passed = QualificationTry.objects.filter(qualification=qualification, state=QualificationTry.State.PASSED)
    witnesses: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    for one in said_of(gold, Assignment.objects.filter(labeler__in=passed.values("labeler"))):
        witnesses[one.task][one.labeler] = one.right, one.certain
    said = _said([submission for progress in progresses for submission in progress.done.values()], gold)
    standings = []
    for current, progress in zip(tries, progresses, strict=True):
        of_try = [one for one in gold if vars(one)["number"] == current.number]
        fit = [one for one in of_try if not problem_of(one, _but_of(current.labeler_id, witnesses[one.task_id]))]
        scores = _scores(progress, fit, said)
        by_hand = _by_hand(progress, of_try, fit, scores)
        if current.state != QualificationTry.State.OPEN and current.scores:
            scores = current.scores
        standings.append(Standing(progress, scores, by_hand))
    return standings


def _but_of(labeler: int, said: Mapping[int, tuple[int, int]]) -> list[tuple[int, int]]:
    """Whoever is judged does not help to throw out what they had wrong."""
    return [one for other, one in said.items() if other != labeler]


def _said(submissions: Collection[int], gold: Iterable[GoldAnswer]) -> dict[int, dict[int, Judgment]]:
    """By submission, of tasks with gold."""
    found: dict[int, dict[int, Judgment]] = defaultdict(dict)
    judgments = Judgment.objects.filter(
        submission__in=submissions, submission__assignment__task__in=[each.task_id for each in gold]
    )
    for one in judgments.only("submission_id", "response_id", "rank", "flags").order_by():
        found[one.submission_id][one.response_id] = one
    return found


def _scores(progress: Progress, gold: Iterable[GoldAnswer], said: Mapping[int, Said]) -> dict[str, float | None]:
    """Of what gold asks for in the tasks that were done or skipped. What was left open was not said rightly; else
    whoever says nothing would pass."""
    sums = {"comparisons": (0, 0), "flags": (0, 0)}
    for one in gold:
        if one.task_id not in progress.judged:
            continue
        answers = said.get(progress.done.get(one.task_id, 0), {})
        for name, right, asked in (
            ("comparisons", pairs_right(one, answers)[0], len(one.above)),
            ("flags", answers_right(one, answers, "flags")[0], len(flags_of(one))),
        ):
            sums[name] = (sums[name][0] + right, sums[name][1] + asked)
    grades = [*progress.grades.values(), *([LOWEST_GRADE] * len(progress.written & progress.skipped))]
    scores = {name: right / asked if asked else None for name, (right, asked) in sums.items()}
    return scores | {"demonstrations": sum(grades) / len(grades) if grades else None}


def _by_hand(
    progress: Progress, gold: Sequence[GoldAnswer], fit: Sequence[GoldAnswer], scores: Mapping[str, float | None]
) -> str:
    if not progress.complete:
        return ""
    tasks = len(progress.judged) + len(progress.out)
    if not tasks:
        return "This try has no tasks, so nothing is shown in it; add some, or decide."
    if 2 * len(progress.out) > tasks:
        return f"{len(progress.out)} of {tasks} tasks are counted out; decide by what is left."
    if gold and not fit:
        return "No gold of this try is fit to judge by; put it right, or decide."
    asked = {"comparisons": any(one.above for one in fit), "flags": any(flags_of(one) for one in fit)}
    asked["demonstrations"] = bool(progress.written)
    if unsaid := [name for name, is_asked in asked.items() if is_asked and scores[name] is None]:
        return f"All tasks that ask for {' and '.join(unsaid)} are counted out; decide by what is left."
    return ""
