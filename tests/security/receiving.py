"""A small HTTP server of the tests' own on loopback: what webhooks and imports by URL talk to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

LOOPBACK = [ip_network("127.0.0.0/8")]
"""For settings.OUTBOUND_NETWORKS."""


class Received:
    """What came: (method, path, headers, body) of each. answers: what to do with each request, the last one for all
    that follow."""

    def __init__(self, *answers: Callable[[BaseHTTPRequestHandler], None] | int) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers = list(answers) or [200]
        self.url = ""

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((handler.command, handler.path, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, int):
            say(handler, answer)
        else:
            answer(handler)


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def receiving(*answers: Callable[[BaseHTTPRequestHandler], None] | int) -> Iterator[Received]:
    received = Received(*answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.take(self)

        do_GET = do_POST

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: Any) -> None:
            """Whoever hangs up early is no failure here."""

    server = Server(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
