"""A person's words go, and who they were: in the database. What held them in files is training/erasing.py.

Rows stay, so that counts and overlaps stay exact: a tombstone without a word. The tombstone leads to no account, and
whoever comes back is a new labeler. Their judgments are withdrawn from the data unless they are asked to stay: numbers
under a name that nobody has.
"""

import hashlib
import secrets
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet
from django.utils import timezone

from labeling.backgrounds import withdraw
from labeling.exporting.recalling import recall
from labeling.leaving import leave
from labeling.models import (
    Adjudication,
    AnsweredRequest,
    Assignment,
    Export,
    GoldAnswer,
    Grade,
    Judgment,
    Labeler,
    Project,
    Prompt,
    QualificationTry,
    Question,
    Response,
    Review,
    Submission,
    Task,
)
from labeling.setting_aside import set_aside

GONE = "[erased]"
"""Where a row may not be without words."""


@dataclass
class Erased:
    """What was blanked: primary keys of prompts and responses, their words until they are blanked in files too, and
    how many of each kind."""

    prompts: list[int] = field(default_factory=list)
    responses: list[int] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def responses_of(labeler: Labeler) -> QuerySet[Response]:
    return Response.objects.filter(labeler=labeler)


def prompts_of(labeler: Labeler) -> QuerySet[Prompt]:
    return Prompt.objects.filter(submission__assignment__labeler=labeler)


def erase_words(labeler: Labeler) -> Erased:
    """Blanks all that the labeler wrote and says who they were no more. Needs a transaction. Raises LastOwner."""
    erased = Erased()
    membership = labeler.membership
    user, project = labeler.user, labeler.project
    if membership is not None:
        leave(membership)
    erased.counts["backgrounds"] = int(hasattr(labeler, "background"))
    withdraw(labeler)
    for prompt in prompts_of(labeler).select_for_update():
        _blank_prompt(prompt, erased)
    for response in responses_of(labeler).select_for_update():
        erased.responses.append(response.pk)
        erased.words.append(response.text)
    responses_of(labeler).update(text="", external_id="")
    _keep_from_others(erased)
    _blank_notes(labeler, erased)
    if user is not None:
        Review.objects.filter(reviewer=user, submission__assignment__campaign__project=project).exclude(
            remarks=""
        ).update(remarks=GONE)
        Grade.objects.filter(reviewer=user, submission__assignment__campaign__project=project).update(remarks="")
        GoldAnswer.objects.filter(author=user, task__campaign__project=project).update(why="")
        Adjudication.objects.filter(by=user, task__campaign__project=project).update(why=GONE)
        AnsweredRequest.objects.filter(user=user, project=project).delete()
    Labeler.objects.filter(pk=labeler.pk).update(
        user=None, membership=None, pseudonym=f"erased-{secrets.token_hex(6)}", avoids=0
    )
    erased.words = [word for word in erased.words if word.strip()]
    erased.counts |= {"prompts": len(erased.prompts), "responses": len(erased.responses)}
    return erased


def recall_exports(project: Project) -> None:
    """All prepared files: any of them may hold it, and whoever needs one has it prepared anew. Call it last: a file
    that is deleted does not come back with a transaction that is."""
    for export in Export.objects.filter(project=project).exclude(path=""):
        recall(export)


def withdraw_judgments(labeler: Labeler) -> int:
    """They count towards overlaps as before, and are no data any more. Returns how many submissions."""
    said = Submission.objects.filter(assignment__labeler=labeler, withdrawn_at=None)
    return said.update(withdrawn_at=timezone.now())


def _blank_prompt(prompt: Prompt, erased: Erased) -> None:
    erased.prompts.append(prompt.pk)
    erased.words += [str(message["content"]) for message in prompt.messages]
    prompt.messages = [{"role": message["role"], "content": ""} for message in prompt.messages]
    # Two without words would be one and the same.
    prompt.fingerprint = hashlib.sha256(f"erased {prompt.pk}".encode()).hexdigest()
    prompt.personal_data, prompt.external_id = [], ""
    prompt.save(update_fields=["messages", "fingerprint", "personal_data", "external_id"])


def _keep_from_others(erased: Erased) -> None:
    """Nobody is handed a task whose words are gone; what is in hand ends as it began, or is skipped."""
    shows = Q(prompt__in=erased.prompts) | Q(shown__response__in=erased.responses)
    found = Task.objects.filter(shows, aside="").values_list("pk", flat=True)
    for task in Task.objects.filter(pk__in=list(found)).order_by("pk").select_for_update():
        set_aside(task, Task.Aside.WITHDRAWN)
    erased.counts["tasks"] = len(found)


def _blank_notes(labeler: Labeler, erased: Erased) -> None:
    notes = Submission.objects.filter(assignment__labeler=labeler).exclude(note="")
    judged = Judgment.objects.filter(submission__assignment__labeler=labeler).exclude(note="")
    questions = Question.objects.filter(labeler=labeler)
    erased.words += [*notes.values_list("note", flat=True), *judged.values_list("note", flat=True)]
    erased.counts |= {"notes": notes.update(note="") + judged.update(note=""), "questions": questions.update(text="")}
    Assignment.objects.filter(labeler=labeler).update(draft={}, draft_device="", skip_reason="")
    QualificationTry.objects.filter(labeler=labeler).update(knows=None, why="")
