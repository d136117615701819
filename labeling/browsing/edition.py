"""One task with all that was said of it: the responses under letters, beside each what every labeler said.

Letters are by the order of storage and the same for everybody here; each labeler met the responses in an order of
their own, which is told beside what they said. Nothing is left out: surplus, withdrawn and corrected work is marked.
Where the campaign is kept for a cohort that a rule fills from background answers, labelers are numbered within the
task: a pseudonym would tell of somebody what they answered.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from labeling.agreement import Figure, Ranking, comparisons, pairwise_agreement
from labeling.browsing.opinions import Opinion, opinions_of
from labeling.checking import LETTERS, scales_of
from labeling.models import Assignment, Guideline, Judgment, Prompt, Response, Review, Submission, Task
from labeling.rendering import render_all
from labeling.screens import ShownTurn

State = Assignment.State


@dataclass(frozen=True)
class Column:
    """A response of the task."""

    letter: str
    response: Response
    html: str
    opinion: Opinion


@dataclass(frozen=True)
class Cell:
    """What one labeler said of one response. shown_as: the letter under which they met it.

    ratings: (scale, value). flags: (name, yes or no) of those that were answered.
    """

    letter: str
    shown_as: str
    rank: int | None = None
    ratings: Sequence[tuple[str, int]] = ()
    yes: Sequence[str] = ()
    no: Sequence[str] = ()
    note: str = ""
    said: bool = False


@dataclass(frozen=True)
class Said:
    """One submission of one labeler, its cells in the order of the columns. written: what it made, as HTML."""

    submission: Submission
    cells: Sequence[Cell]
    written: Sequence[str]
    reviews: Sequence[Review]
    current: bool

    @property
    def order(self) -> str:
        """Letters as in the columns, best first, ties in brackets: "B (AC) D"."""
        by_rank: dict[int, str] = {}
        for cell in self.cells:
            if cell.rank is not None:
                by_rank[cell.rank] = by_rank.get(cell.rank, "") + cell.letter
        return " ".join(tied if len(tied) == 1 else f"({tied})" for _, tied in sorted(by_rank.items()))

    @property
    def at_work(self) -> str:
        """ "3 min 12 s" of active time; empty where it is unknown."""
        if self.submission.active_ms is None:
            return ""
        minutes, seconds = divmod(round(self.submission.active_ms / 1000), 60)
        return f"{minutes:,} min {seconds} s" if minutes else f"{seconds} s"


@dataclass(frozen=True)
class Whose:
    """A labeler as the page calls them."""

    pseudonym: str
    source: str


@dataclass(frozen=True)
class Voice:
    """A labeler who submitted. seen: the letters of the columns in the order in which this labeler met them. beside:
    what it is, where it came beside the slot queue; empty where it took a slot."""

    assignment: Assignment
    labeler: Whose
    seen: str
    beside: str
    now: Said
    earlier: Sequence[Said]

    @property
    def counts(self) -> bool:
        """Whether what they say is data: within the overlap, not withdrawn, neither gold nor a repeat."""
        submission = self.now.submission
        return submission.counted and submission.withdrawn_at is None and self.assignment.occurrence == 0


@dataclass(frozen=True)
class Row:
    """A response with every labeler's cell, in the order of the voices."""

    column: Column
    cells: Sequence[tuple[Voice, Cell]]


@dataclass(frozen=True)
class Edition:
    task: Task
    turns: Sequence[ShownTurn]
    columns: Sequence[Column]
    voices: Sequence[Voice]
    others: Sequence[tuple[Whose, Assignment]]
    """Who holds it, skipped it or let it lapse, without a word on it."""
    agreement: Figure
    """The share of pairs of responses that two labelers order alike; a tie agrees with a tie."""

    @property
    def rows(self) -> list[Row]:
        return [
            Row(column, [(voice, voice.now.cells[place]) for voice in self.voices])
            for place, column in enumerate(self.columns)
        ]

    @property
    def share(self) -> str:
        return f"{self.agreement.value:.0%}".replace("%", " %") if self.agreement.value is not None else ""

    @property
    def counting(self) -> int:
        return sum(voice.counts for voice in self.voices)


