"""The first page: the projects of whoever is signed in, with what waits there; with one project, that project."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from labeling.access import LABELS, READS_DATA, RESEARCHES
from labeling.models import Membership, Role, User
from labeling.projects import may_make_projects
from labeling.waiting import NOTHING, what_waits

MOST_LISTED = 200


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """?all shows the list to who has one project too."""
    assert isinstance(request.user, User)
    found = Membership.objects.filter(user=request.user).select_related("project")
    found = found.order_by("-project__simulated", "project__name")  # a rehearsal is what a newcomer looks at first
    memberships = list(found[:MOST_LISTED])
    if len(memberships) == 1 and "all" not in request.GET and (only := first_page(memberships[0])):
        return redirect(only)
    waits = what_waits(memberships)
    projects = [(membership, first_page(membership), waits[membership.project_id]) for membership in memberships]
    working = sum(words not in ("", NOTHING) for words in waits.values())
    context = {
        "projects": projects,
        "working": working,
        "researches": RESEARCHES,
        "may_make": may_make_projects(request.user),
    }
    return render(request, "home.html", context)


def first_page(membership: Membership) -> str:
    """Where this member's work is; empty for a role that has no pages."""
    slug = membership.project.slug
    if membership.role in RESEARCHES:
        return reverse("project", args=[slug])
    if membership.role in LABELS:
        return reverse("queue", args=[slug])
    return reverse("tokens", args=[slug]) if membership.role in READS_DATA | {Role.CUSTOMER} else ""
