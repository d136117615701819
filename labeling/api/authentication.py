"""`Authorization: Token …`, with a token of manage.py make_token.

By itself, since REST framework loads it while it is still loading its own views.
"""

from typing import Any

from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed


class ProjectTokenAuthentication(TokenAuthentication):
    """The user, and the ProjectToken as request.auth."""

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isalnum():
            # Bytes that no token has would fail in decoding or in the database.
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)
