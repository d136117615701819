"""Where somebody is signed in: seen, listed, ended. A session is a row, and ends when the row is gone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from labeling.audit.recording import record
from labeling.models import AuditKind, Membership, ProjectToken, Session, User

SEEN_EVERY = timedelta(minutes=5)
MOST_LISTED = 200
BEGAN, BROWSER = "began_at", "browser"
"""What a session knows of its own sign-in."""

BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrom", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"), ("Windows", "Windows"),
    ("Macintosh", "macOS"), ("Linux", "Linux"),
)  # fmt: skip
"""In order: many call themselves by the names of others, too."""


def browser_of(said: str) -> str:
    """Family and system of a User-Agent, "Firefox on Linux"; empty for one that names neither. No version: it would
    tell people apart and help nobody to know their own."""
    found = [next((name for sign, name in names if sign in said), "") for names in (BROWSERS, SYSTEMS)]
    return " on ".join(part for part in found if part)


def begin(request: HttpRequest) -> None:
    """What a session that somebody just signed in with is known by later."""
    request.session[BEGAN] = timezone.now().isoformat()
    request.session[BROWSER] = browser_of(request.META.get("HTTP_USER_AGENT", ""))


class Seen:
    """Middleware that notes when a session was last used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        session: Any = request.session
        seen_at: datetime | None = session.seen_at if session.accessed else None
        if seen_at is not None and session.session_key and SESSION_KEY in session:
            now = timezone.now()
            if now - seen_at > SEEN_EVERY:
                # Of several at once one writes. A session that was ended meanwhile stays ended.
                Session.objects.filter(session_key=session.session_key, seen_at__lte=seen_at).update(seen_at=now)
        return answer


def live_sessions(user: User) -> list[Session]:
    """Those that still open something, the one used last first: neither expired nor of an earlier password."""
    valid = user.get_session_auth_hash()
    found = Session.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-seen_at", "pk")[:MOST_LISTED]
    return [one for one in found if constant_time_compare(one.get_decoded().get(HASH_SESSION_KEY, ""), valid)]


def end_session(user: User, handle: str) -> Session | None:
    """Ends the session of this user that the handle names; None where they have no such one."""
    with transaction.atomic():
        found = next((one for one in Session.objects.filter(user=user) if one.handle == handle), None)
        if found is None:
            return None
        Session.objects.filter(pk=found.pk).delete()
        record(AuditKind.SESSION, by=user.pk, facts={"act": "ended", "sessions": 1})
    return found


def end_other_sessions(user: User, *, but: str | None) -> int:
    """but: the key of the one that stays. Answers how many ended."""
    with transaction.atomic():
        ended, _ = Session.objects.filter(user=user).exclude(session_key=but or "").delete()
        record(AuditKind.SESSION, by=user.pk, facts={"act": "ended_others", "sessions": ended})
    return ended


def sign_out_member(member: Membership, *, but: str | None = None) -> tuple[int, int]:
    """Ends every session of a member, in whatever project they use it, and their tokens of this project. but: a session
    that stays, the one of who asks. Answers how many of each ended."""
    with transaction.atomic():
        sessions, _ = Session.objects.filter(user=member.user_id).exclude(session_key=but or "").delete()
        tokens, _ = ProjectToken.objects.filter(project=member.project_id, user=member.user_id).delete()
        facts = {"act": "ended_for", "member": member.user_id, "sessions": sessions, "tokens": tokens}
        record(AuditKind.SESSION, project=member.project_id, facts=facts)
    return sessions, tokens
