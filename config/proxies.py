"""What a reverse proxy in front says of a request, believed of the addresses in ACCORD_PROXIES alone."""

import ipaddress
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from granian.utils.proxies import wrap_wsgi_with_proxy_headers

PEER = "accord.peer"
"""In the environment of a request: the address that reached the server, whatever was said in headers."""


def believing(application: Any) -> Any:
    """The application, told in REMOTE_ADDR who asks and in the scheme whether by HTTPS: as a named proxy says it in
    X-Forwarded-For (the last address there that is none of a proxy) and X-Forwarded-Proto, else as it is."""
    wrapped = wrap_wsgi_with_proxy_headers(application, [str(one) for one in settings.PROXIES])

    def noting(environ: dict[str, Any], start_response: Any) -> Any:
        environ[PEER] = environ.get("REMOTE_ADDR", "")
        return wrapped(environ, start_response)

    return noting


def came_by_proxy(request: HttpRequest) -> bool:
    """Whether a named proxy handed the request on."""
    try:
        peer = ipaddress.ip_address(request.META.get(PEER, ""))
    except ValueError:
        return False
    return any(peer in network for network in settings.PROXIES)
