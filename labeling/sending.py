"""What waits in the outbox is sent: signed, to a vetted address, again with growing pauses until it arrives.

A worker takes a message by pushing its next try forward under a lock that others pass over, so that two workers do not
send it at once; one that dies on the way leaves it due again. No transaction is open while an address is waited for.

An address that does not answer costs the others little: it has a share of each round of attempts, and is left alone for
a while after one in which nothing arrived. One that refuses a message (4xx) answers, so that its others go on.
"""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from labeling.errors import Refusal
from labeling.models import Delivery, Webhook
from labeling.outbound import Limits, post
from labeling.repeating import Repeated
from labeling.webhooks import signed_headers

State = Delivery.State
PAUSES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""After the first attempt, the second and so on; after the last one it is given up. As Standard Webhooks proposes."""
LIMITS = Limits(seconds=10.0, bytes=1024)
TAKEN_FOR = timedelta(seconds=60)
"""Longer than an attempt lasts."""
AT_ONCE = 8
AT_ONCE_TO_ONE = 4
HELD_FIRST, HELD_AGAIN = PAUSES[:2]
"""How long an address that fails is left alone: the first time, and each time until something arrives."""
LOOK_SECONDS = 2.0
GONE = 410
OUTCOME_CHARACTERS = 300


@dataclass(frozen=True)
class Attempt:
    """status: of the answer, None where there was none."""

    arrived: bool
    status: int | None
    outcome: str

    @property
    def is_of_the_address(self) -> bool:
        """Whether it failed as any other message would have: no answer, an error of the server, too many requests."""
        return not self.arrived and (self.status is None or self.status >= 500 or self.status == 429)


def outbox() -> Repeated:
    """Sends what is due from a thread of a machine's worker, so that a stage of hours holds no webhook up."""
    return Repeated(deliver_due, every=LOOK_SECONDS, name="outbox")


def deliver_due(*, seconds: float = 10.0) -> int:
    """Sends what is due, some at a time, until nothing is or the time is over; returns how many attempts it made."""
    deadline = time.monotonic() + seconds
    made = 0
    while _due().exists() and (due := _take()):
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            attempts = list(pool.map(_attempt, due))
        for delivery, attempt in zip(due, attempts, strict=True):
            _note(delivery, attempt)
        _hold_or_let_go(due, attempts)
        made += len(due)
        if time.monotonic() > deadline:
            break
    return made


def _due() -> QuerySet[Delivery]:
    held = Q(webhook__held_until__gt=Now())
    return Delivery.objects.filter(~held, state=State.WAITING, next_try_at__lte=Now(), webhook__active=True)


def _take() -> list[Delivery]:
    place = Window(RowNumber(), partition_by=F("webhook"), order_by=("next_try_at", "pk"))
    first = _due().annotate(place=place).filter(place__lte=AT_ONCE_TO_ONE).order_by("next_try_at", "pk")
    chosen = list(first.values_list("pk", flat=True)[: 4 * AT_ONCE])  # some of them may be another worker's by now
    with transaction.atomic():
        locked = _due().select_for_update(skip_locked=True, of=("self",)).select_related("webhook")
        due = list(locked.filter(pk__in=chosen).order_by("next_try_at", "pk")[:AT_ONCE])
        Delivery.objects.filter(pk__in=[one.pk for one in due]).update(
            next_try_at=Now() + TAKEN_FOR, attempts=F("attempts") + 1
        )
    for one in due:
        one.attempts += 1
    return due


def _attempt(delivery: Delivery) -> Attempt:
    """In a thread: asks no database."""
    webhook = delivery.webhook
    headers = signed_headers(delivery, webhook.secret, at=int(time.time()))
    try:
        answer = post(webhook.url, delivery.body.encode(), headers, limits=LIMITS)
    except Refusal as refused:
        return Attempt(False, None, refused.message)
    if 200 <= answer.status < 300:
        return Attempt(True, answer.status, "Arrived.")
    if 300 <= answer.status < 400:
        return Attempt(False, answer.status, "Answered with a redirect, which is not followed; give the last address.")
    return Attempt(False, answer.status, f"Answered with status {answer.status}; expected 200 to 299.")


def _note(delivery: Delivery, attempt: Attempt) -> None:
    """Only where nobody took it up meanwhile."""
    mine = Delivery.objects.filter(pk=delivery.pk, state=State.WAITING, attempts=delivery.attempts)
    said = {"status": attempt.status, "outcome": attempt.outcome[:OUTCOME_CHARACTERS]}
    if attempt.arrived:
        mine.update(state=State.DELIVERED, delivered_at=timezone.now(), next_try_at=None, **said)
    elif attempt.status == GONE:
        mine.update(state=State.GIVEN_UP, next_try_at=None, **said)
        because = "The address said that it is gone (410)."
        Webhook.objects.filter(pk=delivery.webhook_id).update(active=False, paused_because=because)
    elif delivery.attempts > len(PAUSES):
        mine.update(state=State.GIVEN_UP, next_try_at=None, **said)
    else:
        pause = PAUSES[delivery.attempts - 1] * random.uniform(0.9, 1.1)  # noqa: S311, apart from each other is enough
        # By the clock that says what is due: the database's.
        mine.update(next_try_at=Now() + pause, **said)


def _hold_or_let_go(due: Sequence[Delivery], attempts: Sequence[Attempt]) -> None:
    """One look at each address of a round of attempts."""
    of: dict[int, list[Attempt]] = {}
    for delivery, attempt in zip(due, attempts, strict=True):
        of.setdefault(delivery.webhook_id, []).append(attempt)
    held_before = {one.webhook_id: one.webhook.held_until is not None for one in due}
    for webhook, made in of.items():
        rows = Webhook.objects.filter(pk=webhook)
        if all(attempt.is_of_the_address for attempt in made):
            rows.update(held_until=Now() + (HELD_AGAIN if held_before[webhook] else HELD_FIRST))
        elif held_before[webhook]:
            rows.update(held_until=None)
