"""Who may see what: project membership and roles.

A stranger learns nothing: a project, or anything in it, that is not theirs answers 404, never 403.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from labeling.models import Membership, Project, Role, User
from labeling.prepared import Prepared
from labeling.second_factors import has_second_factor, needs_second_factor

P = ParamSpec("P")

LABELS = frozenset(Role) - {Role.CUSTOMER}
"""Roles that may label."""
REVIEWS = frozenset({Role.OWNER, Role.RESEARCHER, Role.REVIEWER})
"""Roles that review what labelers write."""
RESEARCHES = frozenset({Role.OWNER, Role.RESEARCHER})
"""Roles that see the console: rounds, generators, everyone's judgments."""
READS_DATA = frozenset({Role.OWNER, Role.RESEARCHER, Role.ENGINEER})
"""Roles that may pull data sets."""


class ProjectRequest(HttpRequest):
    """A request to a page of a project, with the project and the visitor's membership in it."""

    user: User
    project: Project
    membership: Membership
    roles: frozenset[str]
    """Who may open the page."""


def membership_or_404(user: Any, slug: str) -> Membership:
    """The user's membership in the project; Http404 where there is none or no such project (one query)."""
    membership = _MEMBERSHIP.first([user.pk, slug])
    if membership is None:
        raise Http404(gettext("There is no such page, or it is not yours."))
    membership.user = user
    return membership


def _membership_asked(user: int, slug: str) -> QuerySet[Membership]:
    return Membership.objects.select_related("project").filter(user=user, project__slug=slug)


_MEMBERSHIP = Prepared(_membership_asked, int, str)


def project_page(
    roles: Iterable[str],
) -> Callable[[Callable[Concatenate[ProjectRequest, P], HttpResponse]], Callable[..., HttpResponse]]:
    """Decorates a view whose first URL argument is the project's slug; the view gets a ProjectRequest without it.

    Not signed in: the sign-in page. No member: 404. A member without one of the roles: 403. Without a second factor,
    where one is needed in that role: the page that adds one.
    """
    allowed = frozenset(roles)

    def decorate(view: Callable[Concatenate[ProjectRequest, P], HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        @login_required
        def guarded(request: Any, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            request.membership = membership_or_404(request.user, slug)
            request.project = request.membership.project
            request.roles = allowed
            if request.membership.role not in allowed:
                says = gettext("Your role here is %(role)s; this page is not part of it.")
                raise PermissionDenied(says % {"role": request.membership.get_role_display()})
            if needs_second_factor(request.membership) and not has_second_factor(request.user):
                says = gettext("%(project)s asks for a second factor in your role. Add one here, then go on.")
                messages.warning(request, says % {"project": request.project.name})
                return redirect("mfa_index")
            return view(request, *args, **kwargs)

        return guarded

    return decorate
