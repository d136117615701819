"""Requests that this server makes to addresses which people gave it: webhooks, imports by URL.

The name is looked up once, every address it has is vetted, and the connection goes to a vetted address, so that a name
which answers differently a moment later (rebinding) leads nowhere else. No redirect is followed, no proxy of the
environment is used, time and size are limited. Networks of one's own are opened by ACCORD_OUTBOUND_NETWORKS alone.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from labeling.errors import Refusal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_CHARACTERS = 2_000
"""Of an address as it was given."""
DEFAULT_PORTS = {"http": 80, "https": 443}
FIRST_FREE_PORT = 1024
"""Below it only the ports of the web: mail, name and other servers stand there, and some obey what looks like HTTP."""
PIECE = 64 * 1024
MOST_ADDRESSES = 4
CLOSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
    )
)
"""IPv4 networks that are nobody's on the internet (IANA's special-purpose registry), whatever this Python knows."""
OPEN_IPV6 = ipaddress.ip_network("2000::/3")
CLOSED_IPV6 = tuple(ipaddress.ip_network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20"))
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Refusal):
    """An address that this server does not talk to."""

    code = "address_refused"
    status = 422


class NotReached(Refusal):
    """An address that may be asked, and did not answer as needed."""

    code = "not_reached"
    status = 422


@dataclass(frozen=True)
class Limits:
    """seconds: for the whole request, name lookup aside. bytes: of an answer's body."""

    seconds: float = 15.0
    bytes: int = 64 * 1024


@dataclass(frozen=True)
class Target:
    """An address that was vetted. vetted: every address the name has, as it was looked up now."""

    scheme: str
    host: str
    port: int
    path: str
    vetted: tuple[str, ...]

    @property
    def authority(self) -> str:
        """As the Host header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """body: of a POST its first bytes, of a download nothing (they were written). cut: there was more than is kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    cut: bool = False
    size_bytes: int = 0


def target_of(url: str) -> Target:
    """Vets an address and looks its name up. Raises AddressRefused, or NotReached where the name is unknown."""
    parts = _parts(url)
    host = parts.hostname or ""
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    found = _look_up(host, port)
    for address in found:
        _refuse_if_closed(host, ipaddress.ip_address(address))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, found)


def check_address(url: str) -> None:
    """Raises AddressRefused for an address that can never be asked, without looking its name up."""
    host = _parts(url).hostname or ""
    with suppress(ValueError):
        _refuse_if_closed(host, ipaddress.ip_address(host))


