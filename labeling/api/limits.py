"""How many requests a token may make a minute, said in headers of every answer.

A window of a minute is counted in the cache (Redis, where there is one): one round trip a request.
"""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from labeling.models import ProjectToken

WINDOW_SECONDS = 60


class TokenRate(BaseThrottle):
    """Leaves what is left in request._request.rate, (limit, remaining, seconds until the next window)."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ProjectToken):
            return True
        limit = settings.API_REQUESTS_PER_MINUTE
        window, passed = divmod(int(time.time()), WINDOW_SECONDS)
        key = f"api-rate:{request.auth.pk[:32]}:{window}"
        cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
        try:
            used = cache.incr(key)
        except ValueError:  # Thrown out of a full cache between the two.
            used = 1
        request._request.rate = (limit, max(0, limit - used), WINDOW_SECONDS - passed)  # type: ignore[attr-defined]
        return bool(used <= limit)

    def wait(self) -> float:
        return float(WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS)


def rate_headers(request: Any) -> dict[str, str]:
    """RateLimit-Limit, -Remaining and -Reset of this request; nothing where it was not counted."""
    rate = getattr(request, "rate", None)
    if rate is None:
        return {}
    return {f"RateLimit-{name}": str(value) for name, value in zip(("Limit", "Remaining", "Reset"), rate, strict=True)}