def edition_of(task: Task) -> Edition:
    """Nine queries at most, however many labelers there are. The task comes with its prompt."""
    responses = [one.response for one in task.shown.select_related("response__generator", "response__labeler")]
    assignments = list(
        task.assignments.select_related("labeler").prefetch_related(_submissions()).order_by("created_at", "pk")
    )
    written = [text for one in assignments for said in one.submissions.all() for text in _texts_of(said)]
    turns = task.prompt.messages if task.prompt else []
    html = render_all([str(turn["content"]) for turn in turns] + [one.text for one in responses] + written)
    shown, columns_html = html[: len(turns)], html[len(turns) : len(turns) + len(responses)]
    rendered = dict(zip(written, html[len(turns) + len(responses) :], strict=True))
    opinions = opinions_of(responses)
    columns = [
        Column(letter, one, text, opinions[one.pk])
        for letter, one, text in zip(LETTERS, responses, columns_html, strict=False)
    ]
    letters = {column.response.pk: column.letter for column in columns}
    in_queue = {one.labeler_id for one in assignments if one.occurrence == 0}
    whose = _whose(task, assignments)
    voices = [
        voice
        for one in assignments
        if (voice := _voice(one, whose[one.labeler_id], letters, rendered, in_queue)) is not None
    ]
    heard = {voice.assignment.pk for voice in voices}
    return Edition(
        task=task,
        turns=[ShownTurn(str(turn["role"]), one) for turn, one in zip(turns, shown, strict=True)],
        columns=columns,
        voices=voices,
        others=[(whose[one.labeler_id], one) for one in assignments if one.pk not in heard],
        agreement=_agreement(task, voices),
    )


def _submissions() -> "Prefetch[str, QuerySet[Submission], str]":
    newest_first = (
        Submission.objects.select_related("guideline")
        .prefetch_related(
            "judgments", Prefetch("reviews", Review.objects.select_related("reviewer")), "responses",
            Prefetch("prompts", Prompt.objects.only("pk", "messages", "submission")),
        )
        .order_by("-number")
    )  # fmt: skip
    return Prefetch("submissions", newest_first)


def _texts_of(submission: Submission) -> list[str]:
    return [one.text for one in submission.responses.all()] + [one.last_turn for one in submission.prompts.all()]


def _whose(task: Task, assignments: Sequence[Assignment]) -> dict[int, Whose]:
    """By labeler, whoever met the task more than once under one name."""
    people = {one.labeler_id: one.labeler for one in assignments}
    if not task.campaign.kept_by_rule:
        return {pk: Whose(one.pseudonym, one.source) for pk, one in people.items()}
    return {pk: Whose(f"labeler {number}", people[pk].source) for number, pk in enumerate(people, 1)}


def _voice(
    assignment: Assignment,
    whose: Whose,
    letters: Mapping[int, str],
    rendered: Mapping[str, str],
    in_queue: Container[int],
) -> Voice | None:
    """None for who submitted nothing. in_queue: labelers to whom the task was handed from the slot queue."""
    said = [_said(one, assignment, letters, rendered) for one in assignment.submissions.all()]
    if not said:
        return None
    now = next((one for one in said if one.current), said[0])
    return Voice(
        assignment=assignment,
        labeler=whose,
        seen=" ".join(letters[pk] for pk in assignment.order if pk in letters),
        now=now,
        earlier=[one for one in said if one is not now],
        beside=_beside(assignment, met_before=assignment.labeler_id in in_queue),
    )


def _beside(assignment: Assignment, *, met_before: bool) -> str:
    """Only who had it from the queue is asked again; everybody else met it as gold, whatever it is by now."""
    if assignment.occurrence == 0:
        return ""
    return f"hidden repeat {assignment.occurrence}" if met_before else "as gold"


def _said(
    submission: Submission, assignment: Assignment, letters: Mapping[int, str], rendered: Mapping[str, str]
) -> Said:
    by_response = {one.response_id: one for one in submission.judgments.all()}
    shown_as = {pk: letter for pk, letter in zip(assignment.order, LETTERS, strict=False)}
    return Said(
        submission=submission,
        cells=[
            _cell(letter, shown_as.get(pk, ""), by_response.get(pk), submission.guideline)
            for pk, letter in letters.items()
        ],
        written=[rendered[text] for text in _texts_of(submission)],
        reviews=list(submission.reviews.all()),
        current=assignment.current_submission_id == submission.pk,
    )


def _cell(letter: str, shown_as: str, judgment: Judgment | None, guideline: Guideline) -> Cell:
    if judgment is None:
        return Cell(letter, shown_as)
    scales = {scale["name"]: scale["label"] for scale in scales_of(guideline)}
    flags = {flag["name"]: flag["label"] for flag in guideline.flags}
    answered = [(flags.get(name, name.replace("_", " ")), answer) for name, answer in judgment.flags.items()]
    return Cell(
        letter=letter,
        shown_as=shown_as,
        rank=judgment.rank,
        ratings=[(scales.get(name, name.replace("_", " ")), value) for name, value in judgment.ratings.items()],
        yes=[label for label, answer in answered if answer is True],
        no=[label for label, answer in answered if answer is False],
        note=judgment.note,
        said=True,
    )


def _agreement(task: Task, voices: Sequence[Voice]) -> Figure:
    rankings = [
        Ranking(prompt=task.pk, labeler=voice.assignment.labeler_id, ranks=[cell.rank for cell in voice.now.cells])
        for voice in voices
        if voice.counts
    ]
    return pairwise_agreement(comparisons(rankings))
