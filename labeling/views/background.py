"""Background: a labeler's own answers and their withdrawal; the questions, which owners write; a cohort's rule."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.assigning import labeler_of
from labeling.backgrounds import (
    FEWEST_SHOWN,
    answer,
    form_of,
    in_aggregate,
    read_questions,
    read_reference,
    set_rule,
    withdraw,
)
from labeling.errors import Refusal
from labeling.models import Background, Cohort, Role

CONSENT = (
    "These answers are used to tell whose preferences are in the data and in the models made from it. They can put me "
    "into a group that work is kept for or a model learns from. They are shown to nobody but in counts of five people "
    "and more, and deleted when I withdraw them."
)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(LABELS)
def background(request: ProjectRequest) -> HttpResponse:
    """The visitor's own. Every question may stay open."""
    labeler = labeler_of(request.membership)
    form = form_of(request.project)
    problem, status = "", 200
    kept = Background.objects.filter(labeler=labeler).first()
    answers = kept.answers if kept else {}
    if request.method == "POST" and request.POST.get("act") == "withdraw":
        cohorts = withdraw(labeler)
        says = gettext("Your answers are deleted.")
        if cohorts:
            left = gettext("Your answers are deleted. You are out of %(cohorts)s, also for the past.")
            says = left % {"cohorts": ", ".join(cohorts)}
        messages.success(request, says)
        return redirect("background", request.project.slug)
    if request.method == "POST":
        answers = {str(one["name"]): request.POST.get(f"answer-{one['name']}", "") for one in form.questions}
        try:
            answer(labeler, answers, consents=request.POST.get("consents") == "yes")
        except Refusal as refusal:
            problem, status = refusal.message, refusal.status
        else:
            messages.success(request, gettext("Kept. You can change or withdraw it here at any time."))
            return redirect("background", request.project.slug)
    context = {
        "form": form, "kept": kept, "problem": problem,
        "questions": [(one, answers.get(str(one["name"]), "")) for one in form.questions],
    }  # fmt: skip
    return render(request, "people/background.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page([Role.OWNER])
def background_questions(request: ProjectRequest) -> HttpResponse:
    """What is asked, the words of consent, and a population to compare with."""
    form = form_of(request.project)
    lines = [f"{one['label']}: {' | '.join(one['choices'])}" for one in form.questions]
    typed = {
        "questions": "\n".join(lines), "consent": form.consent or CONSENT, "reference": "",
        "source": form.reference_source,
    }  # fmt: skip
    problem, status = "", 200
    if request.method == "POST":
        typed = {name: request.POST.get(name, "")[:20_000] for name in typed}
        try:
            form.questions = read_questions(typed["questions"])
            form.consent = typed["consent"].strip()[:2_000]
            form.reference_source = typed["source"].strip()[:200]
            form.save()
            if typed["reference"].strip():
                form.reference = read_reference(request.project, typed["reference"])
                form.save()
        except Refusal as refusal:
            problem, status = refusal.message, refusal.status
        else:
            messages.success(request, "Kept. Who answered before is asked again only where they look.")
            return redirect("background_questions", request.project.slug)
    context = {"typed": typed, "problem": problem, "asked": in_aggregate(request.project), "fewest": FEWEST_SHOWN}
    return render(request, "people/background_questions.html", context, status=status)


@require_POST
@project_page([Role.OWNER])
def cohort_rule(request: ProjectRequest, cohort_id: int) -> HttpResponse:
    """answer-NAME: the answers to a question that put somebody in; lasting: yes where the trait does not change."""
    cohort = get_object_or_404(Cohort.objects.filter(project=request.project), pk=cohort_id)
    names = [str(one["name"]) for one in form_of(request.project).questions]
    rule = {name: values for name in names if (values := request.POST.getlist(f"answer-{name}"))}
    try:
        set_rule(cohort, rule, lasting=request.POST.get("lasting") == "yes")
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "The rule is kept, and who fits it is in.")
    return redirect("cohort", request.project.slug, cohort.pk)
