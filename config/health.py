"""Health for balancers and containers: alive, and ready to serve. No sign-in, no detail for strangers."""

import logging

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = logging.getLogger(__name__)


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all: restart it if not."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when work can be done, 503 when not: send no traffic. Says which part is missing, and nothing about it."""
    parts = {"database": database_is_ready(), "redis": redis_is_ready()}
    answer = {name: "ok" if good else "not ready" for name, good in parts.items()}
    return JsonResponse(answer, status=200 if all(parts.values()) else 503)


def database_is_ready() -> bool:
    """Reachable, and migrated as far as this code needs."""
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        log.exception("the database is not reachable")
        return False


def redis_is_ready() -> bool:
    """Reachable, or not configured (the local mode needs none)."""
    if not settings.REDIS_URL:
        return True
    try:
        return bool(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2).ping())
    except redis.RedisError:
        log.exception("Redis is not reachable")
        return False
