"""Who asks, and for which project: a token opens one project, with the rights its user has there now."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from labeling.access import membership_or_404
from labeling.api.errors import InvalidQuery, ScopeMissing
from labeling.models import Project, ProjectToken
from labeling.scopes import Scope


class AsWeAnswer(BaseContentNegotiation):
    """The answer comes in the form its address has; a client that asks for another form gets this one all the same.

    Otherwise `Accept: application/x-ndjson`, which is right, would be refused where errors are plain JSON.
    """

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


def project_for(request: Request, slug: str, *, roles: Collection[str], scope: Scope = Scope.READ) -> Project:
    """The project that the token opens. Http404 for any other, as if there were none; PermissionDenied for the role,
    ScopeMissing for a token that was made for other things."""
    token = request.auth
    membership = membership_or_404(request.user, slug)
    if not isinstance(token, ProjectToken) or token.project_id != membership.project_id:
        raise Http404
    if membership.role not in roles:
        raise PermissionDenied(f"Your role here is {membership.role}; this takes one of {', '.join(sorted(roles))}.")
    if scope not in token.scopes:
        raise ScopeMissing(f"This takes a token with the scope {scope}; this one has: {', '.join(token.scopes)}.")
    return membership.project


def query_of(request: Request, known: Collection[str]) -> dict[str, str]:
    """The parameters of the address. Raises InvalidQuery for one that is not known, or given twice."""
    given = request.query_params
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise InvalidQuery(f"The parameter {name[:60]!r} is not known here; known are: {listed}.")
        if len(given.getlist(name)) > 1:
            raise InvalidQuery(f"The parameter {name!r} is given {len(given.getlist(name))} times; give it once.")
    return given.dict()


def choice_in(query: dict[str, str], name: str, choices: Collection[str], default: str) -> str:
    """One of the choices. Raises InvalidQuery for any other value."""
    value = query.get(name, default)
    if value not in choices and value != default:
        raise InvalidQuery(f"{name} is {value[:60]!r}; expected one of {', '.join(choices)}.")
    return value
