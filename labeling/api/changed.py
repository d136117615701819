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


def etag_of(view: Any, request: Request, data: Any, content: bytes) -> str:
    """Of an answer: data as it was written out to content. Where some of it moves by itself (view.moving), two parts:
    of what somebody decides, and of all of it."""
    if not view.moving:
        return f'"{_digest(content)}"'
    decided = {name: value for name, value in data.items() if name not in view.moving}
    return f'"{_digest(_written(view, request, decided))}.{_digest(content)}"'


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _written(view: Any, request: Request, data: Any) -> bytes:
    renderer: Any = request.accepted_renderer
    written: bytes = renderer.render(data, request.accepted_media_type, view.get_renderer_context())
    return written


def _decided(etag: str) -> str:
    """The part by which If-Match compares: a campaign may be changed although people went on working in it."""
    return etag.strip().partition(".")[0].strip('"')


def only_if_unchanged(view: Any, request: Request, act: Callable[[], Response]) -> Callable[[], Response]:
    """The act, behind the look. Raises InvalidQuery for an address that is not read, or whose writes take their locks
    in transactions of their own."""
    if "GET" not in view.allows or view.apart:
        raise InvalidQuery(f"{IF_MATCH} says nothing at this address: it is not read and written as one thing.")
    said = request.headers[IF_MATCH].strip()
    wanted = [_decided(one) for one in said.split(",")]

    def guarded() -> Response:
        with transaction.atomic():
            view.project = Project.objects.select_for_update(no_key=True).get(pk=view.project.pk)
            if said != "*" and _now(view, request) not in wanted:
                raise ChangedMeanwhile("This was changed since you read it. Read it again, and decide anew.")
            return act()

    return guarded


def _now(view: Any, request: Request) -> str:
    """What the ETag of a GET would be compared by; Http404 where there is nothing."""
    read = view.get(request, **view.kwargs)
    return _decided(etag_of(view, request, read.data, _written(view, request, read.data)))
