"""Questions about a guideline: asked from a task's page, answered on the reviewers' page."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from labeling.access import LABELS, REVIEWS, ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.models import Question
from labeling.questions import answer, ask, take_up_as_example, waiting_in
from labeling.views.task import own_assignment_or_404

SHOWN, ANSWERED_SHOWN = 50, 10


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(LABELS)
def ask_page(request: ProjectRequest, uuid: UUID) -> HttpResponse:
    assignment = own_assignment_or_404(request, uuid)
    text = request.POST.get("text", "")
    context = {"assignment": assignment, "text": text}
    if request.method != "POST":
        return render(request, "labeling/ask.html", context)
    try:
        ask(assignment, text)
    except Refusal as refusal:
        return render(request, "labeling/ask.html", context | {"problems": refusal.problems}, status=refusal.status)
    messages.success(request, gettext("Your question is with the reviewers. The answer will stand under My work."))
    return redirect("task", request.project.slug, uuid)


@never_cache
@require_safe
@project_page(REVIEWS)
def questions(request: ProjectRequest) -> HttpResponse:
    return _show(request)


@require_POST
@project_page(REVIEWS)
def answer_question(request: ProjectRequest, question_id: int) -> HttpResponse:
    """text: the answer, where there is none yet; example: into the draft of the guideline's next version too."""
    question = get_object_or_404(Question.objects.select_related("guideline", "project"), pk=question_id,
                                 project=request.project)  # fmt: skip
    try:
        if question.answered_at is None or request.POST.get("text"):
            answer(question, request.user, request.POST.get("text", ""))
        if request.POST.get("example"):
            draft = take_up_as_example(question)
            says = gettext("It stands in the draft of version %(version)s as an example.")
            messages.success(request, says % {"version": draft.version})
        else:
            messages.success(request, gettext("Answered."))
    except Refusal as refusal:
        return _show(request, wrong=question, refusal=refusal)
    return redirect("questions", request.project.slug)


def _show(request: ProjectRequest, *, wrong: Question | None = None, refusal: Refusal | None = None) -> HttpResponse:
    waiting = waiting_in(request.project)
    answered = Question.objects.filter(project=request.project, answered_at__isnull=False)
    context = {
        "many": waiting.count(),
        "waiting": waiting[:SHOWN],
        "answered": answered.select_related("guideline", "example_in").order_by("-answered_at")[:ANSWERED_SHOWN],
        "wrong": wrong.pk if wrong else None,
        "text": request.POST.get("text", ""),
        "problems": refusal.problems if refusal else [],
    }
    return render(request, "labeling/questions.html", context, status=refusal.status if refusal else 200)
