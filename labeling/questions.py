"""Questions about a guideline: asked from a task, answered by who reviews, and taken up as examples."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from labeling.checking import too_long, unstorable
from labeling.errors import AlreadyReviewed, InvalidWork, Problem
from labeling.models import Assignment, Guideline, Labeler, Project, Question, User, WorkKind
from labeling.numbers import in_words
from labeling.publishing import BODY_LIMIT, begin_version

TEXT_LIMIT = 2_000
MOST_WAITING = 20
"""Of one labeler's; whoever has asked so many waits for an answer first."""


def ask(assignment: Assignment, text: str) -> Question:
    """The same words about the same task are asked once. Raises InvalidWork."""
    said = _checked(text, "question", gettext("Your question"))
    waiting = Question.objects.filter(labeler=assignment.labeler_id, answered_at__isnull=True)
    if waiting.count() >= MOST_WAITING:
        says = gettext("%(many)s questions of yours wait for an answer; no more are taken before one has come.")
        says %= {"many": MOST_WAITING}
        raise InvalidWork([Problem("too_many_questions", says, "text")])
    found, _ = Question.objects.get_or_create(
        assignment=assignment,
        text=said,
        defaults={
            "project_id": assignment.campaign.project_id,
            "guideline": assignment.worked_by,
            "labeler_id": assignment.labeler_id,
        },
    )
    return found


def _checked(text: str, what: str, words: str) -> str:
    said = text.replace("\r\n", "\n").strip()
    if not said:
        says = gettext("%(name)s is empty. Write it, or go back.") % {"name": words}
        raise InvalidWork([Problem(f"{what}_empty", says, "text")])
    if len(said) > TEXT_LIMIT:
        raise InvalidWork([Problem("text_too_long", too_long(words, said, TEXT_LIMIT), "text")])
    if wrong := unstorable(said):
        says = gettext("%(name)s holds %(what)s; remove it.") % {"name": words, "what": wrong}
        raise InvalidWork([Problem("text_unstorable", says, "text")])
    return said


def answer(question: Question, by: User, text: str) -> None:
    """Raises InvalidWork; AlreadyReviewed where somebody else answered meanwhile."""
    said = _checked(text, "answer", gettext("The answer"))
    waiting = Question.objects.filter(pk=question.pk, answered_at__isnull=True)
    if not waiting.update(answer=said, answered_by=by, answered_at=timezone.now()):
        there = Question.objects.get(pk=question.pk)
        if (there.answer, there.answered_by_id) != (said, by.pk):
            says = gettext("This was answered meanwhile: “%(answer)s” Nothing was changed.")
            raise AlreadyReviewed(says % {"answer": there.answer})
    question.refresh_from_db()


def waiting_in(project: Project) -> QuerySet[Question]:
    """The oldest first."""
    waiting = Question.objects.filter(project=project, answered_at__isnull=True)
    return waiting.select_related("guideline", "labeler", "assignment__campaign__cohort", "assignment__task__prompt")


def answers_for(labeler: Labeler) -> QuerySet[Question]:
    """What the labeler asked and was answered, the newest first."""
    return Question.objects.filter(labeler=labeler, answered_at__isnull=False).order_by("-answered_at")


def take_up_as_example(question: Question) -> Guideline:
    """Adds the question and its answer to the draft of the guideline's next version, which is begun where there is
    none; once only. Raises InvalidWork where it is not answered, or the draft would be too long."""
    if question.answered_at is None:
        raise InvalidWork(
            [Problem("not_answered", gettext("Answer the question first: an example needs both."), "text")]
        )
    with transaction.atomic():
        draft, _ = begin_version(question.project, WorkKind(question.guideline.kind))
        locked = Guideline.objects.select_for_update().get(pk=draft.pk)
        asked = Question.objects.select_for_update().get(pk=question.pk)
        if asked.example_in_id is not None:
            return Guideline.objects.get(pk=asked.example_in_id)
        body = f"{locked.body.rstrip()}\n\n**Asked: {_one_line(asked.text)}**\n\n{asked.answer}\n"
        if len(body) > BODY_LIMIT:
            says = gettext("With this example the draft has %(many)s characters; at most %(most)s are taken.")
            says %= {"many": in_words(len(body)), "most": in_words(BODY_LIMIT)}
            raise InvalidWork([Problem("text_too_long", says, "text")])
        Guideline.objects.filter(pk=locked.pk).update(body=body)
        Question.objects.filter(pk=asked.pk).update(example_in=locked)
    question.refresh_from_db()
    return locked


def _one_line(text: str) -> str:
    """A question within the marks of strong text, which a line end or a star of its own would break."""
    return " ".join(text.replace("*", "").split())
