"""Many prompts or responses in one request: each line is taken, merged with what is there, or refused, and answered.

The number of queries does not depend on the number of lines. A line is written whole or not at all; whether the bad
ones keep the good ones out is the caller's choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from labeling.bulk_writing import write_all
from labeling.intake import Intake, fingerprint
from labeling.models import Generator, ImportedRecord, Project, Prompt, Response
from labeling.models.imported import UNCOMPARED
from labeling.record_fields import BadRecord, Fields, checked_name
from labeling.record_lines import MOST_LINE_BYTES
from labeling.records import (
    ID_CHARACTERS,
    Kind,
    PromptText,
    ResponseText,
    read_prompt_text,
    read_response_text,
)

MOST_LINES = 10_000
CREATED, MERGED, REFUSED = "created", "merged", "refused"


@dataclass(frozen=True, slots=True)
class Line:
    """What became of a line. id: of the row it is now, new or there before; None where it was refused."""

    outcome: str
    id: int | None = None
    message: str = ""


@dataclass
class Taken:
    """written is False where a refused line kept the others out."""

    lines: list[Line] = field(default_factory=list)
    written: bool = True

    def count(self, outcome: str) -> int:
        return sum(line.outcome == outcome for line in self.lines)


def _lock(project: Project) -> None:
    """As an import does: of two at once, one decides about a group's split. Labelers go on."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _read(values: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
    """What each line holds, or the BadRecord that it is."""
    found: list[Any] = []
    for value in values:
        try:
            found.append(read(value))
        except BadRecord as wrong:
            found.append(wrong)
    return found


# --- prompts ----------------------------------------------------------------------------------------------------------


def take_prompts(project: Project, values: Sequence[Any], *, whole: bool = False) -> Taken:
    """Prompts as people of the project bring them in. One that a customer wrote comes with the consent they gave."""
    return _take_prompts(project, _read(values, _readable_prompt), whole=whole)


def take_customer_prompts(project: Project, values: Sequence[Any], *, customer: int, whole: bool = False) -> Taken:
    """Prompts as a customer sends them: with a consent, in a group of their own, under ids of their own. customer: the
    user's number."""

    def read(value: Any) -> PromptText:
        text = _readable_prompt(value)
        for name, said in (("split", text.split), ("group_key", text.group_key)):
            if said:
                raise BadRecord(f"{name} is given; where a customer's prompts belong is decided here: leave it out")
        if not text.consent.strip():
            raise BadRecord("consent is missing; say in words what use of the prompt its writer agreed to")
        group = f"customer {customer}"
        return replace(text, origin="customer", group_key=group, id=f"{group}/{text.id}" if text.id else "")

    return _take_prompts(project, _read(values, read), whole=whole)


def _refuse_too_long(*texts: str) -> None:
    """A line of a request is as long at most as a line of a file."""
    size = sum(len(text.encode()) for text in texts)
    if size > MOST_LINE_BYTES:
        raise BadRecord(f"its text has {size:,} bytes; at most {MOST_LINE_BYTES:,} are taken")


def _readable_prompt(value: Any) -> PromptText:
    text = read_prompt_text(value)
    _refuse_too_long(*(message["content"] for message in text.messages))
    if text.origin == Prompt.Origin.CUSTOMER and not text.consent.strip():
        raise BadRecord("origin is customer and consent is missing; say in words what use its writer agreed to")
    return text


def _take_prompts(project: Project, texts: Sequence[PromptText | BadRecord], *, whole: bool) -> Taken:
    taken = Taken()
    with transaction.atomic():
        _lock(project)
        intake = Intake(project)
        intake.look([text for text in texts if isinstance(text, PromptText)])
        there = set(intake.there)
        reasons: list[tuple[str, str]] = []
        for text in texts:
            if isinstance(text, BadRecord):
                reasons.append(("", str(text)))
                continue
            key = fingerprint(text.messages)
            reasons.append((key, intake.refusal(text, of_fingerprint=key)))
        taken.written = not (whole and any(reason for _, reason in reasons))
        if taken.written:
            intake.take({key for key, reason in reasons if not reason})
            taken_texts = (text for text, (_, reason) in zip(texts, reasons, strict=True) if not reason)
            _keep_ids(intake, [text for text in taken_texts if isinstance(text, PromptText)])
        for key, reason in reasons:
            if reason:
                taken.lines.append(Line(REFUSED, message=reason))
            elif taken.written:
                taken.lines.append(Line(MERGED if key in there else CREATED, intake.there[key].pk))
                there.add(key)
            else:
                taken.lines.append(Line(MERGED if key in there else CREATED))
    return taken


def _keep_ids(intake: Intake, texts: Sequence[PromptText]) -> None:
    """Ids of prompts that merged into one of another id or none: responses and later calls name them by it."""
    merged: dict[str, ImportedRecord] = {}
    for text in texts:
        prompt = intake.there[fingerprint(text.messages)]
        if text.id and text.id != prompt.external_id and text.id not in intake.known_ids:
            merged[text.id] = ImportedRecord(
                project=intake.project, kind=Kind.PROMPT, external_id=text.id, digest=UNCOMPARED, prompt=prompt
            )
    write_all(list(merged.values()))


# --- responses --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reply:
    """A line: which prompt it answers (its number here, or its id elsewhere), and the text."""

    prompt: int | str
    text: ResponseText