def _parts(url: str) -> SplitResult:
    shown = url[:80]
    if len(url) > MOST_CHARACTERS:
        raise AddressRefused(f"The address has {len(url):,} characters; at most {MOST_CHARACTERS:,} are taken.")
    if not url.isascii() or any(character <= " " or character in '\x7f\\"<>^`{|}' for character in url):
        raise AddressRefused(
            f"{shown!r} holds a character that no address has; write it as %XX, and a name of a host in punycode."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as wrong:
        raise AddressRefused(f"{shown!r} is not an address: {wrong}.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise AddressRefused(f"{shown!r} begins with {parts.scheme[:20]!r}; expected https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("The address holds a user name or a password; leave them out.")
    if parts.fragment:
        raise AddressRefused("The address ends in a #fragment, which is never sent; leave it out.")
    if port is not None and port not in DEFAULT_PORTS.values() and port < FIRST_FREE_PORT:
        raise AddressRefused(f"The port is {port}; expected 80, 443, or one from {FIRST_FREE_PORT} on.")
    _refuse_odd_host(parts.hostname or "")
    return parts


def _refuse_odd_host(host: str) -> None:
    """Numbers in other notations (2130706433, 0x7f.1, 0177.0.0.1) are read by the system as addresses: refused here in
    words, though the vetting of what they lead to would refuse them too."""
    if not host or len(host) > 253:
        raise AddressRefused("The address names no host." if not host else "The name of the host is too long.")
    if "%" not in host:
        with suppress(ValueError):
            ipaddress.ip_address(host)
            return
    last = host.rstrip(".").rpartition(".")[2]
    if not last or last.isdigit() or last.startswith("0x") or ":" in host or "%" in host:
        raise AddressRefused(f"The host is {host[:80]!r}; expected a name, or an address like 203.0.113.7.")


def _look_up(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotReached(f"The name {host[:80]!r} is not known. Look whether it is spelt right.") from None
    # Without its zone: an address of this link is refused anyway.
    return tuple(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))


def _refuse_if_closed(host: str, address: Address) -> None:
    if is_open(address):
        return
    leads = "" if host == str(address) else f", where {host[:80]!r} leads,"
    raise AddressRefused(
        f"{address}{leads} is an address of this machine or of a network of one's own; it is not asked. "
        "Whoever runs this server can open a network by ACCORD_OUTBOUND_NETWORKS."
    )


def is_open(address: Address) -> bool:
    """Whether the server may connect to it: an address of the internet, or of a network that was opened."""
    inner = _inner(address)
    networks: list[Network] = settings.OUTBOUND_NETWORKS
    if any(one.version == network.version and one in network for one in (address, inner) for network in networks):
        return True
    if isinstance(inner, ipaddress.IPv4Address):
        return inner.is_global and not any(inner in network for network in CLOSED)
    return inner in OPEN_IPV6 and inner.is_global and not any(inner in network for network in CLOSED_IPV6)


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


# --- requests ---------------------------------------------------------------------------------------------------------


def post(url: str, body: bytes, headers: Mapping[str, str], *, limits: Limits = Limits()) -> Answer:
    """Sends the body; the answer's body is read up to limits.bytes and cut there. Any status is an answer.

    Raises AddressRefused, NotReached.
    """
    with _asked("POST", url, body, headers, limits) as response:
        kept = response.read(limits.bytes + 1)
        return Answer(response.status, _headers(response), kept[: limits.bytes], cut=len(kept) > limits.bytes)


def download(url: str, into: BinaryIO, *, limits: Limits) -> Answer:
    """Writes the body of a 200 into a file, some of it at a time. Raises AddressRefused; NotReached for another status,
    a redirect, a body over the limit or one that ended early: what was written until then is the caller's to drop."""
    with _asked("GET", url, None, {}, limits) as response:
        _refuse_unless_whole(response, limits)
        size = 0
        while piece := response.read(PIECE):
            size += len(piece)
            if size > limits.bytes:
                raise _too_much(limits)
            into.write(piece)
        if response.length:
            raise NotReached(f"The answer ended {response.length:,} bytes early. Try again.")
        return Answer(response.status, _headers(response), size_bytes=size)


def _refuse_unless_whole(response: http.client.HTTPResponse, limits: Limits) -> None:
    if 300 <= response.status < 400:
        raise NotReached(
            f"The address answers with a redirect ({response.status}), which is not followed: give the last one."
        )
    if response.status != 200:
        raise NotReached(f"The address answers with status {response.status}; expected 200.")
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise NotReached("The answer is compressed on the way, though that was not asked for.")
    if response.length is not None and response.length > limits.bytes:
        raise _too_much(limits)


def _too_much(limits: Limits) -> NotReached:
    return NotReached(f"The answer has more than {limits.bytes:,} bytes, which is all that is taken from an address.")


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


@contextmanager
def _asked(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], limits: Limits
) -> Iterator[http.client.HTTPResponse]:
    """One request to a vetted address. When the time is over the connection is cut, whatever it is waiting for."""
    target = target_of(url)
    connection = _Connection(target, timeout=limits.seconds)
    over = threading.Event()

    def cut() -> None:
        over.set()
        connection.cut()

    clock = threading.Timer(limits.seconds, cut)
    clock.daemon = True
    clock.start()
    try:
        said = {"Host": target.authority, "Accept-Encoding": "identity", "User-Agent": "Accord", "Connection": "close"}
        connection.request(method, target.path, body=body, headers={**said, **headers})
        yield connection.getresponse()
        if over.is_set():  # An answer of no stated length seems to end when it is cut.
            raise TimeoutError
    except (OSError, http.client.HTTPException, ValueError) as failure:
        if over.is_set() or isinstance(failure, TimeoutError):
            raise NotReached(f"{target.host[:80]} took more than {limits.seconds:g} seconds.") from None
        raise NotReached(f"{target.host[:80]} did not answer: {_in_words(failure)}.") from None
    finally:
        clock.cancel()
        connection.let_go()


def _in_words(failure: Exception) -> str:
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({failure.verify_message})"
    if isinstance(failure, ConnectionRefusedError):
        return "it refused the connection"
    return type(failure).__name__


class _Connection(http.client.HTTPConnection):
    """Connects to an address that was vetted, never to a name; in TLS the certificate must be the name's."""

    def __init__(self, target: Target, *, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self._deadline = time.monotonic() + timeout
        self._target = target
        # A second hold on the socket: http.client and ssl let go of theirs on the way.
        self._held: socket.socket | None = None

    def connect(self) -> None:
        self.sock = self._connected()
        self._held = self.sock.dup()
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._target.host)

    def _connected(self) -> socket.socket:
        failure: OSError = OSError("no address")
        for address in self._target.vetted[:MOST_ADDRESSES]:
            left = self._deadline - time.monotonic()
            if left <= 0:  # The time is the request's, however many addresses the name has.
                raise TimeoutError
            try:
                sock = socket.create_connection((address, self._target.port), timeout=left)
            except OSError as refused:
                failure = refused
                continue
            sock.settimeout(self.timeout)
            return sock
        raise failure

    def cut(self) -> None:
        """From another thread: whatever reads or writes now fails at once."""
        if sock := self._held:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """After everything: close() is called by http.client itself as soon as an answer begins."""
        self.close()
        if self._held is not None:
            self._held.close()
