"""If-Match: a write that is done only where what it changes is still what its client read.

The look and the write are one transaction, and such writes of a project wait for each other, so that of two clients who
read the same only one writes. A page of the console that writes at that moment waits for no API; its change is met by
whoever looks next.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.errors import InvalidQuery
from labeling.errors import Refusal
from labeling.models import Project

IF_MATCH = "If-Match"


class ChangedMeanwhile(Refusal):
    """What is to be changed is not what the client read."""

    code = "changed_meanwhile"
    status = 412


def etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def only_if_unchanged(view: Any, request: Request, act: Callable[[], Response]) -> Callable[[], Response]:
    """The act, behind the look. Raises InvalidQuery for an address that is not read, or whose writes take their locks
    in transactions of their own."""
    if "GET" not in view.allows or view.apart:
        raise InvalidQuery(f"{IF_MATCH} says nothing at this address: it is not read and written as one thing.")
    wanted = [one.strip() for one in request.headers[IF_MATCH].split(",")]

    def guarded() -> Response:
        with transaction.atomic():
            view.project = Project.objects.select_for_update(no_key=True).get(pk=view.project.pk)
            if wanted != ["*"] and _now(view, request) not in wanted:
                raise ChangedMeanwhile("This was changed since you read it. Read it again, and decide anew.")
            return act()

    return guarded


def _now(view: Any, request: Request) -> str:
    """The ETag that a GET would have; Http404 where there is nothing."""
    read = view.get(request, **view.kwargs)
    renderer: Any = request.accepted_renderer
    return etag_of(renderer.render(read.data, request.accepted_media_type, view.get_renderer_context()))
