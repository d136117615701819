"""Webhooks: addresses that a project has told of what happens in it, by signed messages (Standard Webhooks).

A message is written to the outbox in the transaction of what it tells of, so that neither is there without the other;
sending.py sends it. https://www.standardwebhooks.com describes the headers and the signature.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from labeling.errors import Refusal
from labeling.models import Delivery, Project, User, Webhook
from labeling.outbound import check_address
from labeling.prepared import Prepared

EVENTS = {
    "task.completed": "a task has as many submissions as it asks for",
    "campaign.completed": "all work of a campaign is done",
    "stage.finished": "a stage of a round is done, failed or was cancelled",
    "alarm": "a figure that should not be as it is: a job's own alarm, or one of the project's",
    "ping": "somebody asked for a trial message",
}
OFFERED = tuple(event for event in EVENTS if event != "ping")
MOST_WEBHOOKS = 20
SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"  # noqa: S105, how every secret begins
KEPT_FOR = timedelta(days=30)


class WebhookRefused(Refusal):
    """A webhook that cannot be as it is asked for."""

    code = "webhook_refused"


def make_webhook(project: Project, *, url: str, events: Iterable[str], by: User) -> Webhook:
    """Its secret is in the row, to be shown this once. Raises WebhookRefused, AddressRefused."""
    check_address(url)
    chosen = checked_events(events)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if Webhook.objects.filter(project=project).count() >= MOST_WEBHOOKS:
            raise WebhookRefused(f"The project has {MOST_WEBHOOKS} webhooks, and no more are made. Delete one.")
        return Webhook.objects.create(project=project, url=url, events=chosen, secret=new_secret(), created_by=by)


def change_webhook(
    webhook: Webhook, *, url: str | None = None, events: Iterable[str] | None = None, active: bool | None = None
) -> Webhook:
    """None leaves as it is. Raises WebhookRefused, AddressRefused."""
    if url is not None:
        check_address(url)
        webhook.url = url
    if events is not None:
        webhook.events = checked_events(events)
    if active is not None:
        webhook.active, webhook.paused_because = active, ""
    webhook.save(update_fields=["url", "events", "active", "paused_because"])
    return webhook


def checked_events(events: Iterable[str]) -> list[str]:
    """In their order, each once. Raises WebhookRefused."""
    wanted = set(events)
    odd = sorted(wanted - set(OFFERED))
    if odd or not wanted:
        found = f"{odd[0][:40]!r} is not among them" if odd else "none is chosen"
        raise WebhookRefused(f"A webhook is told of: {', '.join(OFFERED)}; {found}.")
    return [event for event in OFFERED if event in wanted]


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def change_secret(webhook: Webhook) -> Webhook:
    """What is sent from now on is signed with the new one, what waits too."""
    webhook.secret = new_secret()
    webhook.save(update_fields=["secret"])
    return webhook


# --- the outbox -------------------------------------------------------------------------------------------------------


def announce(project_id: int, event: str, data: Mapping[str, Any]) -> int:
    """Writes a message for every webhook of the project that is told of such (one query where there is none); returns
    how many. Belongs into the transaction of what it tells of."""
    told = [hook for hook in _ACTIVE.rows([project_id]) if event in hook.events]
    if not told:
        return 0
    message, body = uuid4(), body_of(event, data)
    Delivery.objects.bulk_create(
        Delivery(webhook=hook, message=message, event=event, body=body, next_try_at=Now()) for hook in told
    )
    return len(told)


def _active_asked(project: int) -> QuerySet[Webhook]:
    return Webhook.objects.filter(project=project, active=True)


_ACTIVE = Prepared(_active_asked, int)


def ping(webhook: Webhook) -> Delivery:
    """A trial message, sent like every other, and at once also where the address failed before."""
    let_go(webhook.pk)
    body = body_of("ping", {"project": webhook.project.slug})
    made = Delivery.objects.create(webhook=webhook, event="ping", body=body, next_try_at=Now())
    made.refresh_from_db(fields=["next_try_at"])
    return made


def replay(delivery: Delivery) -> None:
    """Sends it anew, under the same message id: a receiver that has it already knows it by that."""
    let_go(delivery.webhook_id)
    Delivery.objects.filter(pk=delivery.pk).update(
        state=Delivery.State.WAITING, attempts=0, next_try_at=Now(), outcome="", status=None
    )


def let_go(webhook: int) -> None:
    Webhook.objects.filter(pk=webhook).update(held_until=None)


def body_of(event: str, data: Mapping[str, Any]) -> str:
    said = {"type": event, "timestamp": timezone.now().isoformat(), "data": dict(data)}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def signed_headers(delivery: Delivery, secret: str, *, at: int) -> dict[str, str]:
    """at: seconds since 1970; a receiver refuses what is too old."""
    content = f"{message_id(delivery)}.{at}.{delivery.body}".encode()
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id(delivery),
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature}",
        "Content-Type": "application/json; charset=utf-8",
    }


def message_id(delivery: Delivery) -> str:
    return f"msg_{delivery.message.hex}"


def forget_old_deliveries() -> int:
    """Part of the sweep: what has arrived or was given up, after a while."""
    old = Delivery.objects.exclude(state=Delivery.State.WAITING).filter(created_at__lt=timezone.now() - KEPT_FOR)
    return int(old.delete()[0])
