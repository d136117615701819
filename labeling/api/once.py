"""Idempotency keys: a writing request that carries one is done once, and a repeat gets the first answer.

The key's row and what the request does are one transaction, so that either both are there or neither; of two at once
the second waits for the first. Acts that must not run within another transaction (a claim takes its locks in an order
of its own) are by nature the same when repeated, and their answer is noted afterwards. An answer that refused is not
kept: nothing was done, so the request may be tried again.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from labeling.api.errors import InvalidQuery
from labeling.errors import Refusal
from labeling.models import AnsweredRequest, Project, User

HEADER = "Idempotency-Key"
MOST_CHARACTERS = 200
KEPT_FOR = timedelta(days=1)
REPLAYED = "Idempotency-Replayed"

Act = Callable[..., Response]


class KeyReused(Refusal):
    """The same key came with another request."""

    code = "idempotency_key_reused"
    status = 409


class KeyInUse(Refusal):
    """The first request with the key was under way, and was refused between two looks."""

    code = "idempotency_key_in_use"
    status = 409


def key_of(request: Request) -> str:
    """The request's key, or "". Raises InvalidQuery for one that cannot be kept."""
    key: str = request.headers.get(HEADER, "")
    if len(key) > MOST_CHARACTERS or not key.isascii() or not (key.isprintable() or key == ""):
        raise InvalidQuery(f"{HEADER} has {len(key)} characters; expected 1 to {MOST_CHARACTERS} plain ones.")
    return key


def answered_once(request: Request, project: Project, act: Act, *, key: str, together: bool) -> Response:
    """Runs the act, or answers as it was answered before. together: in one transaction with the key's row."""
    user: User = request.user  # type: ignore[assignment]
    digest = _digest(request)
    if not together:
        if (found := _found(project, user, key)) is not None:
            return _replayed(found, digest)
        response = act()
        row = AnsweredRequest(project=project, user=user, key=key, digest=digest)
        _note(row, response)
        AnsweredRequest.objects.bulk_create([row], ignore_conflicts=True)
        return response
    with transaction.atomic():
        try:
            with transaction.atomic():
                row = AnsweredRequest.objects.create(project=project, user=user, key=key, digest=digest)
        except IntegrityError:
            found = _found(project, user, key)
            if found is None:  # The first was refused between the two statements.
                raise KeyInUse("Another request with this key was under way; send it again.") from None
            return _replayed(found, digest)
        response = act()
        _note(row, response)
        row.save(update_fields=["status", "body"])
    return response


def _digest(request: Request) -> str:
    _ = request.data  # Reads the body, or refuses it.
    raw: bytes = getattr(request._request, "raw_body", b"")
    head = f"{request.method} {request._request.get_full_path()}\n".encode(errors="surrogateescape")
    return hashlib.sha256(head + raw).hexdigest()


def _found(project: Project, user: User, key: str) -> AnsweredRequest | None:
    return AnsweredRequest.objects.filter(project=project, user=user, key=key).first()


def _replayed(found: AnsweredRequest, digest: str) -> Response:
    if found.digest != digest:
        raise KeyReused(f"The key {found.key[:60]!r} came with another request before; give each request its own.")
    body = json.loads(found.body) if found.body else None
    return Response(body, status=found.status, headers={REPLAYED: "true"})


def _note(row: AnsweredRequest, response: Response) -> None:
    row.status = response.status_code
    row.body = "" if response.data is None else json.dumps(response.data, cls=JSONEncoder, ensure_ascii=False)


def forget_old_answers() -> int:
    """Part of the sweep."""
    old: Any = AnsweredRequest.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    return int(old.delete()[0])
