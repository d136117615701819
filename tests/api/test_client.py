"""The client of one file, against the served application."""

import http.client
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from client import accord_client
from client.accord_client import Accord, AccordError
from labeling.importing import import_file
from labeling.models import Export, Project, ProjectToken, Prompt, Response, Role, User
from labeling.transferring import run_waiting
from tests.conftest import make_member
from tests.labeling_data.samples import prompt, ranking, write
from training.rounds import open_round

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def member(project: Project) -> User:
    return make_member(project, "rosa", Role.RESEARCHER)


@pytest.fixture
def accord(
    live_server: Any, project: Project, member: User, tmp_path: Path, settings: Settings, monkeypatch: Any
) -> Accord:
    """In a project with three rankings."""
    settings.EXPORTS_DIR, settings.REDIS_URL = tmp_path / "exports", ""
    monkeypatch.setattr(accord_client, "AGAIN_AFTER", (0.01, 0.01))
    judged = [{"labeler": "l1", "ranks": [1, 1, 2]}]
    lines = [ranking(f"r{n}", prompt=prompt(f"Question {n}?"), judged=judged) for n in range(3)]
    assert not import_file(project, write(tmp_path / "f", *lines), name="trial").refused
    return Accord(live_server.url, ProjectToken.make(user=member, project=project, scopes=["read", "write"]))


