"""Webhooks of the project, and what they were sent."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import RESEARCHES
from labeling.api.fields import OneOf, Sent, Shown, Text, Truth, members_of
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.models import Delivery, Webhook
from labeling.outbound import MOST_CHARACTERS
from labeling.scopes import Scope
from labeling.webhooks import OFFERED, change_secret, change_webhook, make_webhook, ping, replay

MANAGES = Allowed(RESEARCHES, Scope.MANAGE)


class WebhookShown(Shown):
    """An address that gets signed messages. paused_because: why it gets none, where it was stopped."""

    id = serializers.IntegerField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(OFFERED))
    active = serializers.BooleanField()
    paused_because = serializers.CharField()
    created_at = serializers.DateTimeField()


class WebhookMade(WebhookShown):
    """secret: what its messages are signed with; it is shown this once."""

    secret = serializers.CharField()


class WebhookSent(Sent):
    url = Text(least=1, most=MOST_CHARACTERS, help_text="https:// of the internet, or of a network that was opened.")
    events = serializers.ListField(child=OneOf(OFFERED), min_length=1, max_length=len(OFFERED))


class WebhookChanged(Sent):
    url = Text(least=1, most=MOST_CHARACTERS, required=False)
    events = serializers.ListField(child=OneOf(OFFERED), min_length=1, max_length=len(OFFERED), required=False)
    active = Truth(required=False)


class DeliveryShown(Shown):
    """One message to one webhook."""

    id = serializers.IntegerField()
    message = serializers.UUIDField(help_text="By which a receiver knows a repeat.")
    event = serializers.CharField()
    body = serializers.CharField(help_text="As it is sent, to the byte.")
    state = serializers.ChoiceField(Delivery.State.choices)
    attempts = serializers.IntegerField()
    next_try_at = serializers.DateTimeField(allow_null=True)
    status = serializers.IntegerField(allow_null=True)
    outcome = serializers.CharField()
    created_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)


class DeliveryFilter(Paged):
    state = serializers.ChoiceField(Delivery.State.choices, required=False)


WebhookPage = page_shape("Webhook", WebhookShown)
DeliveryPage = page_shape("Delivery", DeliveryShown)


def webhook_shown(webhook: Webhook, *, made: bool = False) -> dict[str, Any]:
    return {name: getattr(webhook, name) for name in members_of(WebhookMade if made else WebhookShown)}


def delivery_shown(delivery: Delivery) -> dict[str, Any]:
    return {name: getattr(delivery, name) for name in members_of(DeliveryShown)}


class WebhookResource(Resource):
    """An address below one webhook."""

    tag = "webhooks"

    def webhook(self, webhook_id: int) -> Webhook:
        return found_or_404(Webhook.objects.filter(project=self.project).select_related("project"), pk=webhook_id)


class WebhooksView(WebhookResource):
    allows = {"GET": MANAGES, "POST": MANAGES}

    @operation("The project's webhooks.", query=Paged, gives=WebhookPage, name="list_webhooks")
    def get(self, request: Request, slug: str) -> Response:
        return Response(page_of(Webhook.objects.filter(project=self.project), self.query, webhook_shown))

    @operation(
        "Adds a webhook. Its secret is in this answer alone.",
        takes=WebhookSent,
        gives=WebhookMade,
        status=201,
        name="create_webhook",
    )
    def post(self, request: Request, slug: str) -> Response:
        by: Any = request.user
        return Response(webhook_shown(make_webhook(self.project, by=by, **self.sent(request)), made=True), status=201)


class WebhookView(WebhookResource):
    allows = {"GET": MANAGES, "PATCH": MANAGES, "DELETE": MANAGES}

    @operation("One webhook.", gives=WebhookShown, name="read_webhook")
    def get(self, request: Request, slug: str, webhook_id: int) -> Response:
        return Response(webhook_shown(self.webhook(webhook_id)))

    @operation("Changes a webhook.", takes=WebhookChanged, gives=WebhookShown, name="change_webhook")
    def patch(self, request: Request, slug: str, webhook_id: int) -> Response:
        return Response(webhook_shown(change_webhook(self.webhook(webhook_id), **self.sent(request))))

    @operation("Deletes a webhook, and what waits for it.", status=204, name="delete_webhook")
    def delete(self, request: Request, slug: str, webhook_id: int) -> Response:
        self.webhook(webhook_id).delete()
        return Response(status=204)


class SecretView(WebhookResource):
    allows = {"POST": MANAGES}

    @operation("Gives it another secret, which is in this answer alone.", gives=WebhookMade, name="change_secret")
    def post(self, request: Request, slug: str, webhook_id: int) -> Response:
        return Response(webhook_shown(change_secret(self.webhook(webhook_id)), made=True))


class PingView(WebhookResource):
    allows = {"POST": MANAGES}

    @operation("Sends a trial message.", gives=DeliveryShown, status=201, name="ping_webhook")
    def post(self, request: Request, slug: str, webhook_id: int) -> Response:
        return Response(delivery_shown(ping(self.webhook(webhook_id))), status=201)


class DeliveriesView(WebhookResource):
    allows = {"GET": MANAGES}

    @operation("What it was sent, the newest first.", query=DeliveryFilter, gives=DeliveryPage, name="list_deliveries")
    def get(self, request: Request, slug: str, webhook_id: int) -> Response:
        found = self.webhook(webhook_id).deliveries.all()
        if state := self.query.get("state"):
            found = found.filter(state=state)
        return Response(page_of(found, self.query, delivery_shown, newest_first=True))


class ReplayView(WebhookResource):
    allows = {"POST": MANAGES}

    @operation("Sends a message anew, under the same id.", gives=DeliveryShown, name="replay_delivery")
    def post(self, request: Request, slug: str, webhook_id: int, delivery_id: int) -> Response:
        delivery = found_or_404(self.webhook(webhook_id).deliveries.all(), pk=delivery_id)
        replay(delivery)
        delivery.refresh_from_db()
        return Response(delivery_shown(delivery))
