"""The first page: the projects of whoever is signed in; with one project, that project."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from labeling.access import LABELS, RESEARCHES
from labeling.models import Membership


@login_required
def home(request: HttpRequest) -> HttpResponse:
    memberships = Membership.objects.filter(user=request.user.pk).select_related("project").order_by("project__name")
    projects = [(membership, first_page(membership)) for membership in memberships]
    if len(projects) == 1 and projects[0][1]:
        return redirect(projects[0][1])
    return render(request, "home.html", {"projects": projects})


def first_page(membership: Membership) -> str:
    """Where this member's work is; empty for a role that has no pages."""
    if membership.role in RESEARCHES:
        return reverse("rounds", args=[membership.project.slug])
    return reverse("queue", args=[membership.project.slug]) if membership.role in LABELS else ""
