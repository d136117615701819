"""Qualifications: made and filled by owners, watched by researchers, graded by reviewers, met by labelers."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import LABELS, RESEARCHES, REVIEWS, ProjectRequest, project_page
from labeling.assigning import labeler_of
from labeling.campaign_forms import dressed
from labeling.errors import InvalidSetting, Refusal
from labeling.models import Campaign, Grade, Qualification, QualificationTry, Response, Role, Submission, WorkKind
from labeling.rendering import render_all
from labeling.screening import assess_self, candidates_of, decide_by_hand, settle
from labeling.screening_scores import progress_of
from labeling.screening_tasks import KINDS, MOST_TASKS, add_screening

WAIT = 20
"""Demonstrations that wait for a grade, shown at once."""


class QualificationForm(forms.ModelForm):
    """One line a group for self-assessment."""

    groups = forms.CharField(
        label="Groups of people somebody is asked about", required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="one a line: for whom could you judge what is sensitive, what is good?",
    )  # fmt: skip

    class Meta:
        model = Qualification
        fields = ("name", "comparisons", "flags", "demonstrations", "groups_known", "tries", "retake_days", "probation")
        labels = {
            "comparisons": "Comparisons as gold has them, per cent",
            "flags": "Flags as gold has them, per cent",
            "demonstrations": "Mean grade of demonstrations, 1 to 7",
            "groups_known": "Groups known, at least",
            "tries": "Tries",
            "retake_days": "Days between tries",
            "probation": "Submissions on probation",
        }
        help_texts = {
            "name": "labelers read it",
            "probation": "of real work; gold met in them decides once more at their end; 0: none",
        }

    def __init__(self, typed: Any = None, *, instance: Qualification) -> None:
        super().__init__(typed, instance=instance, auto_id="set-%s")
        dressed(self)

    def clean_groups(self) -> list[str]:
        lines = dict.fromkeys(line.strip()[:80] for line in self.cleaned_data["groups"].splitlines())
        return [line for line in lines if line][:40]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(RESEARCHES)
def qualification_list(request: ProjectRequest) -> HttpResponse:
    """All of the project, and a form that makes another; the paper's cut-offs stand in it."""
    form = QualificationForm(request.POST or None, instance=Qualification(project=request.project))
    if request.method == "POST":
        _owners_only(request)
        if form.is_valid():
            taken = Qualification.objects.filter(project=request.project, name=form.cleaned_data["name"]).exists()
            if not taken:
                made = form.save(commit=False)
                made.self_assessed = form.cleaned_data["groups"]
                made.save()
                return redirect("qualification", request.project.slug, made.pk)
            form.add_error("name", "There is a qualification of this name already.")
    found = Qualification.objects.filter(project=request.project)
    context = {"found": found, "form": form, "owns": request.membership.role == Role.OWNER}
    return render(request, "qualifications/list.html", context, status=400 if form.is_bound else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(REVIEWS)
def qualification(request: ProjectRequest, qualification_id: int) -> HttpResponse:
    """One: its campaigns, its candidates, and what waits to be graded. POST adds a campaign."""
    found = _found(request, qualification_id)
    problem, status = "", 200
    if request.method == "POST":
        _owners_only(request)
        try:
            numbers = [_number(request.POST.get(name, "")) for name in ("number", "tasks")]
            add_screening(found, request.POST.get("kind", ""), number=numbers[0], tasks=numbers[1])
        except Refusal as refusal:
            problem, status = refusal.message, refusal.status
        else:
            messages.success(request, "Its campaign is open to candidates.")
            return redirect("qualification", request.project.slug, found.pk)
    context = {
        "qualification": found, "problem": problem, "most": MOST_TASKS,
        "kinds": [(kind.value, kind.label) for kind in KINDS], "tries": range(1, found.tries + 1),
        "screenings": found.screenings.select_related("campaign"), "candidates": candidates_of(found),
        "waiting": _to_grade(request, found), "grades": range(1, 8),
        "requiring": Campaign.objects.filter(requires=found, screening_of__isnull=True),
        "owns": request.membership.role == Role.OWNER,
    }  # fmt: skip
    return render(request, "qualifications/qualification.html", context, status=status)


def _to_grade(request: ProjectRequest, found: Qualification) -> list[tuple[Submission, str]]:
    """Demonstrations without a grade, the longest waiting first; who wrote them is not said, nor is one's own there."""
    waiting = Submission.objects.filter(
        assignment__campaign__screening_of__qualification=found,
        assignment__campaign__kind=WorkKind.DEMONSTRATION,
        assignment__current_submission__isnull=False,
        grades__isnull=True,
    ).exclude(assignment__labeler__user=request.user)
    some = list(waiting.select_related("assignment__task__prompt").order_by("pk")[:WAIT])
    texts = dict(Response.objects.filter(submission__in=some).values_list("submission_id", "text"))
    return list(zip(some, render_all([texts.get(one.pk, "") for one in some]), strict=True))


@require_POST
@project_page(REVIEWS)
def grade(request: ProjectRequest, qualification_id: int, submission_id: int) -> HttpResponse:
    found = _found(request, qualification_id)
    waiting = Submission.objects.filter(assignment__campaign__screening_of__qualification=found)
    submission = get_object_or_404(waiting.exclude(assignment__labeler__user=request.user), pk=submission_id)
    given = request.POST.get("grade", "")
    if given in tuple("1234567"):
        remarks = request.POST.get("remarks", "")[:2_000]
        Grade.objects.update_or_create(
            submission=submission, reviewer=request.user, defaults={"grade": int(given), "remarks": remarks}
        )
        settle(found, submission.assignment.labeler)
        messages.success(request, "Graded.")
    else:
        messages.error(request, f"The grade is {given[:10]!r}; expected 1 to 7.")
    return redirect("qualification", request.project.slug, found.pk)


@require_POST
@project_page([Role.OWNER])
def decide_try(request: ProjectRequest, qualification_id: int, try_id: int) -> HttpResponse:
    """An owner decides otherwise, and says why."""
    found = _found(request, qualification_id)
    current = get_object_or_404(QualificationTry.objects.filter(qualification=found), pk=try_id)
    try:
        decide_by_hand(current, request.POST.get("state", ""), by=request.user, why=request.POST.get("why", ""))
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Decided.")
    return redirect("qualification", request.project.slug, found.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(LABELS)
def my_qualification(request: ProjectRequest, qualification_id: int) -> HttpResponse:
    """How far the visitor's own try is, and what they say of themselves. No score before it is decided."""
    found = _found(request, qualification_id)
    labeler = labeler_of(request.membership)
    current = settle(found, labeler)
    if request.method == "POST":
        if current is None:
            current = QualificationTry.objects.create(qualification=found, labeler=labeler)
        try:
            assess_self(current, request.POST.getlist("knows"))
        except Refusal as refusal:
            messages.error(request, refusal.message)
        settle(found, labeler)
        return redirect("my_qualification", request.project.slug, found.pk)
    under_way = current is not None and current.state == QualificationTry.State.OPEN
    context = {
        "qualification": found, "current": current,
        "progress": progress_of(found, [current])[0] if current and under_way else None,
        "campaigns": Campaign.objects.filter(
            screening_of__qualification=found, screening_of__number=current.number if current else 1, state="open"
        ),
    }  # fmt: skip
    return render(request, "qualifications/mine.html", context)


def _found(request: ProjectRequest, qualification_id: int) -> Qualification:
    return get_object_or_404(Qualification.objects.filter(project=request.project), pk=qualification_id)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise InvalidSetting(f"{text[:20]!r} is no number; write one in digits.")
    return int(text)


def _owners_only(request: ProjectRequest) -> None:
    if request.membership.role != Role.OWNER:
        raise PermissionDenied("Qualifications are made by owners of the project.")
