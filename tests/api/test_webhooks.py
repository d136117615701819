"""Webhooks: announced with what they tell of, signed, sent until they arrive, to guarded addresses only."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from labeling import completing, sending
from labeling.access import RESEARCHES
from labeling.models import Campaign, Delivery, Project, User, Webhook
from labeling.sending import AT_ONCE_TO_ONE, PAUSES, deliver_due
from labeling.webhooks import OFFERED, announce, make_webhook, ping, replay
from tests.api.filled import Api, Filled
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now
from tests.security.receiving import LOOPBACK, Received, receiving
from training.announcing import announce_stage
from training.rounds import open_round

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def received(settings: Settings) -> Iterator[Received]:
    settings.OUTBOUND_NETWORKS = LOOPBACK
    with receiving() as found:
        yield found


@pytest.fixture
def webhook(project: Project, owner: User, received: Received) -> Webhook:
    return make_webhook(project, url=received.url, events=OFFERED, by=owner)


def told(webhook: Webhook) -> list[tuple[str, Any]]:
    return [(one.event, json.loads(one.body)["data"]) for one in webhook.deliveries.order_by("pk")]


def test_a_message_is_signed_as_standard_webhooks_says(webhook: Webhook, received: Received) -> None:
    delivery = ping(webhook)
    assert deliver_due() == 1
    ((method, _, headers, body),) = received.requests
    assert method == "POST"
    assert headers["webhook-id"] == f"msg_{delivery.message.hex}"
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
    assert json.loads(body)["type"] == "ping"
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status, delivery.attempts) == ("delivered", 200, 1)
    assert deliver_due() == 0


def test_it_is_sent_again_with_growing_pauses_and_given_up_in_the_end(webhook: Webhook, received: Received) -> None:
    received.answers = [500]
    delivery = ping(webhook)
    for number, pause in enumerate(PAUSES, start=1):
        before = timezone.now()
        assert deliver_due() == 1
        after = timezone.now()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts, delivery.status) == ("waiting", number, 500)
        assert delivery.next_try_at is not None
        assert before + 0.89 * pause < delivery.next_try_at < after + 1.11 * pause
        make_due()
    deliver_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.outcome) == ("given_up", "Answered with status 500; expected 200 to 299.")
    received.answers = [204]
    replay(delivery)
    deliver_due()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
    assert len({headers["webhook-id"] for _, _, headers, _ in received.requests}) == 1


def make_due() -> None:
    Delivery.objects.filter(state="waiting").update(next_try_at=Now())
    Webhook.objects.exclude(held_until=None).update(held_until=Now())


def test_an_address_that_fails_is_left_alone_and_keeps_nobody_else_s_messages(
    project: Project, owner: User, webhook: Webhook, received: Received
) -> None:
    with receiving() as broken:
        broken.answers = [500]
        failing = make_webhook(project, url=broken.url, events=OFFERED, by=owner)
        for _ in range(20):
            ping(failing)
        ping(webhook)
        deliver_due()
        assert (len(received.requests), len(broken.requests)) == (1, AT_ONCE_TO_ONE)
        failing.refresh_from_db()
        assert timedelta(0) < failing.held_until - timezone.now() <= PAUSES[0]
        make_due()
        deliver_due()
        failing.refresh_from_db()
        assert len(broken.requests) == 2 * AT_ONCE_TO_ONE
        assert PAUSES[0] < failing.held_until - timezone.now() <= PAUSES[1]
        make_due()
        broken.answers = [204]
        deliver_due()
        failing.refresh_from_db()
        assert (failing.deliveries.filter(state="delivered").count(), failing.held_until) == (20, None)


def test_an_address_that_refuses_one_message_gets_the_others(webhook: Webhook, received: Received) -> None:
    received.answers = [422, 204]
    for _ in range(12):
        ping(webhook)
    deliver_due()
    assert webhook.deliveries.filter(state="delivered").count() == 11


def test_a_ping_goes_to_an_address_that_failed_at_once(webhook: Webhook, received: Received) -> None:
    received.answers = [500, 204]
    ping(webhook)
    deliver_due()
    ping(webhook)
    assert deliver_due() == 1


def test_an_address_that_is_gone_gets_nothing_more(webhook: Webhook, received: Received) -> None:
    received.answers = [410]
    ping(webhook)
    deliver_due()
    webhook.refresh_from_db()
    assert (webhook.active, webhook.paused_because) == (False, "The address said that it is gone (410).")
    assert announce(webhook.project_id, "alarm", {}) == 0


def test_a_message_to_an_address_inside_is_never_sent(webhook: Webhook, received: Received, settings: Settings) -> None:
    """As of a name that led elsewhere when the webhook was made."""
    settings.OUTBOUND_NETWORKS = []
    delivery = ping(webhook)
    deliver_due()
    delivery.refresh_from_db()
    assert received.requests == []
    assert "a network of one's own" in delivery.outcome


def test_what_is_taken_back_was_never_announced(webhook: Webhook) -> None:
    with transaction.atomic():
        assert announce(webhook.project_id, "alarm", {"message": "x"}) == 1
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


def test_a_worker_that_dies_on_the_way_leaves_the_message_due_again(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, received: Received
) -> None:
    def die(delivery: Delivery) -> Any:
        raise KeyboardInterrupt

    ping(webhook)
    with monkeypatch.context() as patched:
        patched.setattr(sending, "_attempt", die)
        with pytest.raises(KeyboardInterrupt):
            deliver_due()
    assert deliver_due() == 0
    Delivery.objects.update(next_try_at=Now())
    assert deliver_due() == 1
    assert len(received.requests) == 1


def test_tasks_and_campaigns_that_are_done_are_announced_once(
    webhook: Webhook, django_capture_on_commit_callbacks: Any
) -> None:
    campaign = make_campaign(webhook.project, tasks=2, shown=2, overlap=2)
    people = [make_labeler(webhook.project, name) for name in ("ann", "ben")]
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            for labeler in people:
                held = must_claim(campaign, labeler)
                submit_now(held, ranked(1, 2))
    events = [event for event, _ in told(webhook)]
    assert sorted(events) == ["campaign.completed", "task.completed", "task.completed"]
    assert told(webhook)[-1][1] == {
        "campaign": campaign.pk, "name": campaign.name, "kind": "ranking", "submissions": 4,
    }  # fmt: skip
    submit_now(held, ranked(2, 1), corrects=1)
    completing.complete_all()
    assert len(told(webhook)) == 3
    assert Campaign.objects.get(pk=campaign.pk).completed_at is not None


def test_the_end_of_a_stage_is_announced(webhook: Webhook) -> None:
    stage = open_round(webhook.project).stages.get(kind="pretrain")
    stage.state = "done"
    announce_stage(stage)
    assert told(webhook) == [("stage.finished", {"round": 1, "stage": "pretrain", "state": "done", "job": None})]


def test_a_webhook_is_told_of_what_it_asked_for_and_of_no_other_project(
    webhook: Webhook, stranger: User, received: Received
) -> None:
    elsewhere = Project.objects.get(slug="elsewhere")
    make_webhook(elsewhere, url=received.url, events=OFFERED, by=stranger)
    Webhook.objects.filter(pk=webhook.pk).update(events=["alarm"])
    assert announce(webhook.project_id, "stage.finished", {}) == 0
    assert announce(webhook.project_id, "alarm", {}) == 1


def test_the_api_adds_changes_tries_and_replays(filled: Filled, owner_api: Api, received: Received) -> None:
    status, made = owner_api.post("webhooks", {"url": received.url, "events": ["alarm"]})
    assert (status, made["secret"][:6]) == (201, "whsec_")
    path = f"webhooks/{made['id']}"
    assert "secret" not in owner_api.get(path)[1]
    assert owner_api.post(f"{path}/secret")[1]["secret"] != made["secret"]
    _, delivery = owner_api.post(f"{path}/ping")
    deliver_due()
    (one,) = owner_api.get(f"{path}/deliveries")[1]["items"]
    assert (one["message"], one["state"]) == (delivery["message"], "delivered")
    assert owner_api.post(f"{path}/deliveries/{one['id']}/replay")[1]["state"] == "waiting"
    assert owner_api.send("PATCH", path, {"active": False})[1]["active"] is False
    assert owner_api.send("DELETE", path) == (204, None)
    assert owner_api.get(path)[0] == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "http://127.0.0.1/x", "events": ["alarm"]}, 422),
        ({"url": "http://2130706433/x", "events": ["alarm"]}, 422),
        ({"url": "file:///etc/passwd", "events": ["alarm"]}, 422),
        ({"url": "https://example.org/", "events": []}, 400),
        ({"url": "https://example.org/", "events": ["ping"]}, 400),
        ({"url": "https://example.org/", "events": ["alarm"], "secret": "x"}, 400),
    ],
)
def test_a_webhook_that_leads_inside_or_hears_of_nothing_is_not_made(owner_api: Api, body: Any, status: int) -> None:
    assert owner_api.post("webhooks", body)[0] == status
    assert not Webhook.objects.exists()


def test_only_those_who_run_the_project_have_webhooks(filled: Filled) -> None:
    for role in filled.users:
        assert (filled.api(role).get("webhooks")[0] == 200) == (role in RESEARCHES)
