"""Prepared exports and imports of files: asked for over REST, done by a worker, fetched in parts, reported by line."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from labeling import transferring
from labeling.exporting.asked import read_asked
from labeling.exporting.counting import count_rows
from labeling.exporting.datasheet import as_markdown
from labeling.exporting.layouts import LAYOUTS
from labeling.exporting.streaming import Stream
from labeling.importing import import_file
from labeling.models import Export, Import, Project, Prompt, Role, Task, User
from labeling.records import Kind
from labeling.transferring import run_next, run_waiting
from tests.api.filled import Api, api_of
from tests.conftest import make_member
from tests.labeling_data import samples
from tests.labeling_data.samples import comparison, prompt, prompt_record, ranking, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"
    settings.IMPORTS_DIR = tmp_path / "imports"
    settings.REDIS_URL = ""


@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    judged = [
        {"labeler": "l1", "ranks": [1, 1, 2]},
        {"labeler": "l2", "ranks": [3, None, 1]},
        {"labeler": "late", "ranks": [1, 2, 3], "aside": "surplus"},
        {"labeler": "s1", "simulated": True, "ranks": [1, 2, 3]},
        {"labeler": "rita", "ranks": [2, 1, 3], "aside": "adjudication", "why": "Pears are asked for."},
    ]
    lines = [
        prompt_record(consent="research"),
        samples.demonstration(),
        samples.candidates(prompt=prompt("Name a river.")),
        ranking("r1", judged=judged),
        comparison("c1", prompt=prompt("Another?"), tie=True),
        samples.rating(),
    ]
    assert not import_file(project, write(tmp_path / "f", *lines), name="trial").refused
    return project


@pytest.fixture
def api(filled: Project) -> Api:
    return api_of(make_member(filled, "enno", Role.ENGINEER), filled)


# --- exports ----------------------------------------------------------------------------------------------------------


def test_an_export_is_prepared_by_a_worker_and_fetched_whole_or_in_parts(filled: Project, api: Api) -> None:
    status, asked = api.post("exports", {"records": "comparisons", "layout": "table", "ties": "drop"})
    assert (status, asked["state"], asked["file"]) == (202, "queued", False)
    assert api.get(f"exports/{asked['id']}/file")[0] == 404
    assert run_waiting() == 1
    _, done = api.get(f"exports/{asked['id']}")
    whole = api.ask("GET", f"exports/{asked['id']}/file")
    body = whole.getvalue()
    assert body == b"".join(Stream(read_asked(filled, Kind.COMPARISON, {"layout": "table", "ties": "drop"})))
    assert (done["state"], done["rows"], done["size_bytes"]) == ("done", body.count(b"\n"), len(body))
    assert done["sha256"] == hashlib.sha256(body).hexdigest() == whole["ETag"].strip('"')
    parts = [
        api.ask("GET", f"exports/{asked['id']}/file", range=f"bytes={span}") for span in ("0-99", "100-", "-7")
    ]  # fmt: skip
    assert [part.status_code for part in parts] == [206, 206, 206]
    assert parts[0].getvalue() + parts[1].getvalue() == body
    assert parts[2].getvalue() == body[-7:]
    assert parts[0]["Content-Range"] == f"bytes 0-99/{len(body)}"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"range": "bytes=999999-"}, 416),
        ({"range": "bytes=5-2"}, 416),
        ({"range": "bytes=0-1,4-5"}, 200),
        ({"range": "lines=0-1"}, 200),
        ({"range": "bytes=0-1", "if_range": '"other"'}, 200),
        ({"range": "bytes=-0"}, 416),
    ],
)
def test_a_part_that_is_none_is_answered_as_the_standard_says(api: Api, headers: dict[str, str], status: int) -> None:
    _, asked = api.post("exports", {"records": "prompts"})
    run_waiting()
    assert api.ask("GET", f"exports/{asked['id']}/file", **headers).status_code == status


def test_a_file_that_is_there_already_is_not_sent_again(api: Api) -> None:
    _, asked = api.post("exports", {"records": "prompts"})
    run_waiting()
    etag = api.ask("GET", f"exports/{asked['id']}/file")["ETag"]
    assert api.ask("GET", f"exports/{asked['id']}/file", if_none_match=etag).status_code == 304


def test_a_prepared_file_stays_as_it_was_whatever_happens_since(filled: Project, api: Api) -> None:
    _, asked = api.post("exports", {"records": "prompts"})
    run_waiting()
    before = api.ask("GET", f"exports/{asked['id']}/file").getvalue()
    Prompt.objects.filter(project=filled).update(language="de")
    assert api.ask("GET", f"exports/{asked['id']}/file").getvalue() == before


def test_the_count_is_that_of_the_rows_in_every_layout(filled: Project) -> None:
    for kind, layout in LAYOUTS:
        for more in ({}, {"simulated": "true"}, {"ties": "both"}, {"ties": "drop"}, {"surplus": "true"}):
            query = {"layout": layout, **more}
            try:
                asked = read_asked(filled, kind, query)
            except Exception:  # noqa: BLE001  # it says nothing of this kind
                continue
            rows = b"".join(Stream(asked)).count(b"\n")
            assert count_rows(asked) == rows, (kind, query)


def test_a_datasheet_says_what_is_in_it_and_what_may_be_done_with_it(filled: Project, api: Api) -> None:
    Project.objects.update(licence="CC-BY-4.0", about="Which answers help.")
    _, asked = api.post("exports", {"records": "rankings"})
    run_waiting()
    sheet = api.get(f"exports/{asked['id']}")[1]["datasheet"]
    assert (sheet["rows"], sheet["licence"], sheet["labelers"]) == (2, "CC-BY-4.0", {"imported": 2})
    assert sheet["guidelines"] == [{"kind": "ranking", "version": 1, "published": None, "judgments": 3}]
    assert sheet["consent"] == {"research": 1}
    assert "simulated labelers" in sheet["left_out"]
    words = as_markdown(sheet)
    assert "Licence: CC-BY-4.0." in words
    assert "l1" not in words


def test_an_export_that_names_what_is_gone_since_fails_with_a_sentence(filled: Project, api: Api) -> None:
    _, asked = api.post("exports", {"records": "rankings", "campaign": "imported rankings: trial"})
    filled.campaigns.filter(kind="ranking").update(name="other")
    run_waiting()
    _, found = api.get(f"exports/{asked['id']}")
    assert found["state"] == "failed"
    assert "there is no campaign of this name" in found["error"]


def test_what_an_older_attempt_writes_changes_nothing(filled: Project, api: Api) -> None:
    from labeling.exporting.making import make_export

    api.post("exports", {"records": "prompts"})
    old = transferring._claim()
    Export.objects.update(attempt=old.attempt + 1)
    make_export(old)
    export = Export.objects.get()
    assert (export.state, export.path) == ("running", "")
    assert not [path for path in (Path(_exports()) / str(filled.pk)).iterdir()]


def _exports() -> str:
    from django.conf import settings

    return str(settings.EXPORTS_DIR)


def test_no_more_are_prepared_at_once_than_a_project_may_have(api: Api) -> None:
    statuses = [api.post("exports", {"records": "prompts"})[0] for _ in range(6)]
    assert statuses == [202] * 5 + [429]


def test_the_file_of_another_project_is_as_if_it_were_not_there(api: Api, stranger: User) -> None:
    _, asked = api.post("exports", {"records": "prompts"})
    run_waiting()
    other = api_of(stranger, Project.objects.get(slug="elsewhere"))
    assert other.get(f"exports/{asked['id']}/file") == other.get(f"exports/{'0' * 8}-0000-4000-8000-{'0' * 12}/file")
    assert other.get(f"exports/{asked['id']}")[0] == 404
    assert Api(other.token, "helpdesk").get(f"exports/{asked['id']}")[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"records": "secrets"},
        {"records": "rankings", "project__name": "x"},
        {"records": "rankings", "ties": "keep"},
        {"records": "rankings", "split": "dev"},
        {"records": "rankings", "campaign": "none"},
        {"records": "rankings", "format": ["csv"]},
    ],
)
def test_it_refuses_what_cannot_be_exported_and_queues_nothing(api: Api, body: dict[str, Any]) -> None:
    for path in ("exports", "exports/count"):
        status, answer = api.post(path, body)
        assert status in (400, 422), answer
        assert answer["error"]["message"]
    assert not Export.objects.exists()


def test_files_are_deleted_after_their_time_and_the_row_says_what_there_was(api: Api) -> None:
    _, asked = api.post("exports", {"records": "prompts"})
    run_waiting()
    export = Export.objects.get()
    Export.objects.update(finished_at=export.created_at - 2 * transferring.KEPT)
    run_waiting()
    _, found = api.get(f"exports/{asked['id']}")
    assert (found["file"], found["rows"]) == (False, 3)
    assert api.get(f"exports/{asked['id']}/file")[0] == 404


# --- imports ----------------------------------------------------------------------------------------------------------


def send(api: Api, body: bytes, query: str = "", content_type: str = "application/x-ndjson") -> tuple[int, Any]:
    address = f"/api/v1/projects/{api.slug}/imports{query}"
    said = {"Authorization": f"Token {api.token}"}
    answer = api.client.generic("POST", address, body, content_type=content_type, headers=said)
    return answer.status_code, answer.json()


def test_a_file_sent_as_the_body_is_brought_in_by_a_worker(api: Api) -> None:
    body = b'{"prompt": "One"}\n{"prompt": "Two"}\n'
    status, asked = send(api, body, "?source=trl&name=mine", content_type="application/octet-stream")
    assert (status, asked["state"], asked["size_bytes"]) == (202, "queued", len(body))
    assert run_waiting() == 1
    _, done = api.get(f"imports/{asked['id']}")
    assert (done["state"], done["report"]["records"], done["report"]["new"]) == ("done", {"prompt": 2}, {"prompts": 2})
    send(api, body, "?source=trl&name=mine")
    run_waiting()
    assert api.get("imports")[1]["items"][0]["report"]["unchanged"] == 2
    assert not list(Path(_imports()).rglob("*/*"))


def test_what_was_asked_for_first_is_done_first(api: Api) -> None:
    send(api, b'{"prompt": "One"}\n', "?source=trl&name=mine")
    api.post("exports", {"records": "prompts"})
    assert run_next()
    assert [one.state for one in (*Import.objects.all(), *Export.objects.all())] == ["done", "queued"]
    assert run_next()
    assert not run_next()


def _imports() -> str:
    from django.conf import settings

    return str(settings.IMPORTS_DIR)


def test_a_report_names_every_line_that_was_refused_and_nothing_was_taken(filled: Project, api: Api) -> None:
    before = Prompt.objects.count()
    deep = b'{"prompt": ' + b"[" * 100 + b"]" * 100 + b"}"
    lines = [
        b'{"prompt": "Fine"}',
        b"caf\xe9",
        b'{"prompt": "a\\u0000b"}',
        deep,
        b'{"prompt": "x", "prompt": "y"}',
        b"{",
    ]
    _, asked = send(api, b"\n".join(lines), "?source=trl")
    run_waiting()
    _, found = api.get(f"imports/{asked['id']}")
    assert found["state"] == "failed"
    assert [one["line"] for one in found["report"]["reasons"]] == [2, 3, 4, 5, 6]
    words = [one["reason"] for one in found["report"]["reasons"]]
    for said, part in zip(words, ("not UTF-8", "NUL", "nested deeper", "stands twice", "not JSON"), strict=True):
        assert part in said
    assert Prompt.objects.count() == before
    _, asked = send(api, b"\n".join(lines), "?source=trl&skip_bad=true")
    run_waiting()
    assert api.get(f"imports/{asked['id']}")[1]["report"]["records"] == {"prompt": 1}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?source=xml", "source is 'xml'; expected one of records, oasst, hh, trl, sharegpt, csv."),
        ("?source=trl&kind=prompt", "'kind' is not known for trl"),
        ("?skip_bad=yes", "skip_bad is 'yes'"),
        ("?kind=dream", "kind is 'dream'"),
        ("?path=/etc/passwd", "The parameter 'path' is not known here"),
    ],
)
def test_it_refuses_what_cannot_be_brought_in_and_keeps_no_file(api: Api, query: str, sentence: str) -> None:
    status, answer = send(api, b'{"prompt": "One"}', query)
    assert status in (400, 422)
    assert sentence in answer["error"]["message"]
    assert not list(Path(_imports()).rglob("*/*"))


def test_an_empty_body_is_no_file(api: Api) -> None:
    assert send(api, b"")[1]["error"]["code"] == "cannot_import"


@pytest.mark.threat(5)
def test_a_name_of_a_file_leads_nowhere_on_the_disk(api: Api) -> None:
    _, asked = send(api, b'{"prompt": "One"}', "?source=trl&file_name=../../../etc/passwd.jsonl")
    made = Import.objects.get(uuid=asked["id"])
    assert made.name == "passwd"
    assert Path(_imports()) in (Path(_imports()) / made.path).resolve().parents
    assert len(made.path.split("/")) == 2


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/x", "file:///etc/passwd", "http://169.254.169.254/latest", "http://2130706433/", "x"]
)
@pytest.mark.threat(3)
def test_an_address_inside_is_not_fetched(api: Api, url: str) -> None:
    status, answer = api.post("imports/from", {"url": url, "source": "trl"})
    assert (status, answer["error"]["code"]) == (422, "address_refused")
    assert not Import.objects.exists()


def test_a_file_from_an_address_is_fetched_by_the_guarded_way(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from labeling import importing_files
    from labeling.outbound import Answer

    def fetched(url: str, into: Any, *, limits: Any) -> Answer:
        into.write(b'{"prompt": "Fetched"}\n')
        return Answer(200, {}, size_bytes=22)

    monkeypatch.setattr(importing_files, "check_address", lambda url: None)
    monkeypatch.setattr(importing_files, "download", fetched)
    _, asked = api.post("imports/from", {"url": "https://data.example.org/a.jsonl?x", "source": "trl"})
    run_waiting()
    assert api.get(f"imports/{asked['id']}")[1]["state"] == "done"
    assert Prompt.objects.filter(messages__0__content="Fetched").exists()


def test_a_reader_s_token_brings_nothing_in(filled: Project) -> None:
    reader = api_of(make_member(filled, "rita", Role.ENGINEER), filled, "read")
    assert send(reader, b'{"prompt": "One"}')[0] == 403
    assert not Import.objects.exists()


def test_a_project_that_went_out_whole_and_came_in_elsewhere_goes_out_the_same(filled: Project, tmp_path: Path) -> None:
    other = Project.objects.create(name="Again", slug="again")
    whole = (Kind.PROMPT, Kind.DEMONSTRATION, Kind.CANDIDATES, Kind.RANKING, Kind.RATING)
    query = {"simulated": "true", "surplus": "true", "withdrawn": "true"}

    def out(project: Project) -> dict[Kind, list[Any]]:
        found = {}
        for kind in whole:
            asked = {name: value for name, value in query.items() if kind is not Kind.PROMPT or name == "simulated"}
            asked = {} if kind is Kind.CANDIDATES else asked
            asked |= {"adjudicated": "true"} if kind is Kind.RANKING else {}
            body = b"".join(Stream(read_asked(project, kind, asked)))
            found[kind] = [json.loads(line) for line in body.split(b"\n") if line]
        return found

    first = out(filled)
    for kind, records in first.items():
        path = write(tmp_path / kind, *records)
        report = import_file(other, path, name="again")
        assert (report.refused, report.unchanged) == (0, 0), report.reasons
    assert out(other) == first
    said = first[Kind.RANKING][0]["judged"]
    assert [one.get("aside") for one in said] == [None, None, "surplus", None, "adjudication"]
    assert [one.get("why") for one in said] == [None, None, None, None, "Pears are asked for."]
    assert Task.objects.filter(campaign__project=other, adjudications__isnull=False).get().overlap == 3


def test_an_import_whose_file_is_gone_says_so(api: Api) -> None:
    send(api, b'{"prompt": "One"}', "?source=trl")
    made = Import.objects.get()
    (Path(_imports()) / made.path).unlink()
    run_waiting()
    made.refresh_from_db()
    assert made.state == "failed"
    assert "cannot be read" in made.error


def test_the_file_of_an_import_that_failed_does_not_stay(project: Project, settings: Any) -> None:
    folder = Path(settings.IMPORTS_DIR) / project.slug
    folder.mkdir(parents=True)
    for name, state in (("waits", "queued"), ("failed", "failed")):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
        Import.objects.create(project=project, source="csv", name=name, state=state, path=f"{project.slug}/{name}")
    transferring.forget_old()
    assert [path.name for path in folder.iterdir()] == ["waits"]
