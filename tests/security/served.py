"""The application as production serves it, and whoever attacks it from outside: bytes over HTTP, nothing of Django's.

granian with production's settings on the tests' own database, behind a reverse proxy that ends TLS: everybody comes
from PROXY, which says in its headers that it was HTTPS and who asks. Whoever says so from another address is lying.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from django.conf import settings

from labeling.models import User
from tests.security.site import session_of
from tests.training.workers import ROOT, environment, free_port, started, wait_until

HOST = "accord.example.org"
PROXY = "127.0.0.1"
AWAY = "127.0.0.2"
"""An address of this machine, too, and none of a proxy."""
START_SECONDS = 300
"""Long, for a machine that is busy with other things: without the server every attack is an error."""
SECRET_LINE = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of an error of the API."""
        return str(self.json()["error"]["code"])

    @property
    def to(self) -> str:
        """Where a redirect leads, on this site."""
        parts = urlsplit(self.headers["Location"] or "")
        return parts.path + (f"?{parts.query}" if parts.query else "")


@dataclass
class Attacker:
    """A browser without scripts, or a program with a token. comes_from: as the proxy says it."""

    port: int
    token: str = ""
    comes_from: str = "198.51.100.7"
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        by: str = PROXY,
    ) -> Answer:
        """One request. by: the address that it reaches the server from."""
        said = {"Host": HOST, "X-Forwarded-For": self.comes_from, "X-Forwarded-Proto": "https"}
        if self.cookies:
            said["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.token:
            said["Authorization"] = f"Token {self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(by, 0))
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read everything
                connection.request(method, path, body=body, headers={**said, **(headers or {})})
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=_named(headers))

    def post(self, path: str, fields: Mapping[str, Any] | None = None, *, form_at: str = "", **headers: str) -> Answer:
        """A form, with the page's secret: from the page itself, or from form_at."""
        said = {"csrfmiddlewaretoken": self.secret_of(form_at or path), **(fields or {})}
        more = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"https://{HOST}{path}"}
        return self.ask("POST", path, urlencode(said, doseq=True).encode(), more | _named(headers))

    def secret_of(self, page: str) -> str:
        found = SECRET_LINE.search(self.get(page).text)
        assert found is not None, f"{page} has no form"
        return found[1]

    def send(self, method: str, path: str, body: object, **headers: str) -> Answer:
        """JSON, as a program or a page's script sends it."""
        more = {"Content-Type": "application/json"} | _named(headers)
        return self.ask(method, path, json.dumps(body).encode(), more)

    def upload(self, path: str, fields: Mapping[str, str], name: str, file_name: str, content: bytes) -> Answer:
        """A form with a file."""
        edge = uuid4().hex
        said = {"csrfmiddlewaretoken": self.secret_of(path), **fields}
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
            for field, value in said.items()
        ]
        head = f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n\r\n'
        body = b"".join([*parts, head.encode(), content, f"\r\n--{edge}--\r\n".encode()])
        more = {"Content-Type": f"multipart/form-data; boundary={edge}", "Referer": f"https://{HOST}{path}"}
        return self.ask("POST", path, body, more)

    def fields_of(self, page: str) -> dict[str, str]:
        """What a form of a page would send unchanged: its hidden fields."""
        found = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", self.get(page).text)
        named = [(re.search(r'name="([^"]+)"', one), re.search(r'value="([^"]*)"', one)) for one in found]
        return {name[1]: unescape(value[1]) if value else "" for name, value in named if name}


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Served:
    """port: on the loopback interface. log: what the server printed. process: its first one."""

    port: int
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def nobody(self, **more: Any) -> Attacker:
        return Attacker(self.port, **more)

    def signed_in(self, user: User, *, seconds_ago: float = 0) -> Attacker:
        """With the cookie of somebody who signed in so long ago."""
        cookies = {settings.SESSION_COOKIE_NAME: session_of(user, seconds_ago=seconds_ago)}
        return Attacker(self.port, cookies=cookies)

    def with_token(self, token: str) -> Attacker:
        return Attacker(self.port, token=token)


@contextmanager
def serve(folder: Path, **more: str) -> Iterator[Served]:
    """Until the block ends. folder: of its state and its log."""
    port, log = free_port(), folder / "server.log"
    said = environment() | {
        "ACCORD_MODE": "production",
        "DJANGO_SETTINGS_MODULE": "tests.security.quick_passwords",
        "ACCORD_SECRET_KEY": settings.SECRET_KEY,  # sessions are made here and read there
        "ACCORD_ALLOWED_HOSTS": HOST,
        "ACCORD_PROXIES": f"{PROXY}/32",
        "ACCORD_STATE_DIR": str(folder),
        **{f"ACCORD_{name}_DIR": str(folder / name.lower()) for name in FOLDERS},
        "ACCORD_API_REQUESTS_PER_MINUTE": str(10**6),
        "REDIS_URL": os.environ.get("REDIS_URL", ""),
    } | more  # fmt: skip
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=said, check=True)
    with started(granian(port), log=log, env=said) as process:
        wait_until(lambda: _answers(port), log=log, patience_seconds=START_SECONDS)
        yield Served(port, log, said, process)
        process.terminate()  # a worker process that outlived its parent would hold the database
        process.wait(30)


def granian(port: int) -> list[str]:
    return [
        str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--blocking-threads", "4", "--log-level", "error", "config.wsgi:application",
    ]  # fmt: skip


FOLDERS = ("RUNS", "SNAPSHOTS", "EXPORTS", "IMPORTS", "MODELS")


def _answers(port: int) -> bool:
    try:
        return Attacker(port).get("/health/live").status == 200
    except OSError:
        time.sleep(0.05)
        return False
