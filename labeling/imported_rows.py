"""A batch of records as rows: who wrote and judged, what was written, and every judgment as if it were made here.

An imported judgment becomes a task in a closed campaign, with an assignment, a submission and judgments, so that
exports and snapshots read one kind of thing. Nothing here opens a transaction or decides what happens to a refusal:
importing.py does.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from django.db.models import Max, OuterRef, Subquery
from django.utils import timezone

from labeling.bulk_writing import write_all
from labeling.intake import Intake, fingerprint
from labeling.models import (
    Adjudication,
    Assignment,
    Campaign,
    Generator,
    Guideline,
    ImportedRecord,
    Judgment,
    Labeler,
    Project,
    Prompt,
    Response,
    Submission,
    Task,
    TaskResponse,
    WorkKind,
)
from labeling.models.imported import UNCOMPARED
from labeling.records import Judged, Kind, Record, ResponseText

WORK_OF = {
    Kind.CANDIDATES: WorkKind.RANKING,
    Kind.RANKING: WorkKind.RANKING,
    Kind.COMPARISON: WorkKind.RANKING,
    Kind.RATING: WorkKind.RATING,
}
"""In which kind of campaign a record becomes a task; prompts and demonstrations become none."""

TOOK_SLOT = ("", "withdrawn")
"""Why something is aside that was said within the overlap; it was called back only later."""

GUIDELINE_BODY = (
    "These judgments came from a file. What their labelers were asked to do is described where the file comes from;"
    " it can be written down here."
)

Author = tuple[str, str]
"""("generator" | "labeler", name)"""


class NameTaken(ValueError):
    """A campaign of this name is there and does not hold imported judgments of this kind."""


@dataclass
class Place:
    """Where imported work goes: one closed campaign for each kind of work, made when it is first needed."""

    project: Project
    name: str
    _campaigns: dict[WorkKind, Campaign] = field(default_factory=dict)
    _next_position: dict[WorkKind, int] = field(default_factory=dict)

    @staticmethod
    def campaign_name(kind: WorkKind, name: str) -> str:
        return f"imported {kind}s: {name}"

    def campaign(self, kind: WorkKind) -> Campaign:
        """Raises NameTaken."""
        if kind not in self._campaigns:
            name = self.campaign_name(kind, self.name)
            found = Campaign.objects.filter(project=self.project, name=name).select_related("guideline").first()
            if found is not None and (found.kind != kind or not found.imported):
                raise NameTaken(f"the campaign {name!r} is there and holds other work; give another --name")
            campaign = found or Campaign.objects.create(
                project=self.project,
                name=name,
                kind=kind,
                guideline=self._guideline(kind),
                state=Campaign.State.CLOSED,
                imported=True,
            )
            last = campaign.tasks.aggregate(last=Max("position"))["last"]
            self._campaigns[kind] = campaign
            self._next_position[kind] = 0 if last is None else last + 1
        return self._campaigns[kind]

    def _guideline(self, kind: WorkKind) -> Guideline:
        """One for all imports of a kind, never published: nobody is asked to work by it."""
        versions = Guideline.objects.filter(project=self.project, kind=kind)
        found = versions.filter(campaigns__imported=True).first()
        if found is not None:
            return found
        last = versions.aggregate(last=Max("version"))["last"] or 0
        return Guideline.objects.create(project=self.project, kind=kind, version=last + 1, body=GUIDELINE_BODY)

    def positions(self, kind: WorkKind, count: int) -> range:
        start = self._next_position[kind]
        self._next_position[kind] = start + count
        return range(start, start + count)

    def raise_overlap(self, kind: WorkKind, overlap: int) -> None:
        """A campaign's overlap is the largest of its tasks'."""
        campaign = self._campaigns[kind]
        if overlap > campaign.overlap:
            campaign.overlap = overlap
            campaign.save(update_fields=["overlap"])


@dataclass
class Known:
    """What the import has met so far of the people and generators of the project, by name; grows with their number."""

    project: Project
    place: Place
    labelers: dict[str, Labeler] = field(default_factory=dict)
    generators: dict[str, Generator] = field(default_factory=dict)
    now: datetime = field(default_factory=timezone.now)

    def look(self, records: Sequence[Record]) -> None:
        """Reads those named in the records and not met yet (two queries at most)."""
        labelers = {name for record in records for name in _labelers_of(record)} - set(self.labelers)
        if labelers:
            found = Labeler.objects.filter(project=self.project, pseudonym__in=labelers)
            self.labelers |= {labeler.pseudonym: labeler for labeler in found}
        names = {response.generator for record in records for response in record.responses if response.generator}
        if names - set(self.generators):
            there = Generator.objects.filter(project=self.project, name__in=names - set(self.generators))
            self.generators |= {generator.name: generator for generator in there}

    def refusal(self, record: Record) -> str:
        """Why the people named in the record cannot be meant, or ""."""
        said: dict[str, bool] = {}
        for name, simulated in _who(record):
            if said.setdefault(name, simulated) != simulated:
                return f"the labeler {name!r} is marked simulated in one place of this record and not in another"
            there = self.labelers.get(name)
            if there is None or there.source == _source(simulated):
                continue
            if there.source == Labeler.Source.MEMBER:
                return (
                    f"the labeler {name!r} is a member of this project; nothing from a file is put into a member's"
                    " mouth: change the name in the file"
                )
            return (
                f"the labeler {name!r} is {'simulated' if simulated else 'a person'} here and {there.source} in the"
                " project; change the name in the file"
            )
        return ""

    def labeler(self, name: str, *, simulated: bool) -> Labeler:
        if name not in self.labelers:
            self.labelers[name] = Labeler(project=self.project, pseudonym=name, source=_source(simulated))
        return self.labelers[name]

    def generator(self, name: str) -> Generator:
        if name not in self.generators:
            self.generators[name] = Generator(project=self.project, name=name, kind=Generator.Kind.EXTERNAL)
        return self.generators[name]

    def write(self) -> Counter[str]:
        labelers = [labeler for labeler in self.labelers.values() if labeler.pk is None]
        generators = [generator for generator in self.generators.values() if generator.pk is None]
        Labeler.objects.bulk_create(labelers)
        Generator.objects.bulk_create(generators)
        return Counter(labelers=len(labelers), generators=len(generators))


def _source(simulated: bool) -> Labeler.Source:
    return Labeler.Source.SIMULATED if simulated else Labeler.Source.IMPORTED


def _who(record: Record) -> list[tuple[str, bool]]:
    writers = [(response.labeler, response.simulated) for response in record.responses if response.labeler]
    return writers + [(judged.labeler, judged.simulated) for judged in record.judged]


def _labelers_of(record: Record) -> list[str]:
    return [name for name, _ in _who(record)]


@dataclass
class _Texts:
    """The responses to one prompt, those of the database and those of this batch."""

    by_id: dict[str, Response] = field(default_factory=dict)
    by_words: dict[tuple[Author, str], list[Response]] = field(default_factory=dict)

    def add(self, response: Response, author: Author) -> None:
        if response.external_id:
            self.by_id[response.external_id] = response
        self.by_words.setdefault((author, response.text), []).append(response)

    def match(self, text: ResponseText, used: Sequence[Response]) -> Response | None:
        """The same response: of this id, or without one by the same author in the same words, used once a record."""
        if text.id:
            return self.by_id.get(text.id)
        same = self.by_words.get((_author(text), text.text), [])
        return next((response for response in same if not any(response is other for other in used)), None)

    def refusal(self, text: ResponseText) -> str:
        there = self.by_id.get(text.id) if text.id else None
        if there is None or (there.text == text.text and _author_of(there) == _author(text)):
            return ""
        return (
            f"the response id {text.id!r} is the id of another response to the same prompt; give this one an id of its"
            " own or none"
        )


def _author(text: ResponseText) -> Author:
    return ("generator", text.generator) if text.generator else ("labeler", text.labeler or "")


def _author_of(response: Response) -> Author:
    if response.generator is not None:
        return ("generator", response.generator.name)
    return ("labeler", response.labeler.pseudonym if response.labeler else "")


@dataclass
class _Staged:
    """A record that will be written."""

    record: Record
    digest: str
    fingerprint: str
    responses: list[Response]


class Batch:
    """Records that are written together: look() at all, add() each, write() what was added.

    The number of queries does not depend on the number of records.
    """

    def __init__(self, known: Known) -> None:
        self.new: Counter[str] = Counter()
        self.merged = 0
        self.personal_data: Counter[str] = Counter()
        self._known = known
        self._intake = Intake(known.project)
        self._texts: dict[str, _Texts] = {}
        self._new_responses: list[tuple[Response, str]] = []
        self._changed_responses: list[Response] = []
        self._staged: list[_Staged] = []

    def look(self, records: Sequence[Record]) -> None:
        self._known.look(records)
        self._intake.look([record.prompt for record in records])
        if any(record.responses for record in records):
            there = Response.objects.filter(prompt__in=self._intake.there.values())
            for response in there.select_related("prompt", "generator", "labeler"):
                self._texts_of(response.prompt.fingerprint).add(response, _author_of(response))

    def _texts_of(self, key: str) -> _Texts:
        return self._texts.setdefault(key, _Texts())

    def add(self, record: Record, *, digest: str) -> str:
        """Takes the record up, or answers why it cannot be taken; then nothing of it is remembered."""
        key = fingerprint(record.prompt.messages)
        texts = self._texts_of(key)
        reason = (
            self._known.refusal(record)
            or next(filter(None, (texts.refusal(response) for response in record.responses)), "")
            or self._intake.refusal(record.prompt, of_fingerprint=key)
        )
        if reason:
            return reason
        responses = self._responses(record, key)
        for judged in record.judged:
            self._known.labeler(judged.labeler, simulated=judged.simulated)
        if record.kind is Kind.DEMONSTRATION:
            self._make_demonstration(responses[0], record.review)
        self._staged.append(_Staged(record, digest, key, responses))
        return ""

    def _responses(self, record: Record, key: str) -> list[Response]:
        """In the record's order. Those with ids are found first, or the same words without one would take theirs."""
        texts = self._texts_of(key)
        found: dict[int, Response] = {}
        for place, text in sorted(enumerate(record.responses), key=lambda one: not one[1].id):
            found[place] = texts.match(text, list(found.values())) or self._new_response(text, key, record.kind)
        return [found[place] for place in range(len(record.responses))]

    def _new_response(self, text: ResponseText, key: str, kind: Kind) -> Response:
        response = Response(
            generator=self._known.generator(text.generator) if text.generator else None,
            labeler=self._known.labeler(text.labeler, simulated=text.simulated) if text.labeler else None,
            text=text.text,
            # A job elsewhere may have the number of one here, which would then count the text as its own.
            sampling={name: value for name, value in text.sampling.items() if name != "job"},
            token_count=text.token_count,
            finish_reason=text.finish_reason,
            judged_only=bool(text.labeler) and kind is not Kind.DEMONSTRATION,
            external_id=text.id,
        )
        self._texts_of(key).add(response, _author(text))
        self._new_responses.append((response, key))
        return response

    def _make_demonstration(self, response: Response, review: str) -> None:
        """Of a response that may have come in before, with a ranking or with another demonstration."""
        if review == Response.ReviewState.UNREVIEWED:
            review = response.review_state
        if (response.judged_only, response.review_state) == (False, review):
            return
        response.judged_only, response.review_state = False, review
        if response.pk is not None:
            self._changed_responses.append(response)

    def write(self) -> None:
        if not self._staged:
            return
        self.new += self._known.write()
        self._write_prompts()
        self._write_responses()
        tasks: dict[int, Task] = {}
        for kind in WorkKind.RANKING, WorkKind.RATING:
            work = [staged for staged in self._staged if WORK_OF.get(staged.record.kind) == kind]
            if work:
                tasks |= self._write_work(kind, work)
        self._forget_uncompared()
        write_all(
            [
                ImportedRecord(
                    project=self._known.project,
                    kind=staged.record.kind,
                    external_id=staged.record.id,
                    digest=staged.digest,
                    prompt=self._prompt(staged) if staged.record.kind is Kind.PROMPT else None,
                    response=staged.responses[0] if staged.record.kind is Kind.DEMONSTRATION else None,
                    task=tasks.get(id(staged)),
                )
                for staged in self._staged
            ]
        )

    def _forget_uncompared(self) -> None:
        """Ids that came over the API stand with their whole records from now on (one query where there are prompts)."""
        ids = [staged.record.id for staged in self._staged if staged.record.kind is Kind.PROMPT]
        if ids:
            rows = ImportedRecord.objects.filter(project=self._known.project, kind=Kind.PROMPT, digest=UNCOMPARED)
            rows.filter(external_id__in=ids).delete()

    def _prompt(self, staged: _Staged) -> Prompt:
        return self._intake.there[staged.fingerprint]

    def _write_prompts(self) -> None:
        before = set(self._intake.there)
        new = self._intake.take({staged.fingerprint for staged in self._staged})
        self.new["prompts"] += len(new)
        for prompt in new:
            self.personal_data.update(prompt.personal_data)
        first = {prompt.fingerprint for prompt in new if prompt.fingerprint not in before}
        for staged in self._staged:
            if staged.record.kind is Kind.PROMPT and staged.fingerprint not in first:
                self.merged += 1
            first.discard(staged.fingerprint)

    def _write_responses(self) -> None:
        for response, key in self._new_responses:
            response.prompt = self._intake.there[key]
        write_all([response for response, _ in self._new_responses])
        Response.objects.bulk_update(self._changed_responses, ["judged_only", "review_state"])
        self.new["responses"] += len(self._new_responses)

    def _write_work(self, kind: WorkKind, work: list[_Staged]) -> dict[int, Task]:
        """Tasks with what was said in them; the answer is keyed by the identity of the staged record."""
        campaign = self._known.place.campaign(kind)
        positions = self._known.place.positions(kind, len(work))
        tasks = [
            Task(
                campaign=campaign,
                prompt=self._prompt(staged),
                overlap=sum(judged.aside in TOOK_SLOT for judged in staged.record.judged),
                open_slots=0,
                position=position,
            )
            for staged, position in zip(work, positions, strict=True)
        ]
        write_all(tasks)
        write_all(
            [
                TaskResponse(task=task, response=response, place=place)
                for task, staged in zip(tasks, work, strict=True)
                for place, response in enumerate(staged.responses)
            ]
        )
        self._write_judged(campaign, [(task, staged) for task, staged in zip(tasks, work, strict=True)])
        self._known.place.raise_overlap(kind, max(task.overlap for task in tasks))
        self.new["tasks"] += len(tasks)
        return {id(staged): task for task, staged in zip(tasks, work, strict=True)}

    def _write_judged(self, campaign: Campaign, work: list[tuple[Task, _Staged]]) -> None:
        said = [(task, staged, judged) for task, staged in work for judged in staged.record.judged]
        if not said:
            return
        assignments = [
            Assignment(
                task=task,
                campaign=campaign,
                labeler=self._known.labelers[judged.labeler],
                occurrence=int(judged.aside == "adjudication"),
                state=Assignment.State.SUBMITTED,
                order=[staged.responses[place].pk for place in judged.order],
            )
            for task, staged, judged in said
        ]
        write_all(assignments)
        submissions = [
            self._submission(assignment, judged, campaign)
            for assignment, (_, _, judged) in zip(assignments, said, strict=True)
        ]
        write_all(submissions)
        Assignment.objects.filter(pk__in=[assignment.pk for assignment in assignments]).update(
            current_submission=Subquery(Submission.objects.filter(assignment=OuterRef("pk")).values("pk")[:1])
        )
        write_all(
            [
                Judgment(
                    submission=submission,
                    response=response,
                    rank=judged.ranks[place],
                    ratings=judged.ratings[place],
                    flags=judged.flags[place],
                    note=judged.notes[place],
                )
                for submission, (_, staged, judged) in zip(submissions, said, strict=True)
                for place, response in enumerate(staged.responses)
            ]
        )
        write_all(
            [
                Adjudication(task=task, submission=submission, why=judged.why)
                for submission, (task, _, judged) in zip(submissions, said, strict=True)
                if judged.aside == "adjudication"
            ]
        )
        self.new["judgments"] += len(said)

    def _submission(self, assignment: Assignment, judged: Judged, campaign: Campaign) -> Submission:
        submitted_at = judged.submitted_at or self._known.now
        return Submission(
            assignment=assignment,
            number=1,
            key=uuid4(),
            counted=judged.aside in TOOK_SLOT,
            withdrawn_at=submitted_at if judged.aside == "withdrawn" else None,
            verdict=judged.verdict,
            strength=judged.strength,
            note=judged.note,
            active_ms=judged.active_ms,
            guideline=campaign.guideline,
            submitted_at=submitted_at,
        )
