"""Webhooks: addresses that are told of what happens, and the outbox of what they are told."""

from uuid import uuid4

from django.conf import settings
from django.db import models

from labeling.models.project import Project


class Webhook(models.Model):
    """An address of a project's own that gets signed messages (Standard Webhooks).

    events: of labeling.webhooks.EVENTS. secret: whsec_…; it has to be kept as it is, for every message is signed with
    it; shown once. paused_because: why it gets nothing, in a sentence; empty while it does. held_until: since its
    address fails, nothing is sent to it before this; None once something has arrived.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=2000)
    events = models.JSONField(default=list)
    secret = models.CharField(max_length=100)
    active = models.BooleanField(default=True)
    paused_because = models.CharField(max_length=300, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="webhooks"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One message to one webhook, written in the transaction of what it tells of, sent afterwards until it arrives.

    message: the id that receivers know a repeat by; the same in every attempt and replay. body: as it is sent, to the
    byte. next_try_at: when it is due; a worker that takes it up pushes it forward first, so that another leaves it.
    """

    class State(models.TextChoices):
        """waiting -> delivered | given_up; a replay takes either back to waiting."""

        WAITING = "waiting"
        DELIVERED = "delivered"
        GIVEN_UP = "given_up"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    message = models.UUIDField(default=uuid4)
    event = models.CharField(max_length=40)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="of the last answer")
    outcome = models.CharField(max_length=300, blank=True, help_text="how the last attempt went, in words")
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "message"], name="delivery_once_a_webhook"),
            models.CheckConstraint(
                condition=~models.Q(state="waiting") | models.Q(next_try_at__isnull=False),
                name="delivery_waiting_is_due",
            ),
        ]
        indexes = [models.Index(fields=["next_try_at"], condition=models.Q(state="waiting"), name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"
