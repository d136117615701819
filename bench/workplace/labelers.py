"""Labelers who work as a browser does: they submit, and the answer brings the next task's page.

Raw HTTP/1.1 over one kept connection each, in one process: the load shares the machine with what it measures.
"""

import asyncio
import gzip
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from bench.workplace.database import RESPONSES, new_key

LETTERS = "ABCDEFGHI"[:RESPONSES]
TOKEN = 'name="lease_token" value="'
AS_BROWSERS_DO = "Prefer: return=representation\r\n"
"""What the page's script asks for: the next task's page in the answer to a submission."""
PATIENCE_SECONDS = 90.0
"""How long a request is sent again and again; a killed web process is replaced within seconds where cores are free."""
AGAIN_AFTER_SECONDS = 0.25
SENT_TWICE = 0.05
"""Share of submissions that are sent a second time, with the same key, as by a double click."""


class WentWrong(Exception):
    """An answer that no labeler should get."""


class Gone(Exception):
    """The connection ended in the middle: the process that served it was killed, or idle for long."""


def _token(page: str) -> str:
    at = page.find(TOKEN)
    if at < 0:
        raise WentWrong(f"a page without a form: {page[:200]!r}")
    return page[at + len(TOKEN) : at + len(TOKEN) + 36]


def _header(head: bytes, lower: bytes, name: bytes) -> str:
    """The value of a header of an answer; empty where it has none."""
    at = lower.find(b"\r\n" + name)
    return head[at + 2 + len(name) : head.index(b"\r\n", at + 2)].decode().strip() if at >= 0 else ""


@dataclass
class Person:
    """One user with a session of their own. held: address of the task in hand; token: of its lease. acknowledged: keys
    of submissions that the server said it has, with the task they were of. retried: requests sent again."""

    session: str
    csrf: str
    held: str = ""
    token: str = ""
    acknowledged: dict[str, str] = field(default_factory=dict)
    retried: int = 0
    out_of_work: bool = False
    moved_to: str = ""
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self,
        port: int,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        *,
        sent: Any = None,
        token: str = "",
    ) -> tuple[int, bytes]:
        """Status and body. Sent again over a new connection where the old one ended: every form carries its key.

        sent: a body in JSON in place of a form. token: of the REST API, in place of the session.
        """
        body = urlencode(form).encode() if form is not None else b"" if sent is None else json.dumps(sent).encode()
        who = (
            f"Authorization: Token {token}\r\n"
            if token
            else f"Cookie: sessionid={self.session}; csrftoken={self.csrf}\r\nX-CSRFToken: {self.csrf}\r\n"
        )
        plain = form is None and sent is None and not token
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{who}"
            f"Accept: {'text/html' if plain else 'application/json'}\r\n"
            f"{AS_BROWSERS_DO if form is not None else ''}Accept-Encoding: gzip\r\n"
            f"Content-Type: application/{'json' if sent is not None else 'x-www-form-urlencoded'}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        until = time.perf_counter() + PATIENCE_SECONDS
        while time.perf_counter() < until:
            try:
                return await self._ask_once(port, head + body)
            except (OSError, Gone, asyncio.IncompleteReadError):
                self.retried += 1
                await self.hang_up()
                await asyncio.sleep(AGAIN_AFTER_SECONDS)
        raise WentWrong(f"{method} {path}: no answer within {PATIENCE_SECONDS:.0f} s")

    async def _ask_once(self, port: int, request: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        length = int(_header(head, lower, b"content-length:") or "0")
        body = await reader.readexactly(length) if length else b""
        if _header(head, lower, b"content-encoding:") == "gzip":
            body = gzip.decompress(body)
        self.moved_to = _header(head, lower, b"location:")
        if b"connection: close" in lower:
            await self.hang_up()
        return int(head[9:12]), body

    async def hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def begin(self, port: int, take_next: str) -> None:
        """Takes the first task, or goes on with the one in hand."""
        status, body = await self.ask(port, "POST", take_next, {})
        if status != 302 or "/tasks/" not in self.moved_to:
            raise WentWrong(f"POST {take_next}: {status} {self.moved_to} {body[:300]!r}")
        self.held = self.moved_to
        await self.look(port)

    async def look(self, port: int) -> None:
        status, body = await self.ask(port, "GET", self.held)
        if status != 200:
            raise WentWrong(f"GET {self.held}: {status} {body[:200]!r}")
        self.token = _token(body.decode())

    def judgments(self, draw: random.Random, key: str) -> dict[str, str]:
        """What is submitted of the task in hand."""
        form = {"key": key, "lease_token": self.token, "corrects": "0", "active_ms": "40000"}
        for letter in LETTERS:
            form[f"rank-{letter}"] = str(draw.randint(1, RESPONSES))
            form[f"rating-{letter}-overall"] = str(draw.randint(1, 7))
            form[f"flag-{letter}-hallucination"] = draw.choice(["yes", "no"])
        return form

    async def loop(self, port: int, draw: random.Random, seconds: list[float] | None) -> None:
        """Submits what is held and fetches the next task."""
        key, held = new_key(), self.held
        form = self.judgments(draw, key)
        began = time.perf_counter()
        status, body = await self.ask(port, "POST", held, form)
        ended = time.perf_counter()
        if status != 200:
            raise WentWrong(f"POST {held}: {status} {body[:300]!r}")
        told = json.loads(body)
        self.acknowledged[key] = held
        self.held = told["next"]
        if "/tasks/" not in self.held:
            self.out_of_work = True
            return
        self.token = _token(told["page"])
        if seconds is not None:
            seconds.append(ended - began)
        if draw.random() < SENT_TWICE:
            # The same key again, late: it must change nothing.
            status, body = await self.ask(port, "POST", held, form)
            if status != 200:
                raise WentWrong(f"a submission sent twice: {status} {body[:300]!r}")


async def work(
    people: list[Person], port: int, take_next: str, *, warm: float, seconds: float, thought: float, loops: int = 0
) -> list[float]:
    """Seconds of each loop. Everybody works at once; what ends in the first seconds (warm) is not counted.

    thought: mean seconds between loops, 0.5 to 1.5 times of it each. loops: stop after so many in all, 0 for the time
    alone.
    """
    times: list[float] = []
    begin = time.perf_counter() + warm
    end = begin + seconds
    done = 0

    async def one(person: Person, number: int) -> None:
        nonlocal done
        draw = random.Random(f"accord bench labeler {number}")
        if not person.held:
            await person.begin(port, take_next)
        await asyncio.sleep(draw.random() * thought)
        while time.perf_counter() < end and not person.out_of_work and not (loops and done >= loops):
            await person.loop(port, draw, times if time.perf_counter() >= begin else None)
            done += 1
            if thought:
                await asyncio.sleep(thought * (0.5 + draw.random()))
        await person.hang_up()

    async with asyncio.TaskGroup() as group:
        for number, person in enumerate(people):
            group.create_task(one(person, number))
    return times
