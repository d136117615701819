"""Every request has an id, is counted and timed, and is a line of the log in production.

The id goes out in X-Request-ID, so that who reports a failure can name it. One that comes in is taken over from a
proxy in front alone, and only where it looks like an id.
"""

import logging
import re
import time
from collections.abc import Callable
from uuid import uuid4

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import Counter, Histogram

from config.logs import route_of
from config.proxies import came_by_proxy
from labeling.traces import REQUEST_ID

log = logging.getLogger("accord.requests")

REQUESTS = Counter("accord_requests", "Requests that were answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "accord_request_seconds",
    "Time from a request to its answer; of a stream, to its beginning.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
AN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class Accounted:
    """Middleware; the first, so that what others answer counts too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "") if came_by_proxy(request) else ""
        identity = given if AN_ID.fullmatch(given) else uuid4().hex
        request.request_id = identity  # type: ignore[attr-defined]
        before = REQUEST_ID.set(identity)
        began = time.perf_counter()
        try:
            response = self.get_response(request)
            self._account(request, response, time.perf_counter() - began)
        finally:
            REQUEST_ID.reset(before)
        response["X-Request-ID"] = identity
        return response

    def _account(self, request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        route = route_of(request)
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(route).observe(seconds)
        told = {"method": method, "route": route, "status": response.status_code, "ms": round(seconds * 1000, 1)}
        log.info("request", extra={"told": told})
