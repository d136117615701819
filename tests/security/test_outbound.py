"""Requests to addresses that people gave: nothing inside is reached, whatever the spelling."""

import io
import socket
import time
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from labeling import outbound
from labeling.outbound import AddressRefused, Limits, NotReached, check_address, download, is_open, post, target_of
from tests.security.receiving import LOOPBACK, receiving, say

pytestmark = [pytest.mark.sqlite, pytest.mark.threat(3)]


@pytest.fixture
def loopback_open(settings: Settings) -> None:
    settings.OUTBOUND_NETWORKS = LOOPBACK


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8000/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.8/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
    ],
)
def test_it_refuses_whatever_leads_to_this_machine_or_a_network_of_one_s_own(url: str) -> None:
    with pytest.raises(AddressRefused):
        target_of(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("file:///etc/passwd", "begins with 'file'"),
        ("gopher://example.org/", "begins with 'gopher'"),
        ("//example.org/", "begins with ''"),
        ("https://", "names no host"),
        ("https://user:secret@example.org/", "a user name or a password"),
        ("https://example.org:25/", "The port is 25"),
        ("https://example.org:99999/", "is not an address"),
        ("https://example.org/#top", "#fragment"),
        ("https://exam ple.org/", "holds a character"),
        ("https://example.org/\r\nX-Injected: 1", "holds a character"),
        ("https://example.org\\@127.0.0.1/", "holds a character"),
        ("https://ｅxample.org/", "holds a character"),
        ("https://example.org/" + "a" * 2000, "2,020 characters"),
    ],
)
def test_it_refuses_an_address_that_is_not_plainly_one_of_the_web(url: str, sentence: str) -> None:
    with pytest.raises(AddressRefused, match=sentence):
        check_address(url)


def test_addresses_of_the_internet_are_open_and_a_network_can_be_opened(settings: Settings) -> None:
    assert is_open(ip_address("93.184.216.34"))
    assert is_open(ip_address("2606:2800:220:1::"))
    settings.OUTBOUND_NETWORKS = [ip_network("10.2.0.0/16")]
    assert is_open(ip_address("10.2.3.4"))
    assert is_open(ip_address("::ffff:10.2.3.4"))
    assert not is_open(ip_address("10.3.0.1"))
    assert not is_open(ip_address("::1"))


def named(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Lets names lead to these addresses, one answer a lookup; returns the names that were looked up."""
    asked: list[str] = []
    left = list(answers)

    def getaddrinfo(host: str, port: int, **more: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in left.pop(0)]

    monkeypatch.setattr(outbound.socket, "getaddrinfo", getaddrinfo)
    return asked


def test_one_closed_address_among_those_of_a_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(AddressRefused, match=r"127.0.0.1, where 'two.example.org' leads,"):
        target_of("https://two.example.org/")


def test_the_connection_goes_to_the_address_that_was_vetted_and_the_name_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that leads to loopback the second time is not asked a second time."""
    asked = named(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    connected: list[Any] = []

    def create_connection(address: Any, **more: Any) -> Any:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(outbound.socket, "create_connection", create_connection)
    with pytest.raises(NotReached, match="it refused the connection"):
        post("http://rebinding.example.org/", b"{}", {})
    assert (asked, connected) == (["rebinding.example.org"], [("93.184.216.34", 80)])


def test_the_time_is_the_request_s_however_many_addresses_the_name_has(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, [f"93.184.216.{number}" for number in range(9)])
    waited: list[float] = []

    def create_connection(address: Any, timeout: float) -> Any:
        waited.append(timeout)
        time.sleep(min(timeout, 0.2))
        raise TimeoutError

    monkeypatch.setattr(outbound.socket, "create_connection", create_connection)
    with pytest.raises(NotReached, match=r"more than 0\.3 seconds"):
        post("http://black-holes.example.org/", b"{}", {}, limits=Limits(seconds=0.3))
    assert len(waited) == 2
    assert sum(waited) < 0.45


def test_a_name_that_nobody_knows_is_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **more: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(outbound.socket, "getaddrinfo", unknown)
    with pytest.raises(NotReached, match="'nowhere.example.org' is not known"):
        post("http://nowhere.example.org/", b"", {})


@pytest.mark.usefixtures("loopback_open")
def test_it_posts_and_reads_no_more_of_the_answer_than_it_keeps() -> None:
    with receiving(lambda handler: say(handler, 201, b"x" * 100)) as received:
        answer = post(received.url, b'{"a": 1}', {"Content-Type": "application/json"}, limits=Limits(bytes=10))
    assert (answer.status, answer.body, answer.cut) == (201, b"x" * 10, True)
    ((method, path, headers, body),) = received.requests
    assert (method, path, body, headers["content-type"]) == ("POST", "/hook", b'{"a": 1}', "application/json")


@pytest.mark.usefixtures("loopback_open")
def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    def inside(handler: BaseHTTPRequestHandler) -> None:
        say(handler, 302, Location="http://169.254.169.254/")

    with receiving(inside) as received:
        assert post(received.url, b"", {}).status == 302
        with pytest.raises(NotReached, match=r"redirect \(302\), which is not followed"):
            download(received.url, io.BytesIO(), limits=Limits())
    assert len(received.requests) == 2


@pytest.mark.usefixtures("loopback_open")
def test_it_downloads_what_fits_and_refuses_what_does_not() -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"y" * 200_000)

    def short(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "20")
        handler.end_headers()
        handler.wfile.write(b"z" * 10)

    answers = [lambda handler: say(handler, 200, b"x" * 1000), endless, short, 404]
    with receiving(*answers) as received:
        into = io.BytesIO()
        assert download(received.url, into, limits=Limits(bytes=1000)).size_bytes == 1000
        assert into.getvalue() == b"x" * 1000
        for sentence in ("more than 1,000 bytes", "ended 10 bytes early", "status 404"):
            with pytest.raises(NotReached, match=sentence):
                download(received.url, io.BytesIO(), limits=Limits(bytes=1000))
    with receiving(answers[0]) as received, pytest.raises(NotReached, match="more than 999 bytes"):
        download(received.url, io.BytesIO(), limits=Limits(bytes=999))


@pytest.mark.usefixtures("loopback_open")
def test_an_answer_that_drips_is_cut_when_the_time_is_over() -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(50):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    begun = time.monotonic()
    with receiving(drip) as received, pytest.raises(NotReached, match="more than 0.3 seconds"):
        download(received.url, io.BytesIO(), limits=Limits(seconds=0.3))
    assert time.monotonic() - begun < 1.5
