"""Sessions of the web pages: Django's table, with whose each is and what its owner knows it by."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import salted_hmac

from labeling.models.people import User

if TYPE_CHECKING:
    from labeling.backends import SessionStore


class Session(AbstractBaseSession):
    """user: null until somebody signed in. browser: its family and system, as it said them itself; empty where it said
    nothing that we know. seen_at: to five minutes, so that reading does not write at every request.

    Deleting the row ends the session. No address of the visitor is kept.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="sessions")
    browser = models.CharField(max_length=60, blank=True, default="", db_default="")
    began_at = models.DateTimeField(default=timezone.now, db_default=Now())
    seen_at = models.DateTimeField(default=timezone.now, db_default=Now())

    class Meta:
        ordering: ClassVar[list[str]] = ["-seen_at"]

    @classmethod
    def get_session_store_class(cls) -> "type[SessionStore]":
        from labeling.backends import SessionStore

        return SessionStore

    @property
    def handle(self) -> str:
        """By which its page names it: whoever has the key has the session."""
        return salted_hmac("labeling.models.session", self.session_key, algorithm="sha256").hexdigest()[:32]
