"""Accord from a notebook: one file, the standard library only. Copy it beside the notebook.

    accord = Accord("https://accord.example.org", token)
    for record in accord.records("rankings", split="train"):
        ...
    accord.push_prompts([{"id": "ticket-17", "messages": [{"role": "user", "content": "How do I return a parcel?"}]}])
    accord.export("comparisons", "pairs.parquet", layout="preference", format="parquet")
    accord.wait_for_round(3)

A token is made on the project's page of tokens; it opens one project, so none is named here. docs/api.md has the rest.
"""

import gzip
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

LINES_AT_ONCE = 5_000
"""Of a push; a call takes 10,000 at most."""
AGAIN_AFTER = (1.0, 2.0, 4.0, 8.0)
"""Seconds before a request that met a busy or absent server is sent again."""
PASSING = (429, 500, 502, 503, 504)
OVER = ("done", "failed", "cancelled")
PIECE_BYTES = 1 << 20


class AccordError(Exception):
    """The server refused. code is stable and for programs; the message is a sentence for people. wait_seconds: what the
    server asks for before the next request."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        problems: Sequence[Mapping[str, str]] = (),
        *,
        wait_seconds: float = 0.0,
    ) -> None:
        super().__init__(f"{message} ({status} {code})")
        self.status, self.code, self.message, self.problems = status, code, message, list(problems)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True)
class Pushed:
    """What became of the lines of a push. refused: (line, counted from 0; why) of each that was not taken."""

    created: int
    merged: int
    refused: list[tuple[int, str]]


class Accord:
    """A project, as one token opens it."""

    def __init__(self, address: str, token: str, *, timeout: float = 60.0) -> None:
        if not address.startswith(("https://", "http://")):
            raise ValueError(f"The address is {address!r}; expected one such as https://accord.example.org")
        self.address = address.rstrip("/")
        self._token, self._timeout = token, timeout
        me = self.get("/api/v1/me")
        self.project: str = me["project"]
        self.role: str = me["role"]
        self.scopes: list[str] = me["scopes"]

    # requests

    def get(self, path: str, **parameters: Any) -> Any:
        """Parsed JSON. path: below the project ("prompts"), or from the root ("/api/v1/me")."""
        return self._json("GET", path, parameters)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Done once, however often it has to be sent. key: to be known by in a later run of the notebook, too."""
        return self._json("POST", path, {}, {} if body is None else body, key or str(uuid.uuid4()))

    def every(self, path: str, **parameters: Any) -> Iterator[Any]:
        """The items of a list, page after page."""
        cursor: dict[str, Any] = {}
        while True:
            page = self.get(path, **parameters, **cursor)
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    # records

    def records(self, kind: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Records of a kind (prompts, demonstrations, candidates, rankings, comparisons, ratings), as they stream in.

        parameters: of docs/exports.md, split="train" and the like; format="jsonl.gz" takes a third of the way. Files of
        other formats are what export() is for.
        """
        packed = parameters.get("format") == "jsonl.gz"
        if not packed and parameters.get("format", "jsonl") != "jsonl":
            raise ValueError(f"format is {parameters['format']!r}; expected jsonl or jsonl.gz, or export() for a file")
        with self._open("GET", f"records/{kind}", parameters) as answer:
            for line in gzip.GzipFile(fileobj=answer) if packed else _lines_of(answer):
                if line.startswith(b"!! "):
                    raise AccordError(500, "broken_off", f"The export was {line[3:].decode().strip()}.")
                if line.strip():
                    yield json.loads(line)

    def datasheet(self, kind: str, **parameters: Any) -> dict[str, Any]:
        """What records() would stream with these parameters: members, counts, guidelines, licence and consent."""
        return self.get(f"records/{kind}/datasheet", **parameters)

    # files

    def export(
        self,
        kind: str,
        path: str | Path,
        *,
        every_seconds: float = 2.0,
        at_most_seconds: float | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """Has an export prepared and fetches its file; answers what it is, with its datasheet, rows and sha256.

        Raises TimeoutError; the export goes on being prepared, and download() fetches it later.
        """
        asked = self.post("exports", {"records": kind, **{name: _said(value) for name, value in parameters.items()}})
        deadline = None if at_most_seconds is None else time.monotonic() + at_most_seconds
        while asked["state"] not in OVER:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"Export {asked['id']} is not prepared after {at_most_seconds:g} seconds.")
            time.sleep(every_seconds)
            asked = self.get(f"exports/{asked['id']}")
        if asked["state"] != "done":
            raise AccordError(409, "export_failed", asked["error"] or "The export failed.")
        self.download(asked["id"], path)
        return dict(asked)

    def download(self, export: str, path: str | Path) -> Path:
        """Fetches the file of a prepared export. What an earlier try left (path + ".part") is not fetched again.

        Raises OSError for a file that is not what the server says it is, by its sha256.
        """
        whole = Path(path)
        part = whole.with_name(f"{whole.name}.part")
        expected = self.get(f"exports/{export}")["sha256"]
        for pause in (*AGAIN_AFTER, None):
            try:
                self._fetch(f"exports/{export}/file", part, expected)
            except AccordError as refused:
                if pause is None or refused.status not in PASSING:
                    raise
                pause = max(pause, refused.wait_seconds)
            except (OSError, http.client.HTTPException):
                if pause is None:
                    raise
            else:
                if _sha256(part) == expected:
                    part.replace(whole)
                    return whole
                part.unlink()  # what was there was of another file
                if pause is None:
                    break
            time.sleep(pause)
        raise OSError(f"The file of export {export} arrived with another sha256 than {expected}.")

    def _fetch(self, where: str, part: Path, sha256: str) -> None:
        """Appends what is missing."""
        there = part.stat().st_size if part.exists() else 0
        more = {"Range": f"bytes={there}-", "If-Range": f'"{sha256}"'} if there else {}
        try:
            answer = self._open("GET", where, {}, headers=more)
        except AccordError as refused:
            if there and refused.status == 416:  # nothing is missing
                return
            raise
        with answer, part.open("ab" if answer.status == 206 else "wb") as file:
            while piece := answer.read(PIECE_BYTES):
                file.write(piece)

    # pushes

    def push_prompts(self, prompts: Iterable[Mapping[str, Any]], *, whole: bool = False) -> Pushed:
        """Prompts with the members of prompt records; whole: a refused line keeps the others of its call out."""
        return self._push("prompts", prompts, whole=whole)

    def push_responses(self, responses: Iterable[Mapping[str, Any]], *, whole: bool = False) -> Pushed:
        """Responses of generators: {"prompt": number or id, "text": …, "generator": …}."""
        return self._push("responses", responses, whole=whole)

    def _push(self, noun: str, lines: Iterable[Mapping[str, Any]], *, whole: bool) -> Pushed:
        created = merged = seen = 0
        refused: list[tuple[int, str]] = []
        left = iter(lines)
        while batch := list(islice(left, LINES_AT_ONCE)):
            said = self.post(noun, {noun: batch, "whole": whole})
            created, merged = created + said["created"], merged + said["merged"]
            for place, line in enumerate(said["lines"]):
                if line["outcome"] == "refused":
                    refused.append((seen + place, line["message"]))
            seen += len(batch)
        return Pushed(created, merged, refused)

    # rounds

    def wait_for_round(
        self,
        number: int,
        *,
        every_seconds: float = 10.0,
        at_most_seconds: float | None = None,
        tell: Callable[[dict[str, str]], None] | None = None,
    ) -> dict[str, str]:
        """Waits until every stage of the round is over; {stage: state}. tell: is called where a state has changed.

        Raises TimeoutError. A stage that nobody launches is waited for, too.
        """
        deadline = None if at_most_seconds is None else time.monotonic() + at_most_seconds
        before: dict[str, str] = {}
        while True:
            found = self.get(f"rounds/{number}")
            states = {stage["kind"]: stage["state"] for stage in found["stages"]}
            if tell is not None and states != before:
                tell(states)
            before = states
            if found["state"] == "closed" or all(state in OVER for state in states.values()):
                return states
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"Round {number} is not over after {at_most_seconds:g} seconds: {states}")
            time.sleep(every_seconds)

    # below

    def _json(
        self, method: str, path: str, parameters: Mapping[str, Any], body: Any = None, key: str | None = None
    ) -> Any:
        for pause in (*AGAIN_AFTER, None):
            try:
                with self._open(method, path, parameters, body, key) as answer:
                    raw = answer.read()
                return json.loads(raw) if raw else None
            except AccordError as refused:
                if pause is None or refused.status not in PASSING:
                    raise
                pause = max(pause, refused.wait_seconds)
            except (OSError, http.client.HTTPException):
                if pause is None:
                    raise
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _open(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, Any],
        body: Any = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        where = path if path.startswith("/") else f"/api/v1/projects/{self.project}/{path}"
        said = {name: _said(value) for name, value in parameters.items()}
        query = f"?{urllib.parse.urlencode(said)}" if said else ""
        headers = {"Authorization": f"Token {self._token}", **(headers or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        request = urllib.request.Request(f"{self.address}{where}{query}", data=data, headers=headers, method=method)  # noqa: S310
        try:
            return urllib.request.urlopen(request, timeout=self._timeout)  # noqa: S310, see __init__
        except urllib.error.HTTPError as failure:
            raise _error(failure) from None


def _lines_of(answer: Any) -> Iterator[bytes]:
    """As they come. Iterated itself, an answer that breaks off between two chunks would end without a word."""
    rest = b""
    while piece := answer.read1(PIECE_BYTES):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    yield rest


def _said(value: Any) -> str:
    """As a parameter is written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _error(failure: urllib.error.HTTPError) -> AccordError:
    asked = failure.headers.get("Retry-After", "")
    wait = float(asked) if asked.isdecimal() else 0.0
    try:
        said = json.loads(failure.read())["error"]
        return AccordError(failure.code, said["code"], said["message"], said.get("problems", ()), wait_seconds=wait)
    except (ValueError, KeyError, TypeError):
        sentence = f"The server answered with status {failure.code}."
        return AccordError(failure.code, "unknown", sentence, wait_seconds=wait)
