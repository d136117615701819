"""An act is written down in its own transaction, and linked into the chain right after it.

The link needs one row locked that all acts share. Were it taken in the act's own transaction, all acts of the site
would queue behind the longest, and two that hold each other's rows would wait for ever. So the act leaves a row that
waits: it is there exactly if the act is, and whatever stopped before it was linked is linked by the next.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from allauth.core import context
from django.db import DatabaseError, transaction

from labeling.audit.chain import BEGINNING, digest_of
from labeling.models import User
from labeling.models.audit import AuditEntry, AuditHead, AuditKind, AuditWaiting

AT_ONCE = 1000
"""Entries that are linked under one lock."""

WORD = re.compile(r"[A-Za-z0-9_.:/-]{0,64}")
"""What a fact may say in letters: a word of a list of ours, a key, a UUID."""

logger = logging.getLogger(__name__)
_UNSAID: Any = object()


def record(
    kind: AuditKind, *, project: int | None = None, by: int | None = _UNSAID, facts: Mapping[str, Any] | None = None
) -> None:
    """Part of the caller's transaction. project, by: ids; by: who is signed in at this request unless it is said, None
    where nobody is (a command, a worker). facts: ids, counts, and words of our own lists; no text that people wrote."""
    said = dict(facts or {})
    if by is _UNSAID:
        by, token = _acting()
        if token:
            said["by_token"] = token
    _refuse_texts(said)
    AuditWaiting.objects.create(kind=kind, project=project, user=by, facts=said)
    transaction.on_commit(_link_now, robust=True)


def _refuse_texts(facts: Mapping[str, Any]) -> None:
    """Entries stay for ever, so that nothing may get into them that somebody could ask to have erased; and a number
    that is not whole may come back from the database in other digits."""
    for name, value in facts.items():
        for one in value if isinstance(value, list) else [value]:
            if not (one is None or isinstance(one, int) or (isinstance(one, str) and WORD.fullmatch(one))):
                raise ValueError(f"the fact {name} is {one!r}; expected ids, whole numbers or single words")


def _acting() -> tuple[int | None, str]:
    """The id of who asks, and the key of the token that they ask with."""
    request = context.request
    user = getattr(request, "user", None)
    token = getattr(getattr(request, "auth", None), "token_key", "")
    return (user.pk, token) if isinstance(user, User) else (None, "")


def _link_now() -> None:
    try:
        link_waiting()
    except DatabaseError:  # The act is done; the next one links this.
        logger.exception("the audit log was not linked; what waits is linked after the next act")


def link_waiting() -> int:
    """Links what waits, in the order in which it was written; returns how many."""
    linked = 0
    while portion := _link_portion():
        linked += portion
    return linked


def _link_portion() -> int:
    if not AuditWaiting.objects.exists():
        return 0
    with transaction.atomic():
        AuditHead.objects.get_or_create(pk=1)
        head = AuditHead.objects.select_for_update().get(pk=1)
        waiting = list(AuditWaiting.objects.order_by("pk")[:AT_ONCE])
        previous, entries = head.digest or BEGINNING, []
        for number, one in enumerate(waiting, start=head.number + 1):
            fields: dict[str, Any] = {
                "number": number, "at": one.at, "kind": one.kind, "project": one.project, "user": one.user,
                "facts": one.facts,
            }  # fmt: skip
            entry = AuditEntry(**fields, previous=previous)
            entry.digest = previous = digest_of(entry)
            entries.append(entry)
        if entries:
            AuditEntry.objects.bulk_create(entries)
            AuditWaiting.objects.filter(pk__in=[one.pk for one in waiting]).delete()
            AuditHead.objects.filter(pk=1).update(number=entries[-1].number, digest=previous)
        return len(entries)
