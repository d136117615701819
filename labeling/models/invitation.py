"""Invitations: how people come to a project."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower

from labeling.models.people import User
from labeling.models.project import Project, Role


class Invitation(models.Model):
    """An offer of a role, sent to an e-mail address. Only the digest of its link's token is kept.

    Open until it is accepted, withdrawn or past expires_at; an address has at most one that is neither accepted nor
    withdrawn in a project.
    """

    VALID_FOR = timedelta(days=14)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=20, choices=Role)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="invitations_sent"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                "project", Lower("email"), name="invitation_one_open_an_address",
                condition=models.Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="invitation_role_known"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"invitation of {self.email} to {self.project}"

    @staticmethod
    def new_token() -> str:
        return secrets.token_urlsafe(24)

    @staticmethod
    def digest_of(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()
