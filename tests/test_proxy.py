"""The reverse proxy of docker-compose.yml, started on loopback as it is written: what it lets in, and what it says of
who asks."""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.training.workers import free_port, wait_until

pytestmark = pytest.mark.sqlite

CONFIG = Path(__file__).resolve().parent.parent / "deploy" / "proxy" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


class Echo(BaseHTTPRequestHandler):
    """Stands for a web process: tells what it was asked, and by which headers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = json.dumps({"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}})
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass(frozen=True)
class Proxy:
    plain: int
    tls: int
    folder: Path

    def ask(self, path: str, *, tls: bool = True, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        said = {"Host": "accord.example.org", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=20, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=20)
        connection.request("GET", path, headers=said)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, body


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    if NGINX is None:
        pytest.skip("nginx is not installed (Debian: apt install nginx-light)")
    folder = tmp_path_factory.mktemp("proxy")
    web = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=accord.example.org", "-keyout", "privkey.pem", "-out", "fullchain.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    found = Proxy(free_port(), free_port(), folder)
    text = CONFIG.read_text()
    for written, here in {
        "/tmp/": f"{folder}/", "web:8000": f"127.0.0.1:{web.server_port}", "/etc/accord/certificates": str(folder),
        "/var/www/acme": f"{folder}/acme", "listen 8080": f"listen 127.0.0.1:{found.plain}",
        "listen 8443": f"listen 127.0.0.1:{found.tls}",
    }.items():  # fmt: skip
        assert written in text
        text = text.replace(written, here)
    (folder / "nginx.conf").write_text(("user root;\n" if os.getuid() == 0 else "") + text)
    log = folder / "log"
    with log.open("ab") as words:
        process = subprocess.Popen(
            [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;", "-e", "stderr"],
            stdout=words, stderr=words,
        )  # fmt: skip
    try:
        wait_until(lambda: (folder / "nginx.pid").exists() and (folder / "nginx.pid").read_text(), log=log)
        assert process.poll() is None, log.read_text()
        yield found
    finally:
        process.terminate()
        process.wait(10)
        web.shutdown()


def test_plain_http_is_sent_to_tls_but_for_the_answers_to_acme(proxy: Proxy) -> None:
    status, headers, _ = proxy.ask("/projects/x/?a=1", tls=False)
    assert (status, headers["Location"]) == (301, "https://accord.example.org/projects/x/?a=1")
    place = proxy.folder / "acme" / ".well-known" / "acme-challenge"
    place.mkdir(parents=True)
    (place / "token").write_text("the answer")
    assert proxy.ask("/.well-known/acme-challenge/token", tls=False)[::2] == (200, "the answer")


def test_it_says_who_asks_in_place_of_what_they_say(proxy: Proxy) -> None:
    lies = {
        "X_Forwarded_For": "10.0.0.1",
        "X_Forwarded_Proto": "http",
        "X_Forwarded_Host": "evil.example",
        "X_Request_ID": "mine",
    }
    status, _, body = proxy.ask("/projects/", **lies, Forwarded="for=10.0.0.1")
    told = json.loads(body)["headers"]
    assert status == 200
    assert (told["x-forwarded-for"], told["x-forwarded-proto"], told["host"]) == (
        "127.0.0.1", "https", "accord.example.org"
    )  # fmt: skip
    assert "x-forwarded-host" not in told
    assert "forwarded" not in told
    assert len(told["x-request-id"]) == 32


def test_figures_are_not_given_out_through_it(proxy: Proxy) -> None:
    assert proxy.ask("/metrics")[0] == 404