def take_responses(project: Project, values: Sequence[Any], *, whole: bool = False) -> Taken:
    """Responses that generators wrote elsewhere. A response is known by its id, or without one by its words."""
    taken = Taken()
    replies = _read(values, _readable_reply)
    with transaction.atomic():
        _lock(project)
        good = [reply for reply in replies if isinstance(reply, _Reply)]
        prompts = _prompts_of(project, good)
        there = _Responses(project, set(prompts.values()), good)
        drafts = [_draft(reply, prompts, there) for reply in replies]
        taken.written = not (whole and any(isinstance(draft, str) for draft in drafts))
        before = {id(draft) for draft in drafts if isinstance(draft, Response) and draft.pk is not None}
        if taken.written:
            there.write()
        for draft in drafts:
            if isinstance(draft, str):
                taken.lines.append(Line(REFUSED, message=draft))
            else:
                taken.lines.append(Line(MERGED if id(draft) in before else CREATED, draft.pk))
                before.add(id(draft))
    return taken


def _readable_reply(value: Any) -> _Reply:
    members = dict(value) if isinstance(value, dict) else value
    fields = Fields(members)
    prompt = fields.need("prompt")
    if isinstance(prompt, bool) or not isinstance(prompt, int | str):
        raise BadRecord("prompt is neither a number nor an id; name the prompt that the response answers")
    if isinstance(prompt, str):
        checked_name(prompt, where="prompt", most=ID_CHARACTERS)
    members.pop("prompt")
    text = read_response_text(members)
    _refuse_too_long(text.text)
    if text.generator is None:
        raise BadRecord("labeler is given; what people wrote comes in as demonstrations, by an import of records")
    return _Reply(prompt, text)


def _prompts_of(project: Project, replies: Sequence[_Reply]) -> dict[int | str, int]:
    """The prompts named, by number or id (three queries)."""
    prompts = Prompt.objects.filter(project=project)
    numbers = {reply.prompt for reply in replies if isinstance(reply.prompt, int) and abs(reply.prompt) < 2**63}
    ids = {reply.prompt for reply in replies if isinstance(reply.prompt, str)}
    found: dict[int | str, int] = {pk: pk for pk in prompts.filter(pk__in=numbers).values_list("pk", flat=True)}
    merged = ImportedRecord.objects.filter(project=project, kind=Kind.PROMPT, external_id__in=ids)
    found |= dict(merged.values_list("external_id", "prompt_id"))
    found |= dict(prompts.filter(external_id__in=ids).values_list("external_id", "pk"))
    return found


class _Responses:
    """The responses to the prompts of one call: those that are there, and those that will be (two queries)."""

    def __init__(self, project: Project, prompts: set[int], replies: Sequence[_Reply]) -> None:
        self.project = project
        self.new: list[Response] = []
        names = {reply.text.generator for reply in replies}
        self.generators = {one.name: one for one in Generator.objects.filter(project=project, name__in=names)}
        self._by_id: dict[tuple[int, str], Response] = {}
        self._by_words: dict[tuple[int, str, str], Response] = {}
        for one in Response.objects.filter(prompt__in=prompts, generator__isnull=False).select_related("generator"):
            self._remember(one, one.generator.name if one.generator else "")

    def _remember(self, response: Response, generator: str) -> None:
        if response.external_id:
            self._by_id[response.prompt_id, response.external_id] = response
        self._by_words.setdefault((response.prompt_id, generator, response.text), response)

    def draft(self, prompt: int, text: ResponseText) -> Response | str:
        """The response that is there, or a new one; or why neither can be."""
        generator = str(text.generator)
        if text.id:
            there = self._by_id.get((prompt, text.id))
            same = there is not None and there.generator is not None
            if there is not None and not (same and (there.text, there.generator.name) == (text.text, generator)):  # type: ignore[union-attr]
                return f"the id {text.id!r} is the id of another response to this prompt; give this one its own"
        else:
            there = self._by_words.get((prompt, generator, text.text))
        return there or self._new(prompt, text, generator)

    def _new(self, prompt: int, text: ResponseText, generator: str) -> Response:
        if generator not in self.generators:
            made = Generator(project=self.project, name=generator, kind=Generator.Kind.EXTERNAL)
            self.generators[generator] = made
        response = Response(
            prompt_id=prompt,
            generator=self.generators[generator],
            text=text.text,
            # A job elsewhere may have the number of one here, which would then count the text as its own.
            sampling={name: value for name, value in text.sampling.items() if name != "job"},
            token_count=text.token_count,
            finish_reason=text.finish_reason,
            external_id=text.id,
        )
        self._remember(response, generator)
        self.new.append(response)
        return response

    def write(self) -> None:
        Generator.objects.bulk_create([one for one in self.generators.values() if one.pk is None])
        for response in self.new:
            response.generator = response.generator  # Its number is known only now.
        write_all(self.new)


def _draft(reply: _Reply | BadRecord, prompts: dict[int | str, int], there: _Responses) -> Response | str:
    if isinstance(reply, BadRecord):
        return str(reply)
    if (prompt := prompts.get(reply.prompt)) is None:
        return f"the prompt {str(reply.prompt)[:60]!r} is not in this project; bring it in first"
    return there.draft(prompt, reply.text)
