"""The page that Prometheus reads. There is none until a token or networks say who may read it; others meet 404.

What processes counted is summed over all of this host that share ACCORD_METRICS_DIR; what stands in the database
(jobs, queues, heartbeats) is read at the moment (training/observing.py).
"""

import ipaddress
import os
import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from training.observing import Observed


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """In Prometheus' text format."""
    if not may_read(request):
        raise Http404
    counted = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        counted = CollectorRegistry()
        MultiProcessCollector(counted)
    observed = CollectorRegistry()
    observed.register(Observed())
    return HttpResponse(generate_latest(counted) + generate_latest(observed), content_type=CONTENT_TYPE_LATEST)


def may_read(request: HttpRequest) -> bool:
    """By the token; or from one of the networks, where the request did not come through a proxy, behind which
    everybody has the proxy's address."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme == "Bearer":
        return secrets.compare_digest(given.strip().encode(), settings.METRICS_TOKEN.encode())
    if not settings.METRICS_NETWORKS or "X-Forwarded-For" in request.headers:
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in network for network in settings.METRICS_NETWORKS)
