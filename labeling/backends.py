"""Who is signed in: asked at every request, so by prepared queries, and otherwise as Django and allauth do it."""

from datetime import datetime
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.db.models import QuerySet
from django.utils import timezone

from labeling.models import Session, User
from labeling.prepared import Prepared


def _user_asked(user: int) -> QuerySet[User]:
    return User.objects.filter(pk=user)


_USER = Prepared(_user_asked, int)


class _ById:
    def get_user(self, user_id: Any) -> User | None:
        user = _USER.first([int(user_id)])
        return user if user is not None and self.user_can_authenticate(user) else None  # type: ignore[attr-defined]


class ByUserName(_ById, ModelBackend):
    """Signs in by user name and password, and whoever came by a link."""


class ByNameOrAddress(_ById, AuthenticationBackend):
    """The same of allauth, which takes the e-mail address too."""


BACKEND = f"{ByUserName.__module__}.{ByUserName.__qualname__}"


def _session_asked(key: str, now: datetime) -> QuerySet[Session]:
    return Session.objects.filter(session_key=key, expire_date__gt=now)


_SESSION = Prepared(_session_asked, str, datetime)


class SessionStore(DatabaseSessionStore):
    """Sessions in the database, each with its user. seen_at: when this one was last used, as it was read; None for one
    that was not read but made."""

    seen_at: datetime | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        made: Session = super().create_model_instance(data)  # type: ignore[assignment]
        if SESSION_KEY in data:
            made.user_id = int(data[SESSION_KEY])
        made.browser = data.get("browser", "")
        if began := data.get("began_at"):
            made.began_at = datetime.fromisoformat(began)
        return made

    def _get_session_from_db(self) -> Session | None:
        found = _SESSION.first([self.session_key, timezone.now()])
        if found is None:
            self._session_key = None
        else:
            self.seen_at = found.seen_at
        return found
