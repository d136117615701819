"""Tokens of the REST API: each opens one project, with the rights that its user has there."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone
from knox.models import AbstractAuthToken, get_digest_token
from knox.settings import CONSTANTS

from labeling.models.people import User
from labeling.models.project import Project


def only_reading() -> list[str]:
    return ["read"]


class ProjectToken(AbstractAuthToken, models.Model):
    """Only its digest is kept. Where the user leaves the project, the token opens nothing any more.

    Past its expiry it is refused. scopes: of labeling.scopes.Scope.
    last_used_at: to the minute, so that reading does not write at every request.
    """

    VALID_FOR = timedelta(days=90)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=60, blank=True, db_default="", help_text="what it is for, in its owner's words")
    scopes = models.JSONField(default=only_reading, db_default=["read"])
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["ProjectToken"]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.token_key}… of {self.user} for {self.project}"

    @classmethod
    def make(
        cls,
        *,
        user: User,
        project: Project,
        scopes: Sequence[str] = ("read",),
        name: str = "",
        valid_for: timedelta = VALID_FOR,
    ) -> str:
        """A new token's text: shown once, never stored."""
        digest, token = get_digest_token()
        key = token[: CONSTANTS.TOKEN_KEY_LENGTH]
        expiry = timezone.now() + valid_for
        cls.objects.create(
            user=user, project=project, digest=digest, token_key=key, expiry=expiry, scopes=list(scopes), name=name
        )
        return str(token)
