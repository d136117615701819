"""`Authorization: Token …`, with a token of the project's token page or of manage.py make_token.

By itself, since REST framework loads it while it is still loading its own views.
"""

from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

USED_TO = timedelta(minutes=1)
"""How exactly the last use of a token is kept."""
MOST_WRONG_A_MINUTE = 30
"""Tokens that are none, from one address; then even the look at the table is refused. A right one always opens."""


class ProjectTokenAuthentication(TokenAuthentication):
    """The user, and the ProjectToken as request.auth."""

    def authenticate(self, request: Request) -> Any:
        try:
            found = super().authenticate(request)
        except AuthenticationFailed:
            self._count_wrong(request)
            raise
        if found is not None:
            self._note_use(found[1])
        return found

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isalnum():
            # Bytes that no token has would fail in decoding or in the database.
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)

    def _cleanup_token(self, auth_token: Any) -> bool:
        """Whether it has ended. knox would look through all of the user's tokens at every request and delete those that
        ended; the token page lists them."""
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()

    def _count_wrong(self, request: Request) -> None:
        key = f"api-wrong-tokens:{request.META.get('REMOTE_ADDR', '')}"
        cache.add(key, 0, timeout=60)
        try:
            wrong = cache.incr(key)
        except ValueError:  # It ran out between the two.
            return
        if wrong > MOST_WRONG_A_MINUTE:
            raise Throttled(60, f"{MOST_WRONG_A_MINUTE} wrong tokens came from this address within a minute.")

    def _note_use(self, token: Any) -> None:
        now = timezone.now()
        if token.last_used_at is None or now - token.last_used_at > USED_TO:
            type(token).objects.filter(pk=token.pk).update(last_used_at=now)
            token.last_used_at = now