def turns(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_records_come_one_after_another_plain_and_packed(accord: Accord) -> None:
    assert (accord.project, accord.role, accord.scopes) == ("helpdesk", "researcher", ["read", "write"])
    plain = list(accord.records("rankings"))
    assert [record["judged"][0]["ranks"] for record in plain] == [[1, 1, 2]] * 3
    assert list(accord.records("rankings", format="jsonl.gz")) == plain
    assert len(list(accord.records("comparisons", ties="drop", simulated=True))) == 6
    assert list(accord.records("rankings", split="test")) == []
    assert accord.datasheet("comparisons", ties="drop", simulated=True)["rows"] == 6
    with pytest.raises(ValueError, match=r"format is 'parquet'; expected jsonl"):
        next(accord.records("rankings", format="parquet"))


def test_pushes_are_cut_into_calls_and_every_refused_line_is_told_by_its_place(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accord_client, "LINES_AT_ONCE", 2)
    lines: list[dict[str, Any]] = [{"id": f"t{n}", "messages": turns(f"Ticket {n}")} for n in range(4)]
    lines[3] = {"id": "t3", "messages": []}
    pushed = accord.push_prompts([*lines, {"id": "t0", "messages": turns("Ticket 0")}])
    assert (pushed.created, pushed.merged) == (3, 1)
    assert [place for place, _ in pushed.refused] == [3]
    assert "messages" in pushed.refused[0][1]
    answered = accord.push_responses([{"prompt": "t1", "text": "Yes.", "generator": "ours"}])
    assert (answered.created, answered.refused) == (1, [])
    assert Response.objects.get(prompt__external_id="t1").text == "Yes."


def test_lists_are_gone_through_page_after_page(accord: Accord) -> None:
    found = [shown["id"] for shown in accord.every("prompts", limit=2)]
    assert found == list(Prompt.objects.order_by("pk").values_list("pk", flat=True))
    assert len(found) == 3


def test_a_request_with_a_key_is_done_once(accord: Accord) -> None:
    body = {"prompts": [{"id": "once", "messages": turns("Once?")}]}
    first = accord.post("prompts", body, key="of my notebook")
    assert accord.post("prompts", body, key="of my notebook") == first
    assert first["created"] == 1


def test_what_the_server_refuses_is_said_with_its_code(accord: Accord, live_server: Any) -> None:
    for call, status, code in (
        (lambda: accord.get("prompts", colour="red"), 400, "invalid_query"),
        (lambda: accord.get("prompts/999999"), 404, "not_found"),
        (lambda: accord.post("rounds"), 403, "scope_missing"),
        (lambda: accord.post("prompts", {"prompts": "x"}), 400, "invalid"),
        (lambda: list(accord.records("rankings", split="all")), 400, "invalid_query"),
        (lambda: Accord(live_server.url, "f" * 64), 401, "authentication_failed"),
    ):
        with pytest.raises(AccordError) as refused:
            call()
        assert (refused.value.status, refused.value.code) == (status, code)
        assert refused.value.message


def test_it_waits_until_a_round_is_over_and_tells_of_every_change(accord: Accord, project: Project) -> None:
    round_ = open_round(project)
    told: list[dict[str, str]] = []

    def tell(states: dict[str, str]) -> None:
        told.append(states)
        round_.stages.update(state="done")

    assert set(accord.wait_for_round(1, every_seconds=0.01, tell=tell).values()) == {"done"}
    assert len(told) == 2
    round_.stages.filter(kind="ppo").update(state="running")
    with pytest.raises(TimeoutError, match="Round 1 is not over"):
        accord.wait_for_round(1, every_seconds=0.01, at_most_seconds=0.02)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked_for(accord: Accord, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(address, range) of what the client opens."""
    found: list[tuple[str, str]] = []
    opened = accord._open

    def note(method: str, path: str, *rest: Any, headers: Any = None, **more: Any) -> Any:
        found.append((path, (headers or {}).get("Range", "")))
        return opened(method, path, *rest, headers=headers, **more)

    monkeypatch.setattr(accord, "_open", note)
    return found


def test_an_export_is_prepared_and_fetched(accord: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accord_client.time, "sleep", lambda _: run_waiting())
    said = accord.export("comparisons", tmp_path / "pairs.jsonl", layout="preference", ties="drop")
    assert (said["rows"], said["datasheet"]["layout"]) == (6, "preference")
    assert (tmp_path / "pairs.jsonl").read_bytes().count(b"\n") == 6
    with pytest.raises(TimeoutError, match="is not prepared"):
        accord.export("comparisons", tmp_path / "late.jsonl", at_most_seconds=-1)


def test_a_download_goes_on_where_it_stopped(
    accord: Accord, asked_for: list[tuple[str, str]], tmp_path: Path
) -> None:  # fmt: skip
    export = accord.post("exports", {"records": "rankings"})["id"]
    run_waiting()
    first = accord.download(export, tmp_path / "whole.jsonl").read_bytes()
    (tmp_path / "again.jsonl.part").write_bytes(first[:100])
    assert accord.download(export, tmp_path / "again.jsonl").read_bytes() == first
    assert asked_for[-1] == (f"exports/{export}/file", "bytes=100-")
    assert not (tmp_path / "again.jsonl.part").exists()
    (tmp_path / "there.jsonl.part").write_bytes(first)
    assert accord.download(export, tmp_path / "there.jsonl").read_bytes() == first


def test_what_was_fetched_of_another_file_is_fetched_anew(accord: Accord, tmp_path: Path) -> None:
    export = accord.post("exports", {"records": "rankings"})["id"]
    run_waiting()
    (tmp_path / "f.part").write_bytes(b"of another file")
    assert accord.download(export, tmp_path / "f").read_bytes().count(b"\n") == 3
    Export.objects.update(sha256="0" * 64)
    with pytest.raises(OSError, match="another sha256"):
        accord.download(export, tmp_path / "g")


# --- a server that is busy, or goes away ------------------------------------------------------------------------------


class Busy(http.server.BaseHTTPRequestHandler):
    """Answers with 503 twice, then as a server of ours; in the second chunk of prompts it breaks off, between
    two chunks of rankings; comparisons it tells how far it came."""

    asked: list[str] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.endswith("/records/prompts"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b'9\r\n{"id":1}\n\r\n20\r\n{"id":')
            self.close_connection = True
            return
        if self.path.endswith(("/records/rankings", "/records/comparisons")):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            told = b"21\r\n\n!! broken off after 1 rows; why\n\r\n0\r\n\r\n"
            self.wfile.write(b'9\r\n{"id":1}\n\r\n' + (told if "comparisons" in self.path else b""))
            self.close_connection = True
            return
        busy = len(self.asked) < 3
        body = (
            b'{"error": {"code": "x", "message": "y"}}' if busy else b'{"project": "p", "role": "owner", "scopes": []}'
        )
        self.send_response(503 if busy else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[str]:
    Busy.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_busy_server_is_asked_again_and_a_stream_that_breaks_off_is_no_end(
    busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accord_client, "AGAIN_AFTER", (0.01, 0.01))
    accord = Accord(busy, "t")
    assert len(Busy.asked) == 3
    records = accord.records("prompts")
    assert next(records) == {"id": 1}
    with pytest.raises((OSError, http.client.HTTPException)):
        next(records)
    records = accord.records("rankings")
    assert next(records) == {"id": 1}
    with pytest.raises((OSError, http.client.HTTPException)):
        next(records)
    records = accord.records("comparisons")
    assert next(records) == {"id": 1}
    with pytest.raises(AccordError, match="The export was broken off after 1 rows; why"):
        next(records)
