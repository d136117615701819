"""A project is made, described and deleted. Its overview stands in the console, which sees what machines did too."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.access import ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.models import Role, User
from labeling.projects import delete_project, describe, make_project, may_make_projects, what_keeps, why_kept
from labeling.second_factors import ask_for_second_factor

FIELDS = ("name", "about")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_project(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    if not may_make_projects(request.user):
        raise PermissionDenied("Projects are made by owners of one and by whoever runs this installation.")
    typed = {field: request.POST.get(field, "") for field in FIELDS}
    problem = ""
    if request.method == "POST":
        try:
            made = make_project(name=typed["name"], about=typed["about"], by=request.user)
        except Refusal as refusal:
            problem = refusal.message
        else:
            return redirect("project", made.slug)
    return render(request, "projects/new.html", {"typed": typed, "problem": problem}, status=400 if problem else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page([Role.OWNER])
def project_settings(request: ProjectRequest) -> HttpResponse:
    typed = {"name": request.project.name, "about": request.project.about}
    problem = ""
    if request.method == "POST":
        typed = {field: request.POST.get(field, "") for field in FIELDS}
        try:
            describe(request.project, name=typed["name"], about=typed["about"])
        except Refusal as refusal:
            problem = refusal.message
            request.project.refresh_from_db()
        else:
            messages.success(request, "Kept.")
            return redirect("project_settings", request.project.slug)
    context = {"typed": typed, "problem": problem}
    return render(request, "projects/settings.html", context, status=400 if problem else 200)


@require_POST
@project_page([Role.OWNER])
@reauthentication_required
def second_factor(request: ProjectRequest) -> HttpResponse:
    ask_for_second_factor(request.project, asked="asked" in request.POST)
    messages.success(
        request,
        "Owners and researchers need a second factor from their next page on."
        if request.project.second_factor
        else "Nobody needs a second factor for this project.",
    )
    return redirect("project_settings", request.project.slug)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page([Role.OWNER])
@reauthentication_required(allow_get=True)
def delete(request: ProjectRequest) -> HttpResponse:
    """Says why it stays, or takes the project's name and deletes it."""
    problem, status = "", 200
    if request.method == "POST":
        try:
            delete_project(request.project, named=request.POST.get("named", ""))
        except Refusal as refusal:
            problem, status = refusal.message, refusal.status
        else:
            messages.success(request, f"{request.project.name} is deleted.")
            return redirect("home")
    keeps = what_keeps(request.project)
    context = {
        "why_kept": why_kept(request.project, keeps) if keeps else "",
        "members": request.project.memberships.count(),
        "problem": problem,
    }
    return render(request, "projects/delete.html", context, status=status)
