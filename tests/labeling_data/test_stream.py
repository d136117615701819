"""An export as it is streamed: every format holds the same rows, and no reader is told less than there is."""

import csv
import gzip
import io
import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from django.db import connection
from django.test import Client

from labeling.exporting import parquet, streaming
from labeling.exporting.asked import CannotExport, read_asked
from labeling.exporting.formats import FORMATS
from labeling.exporting.layouts import LAYOUTS, Member
from labeling.exporting.reading import one_look
from labeling.exporting.streaming import Stream
from labeling.importing import import_file
from labeling.models import Project, ProjectToken, Prompt, User
from labeling.records import Kind
from tests.labeling_data import samples
from tests.labeling_data.samples import prompt, ranking, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

FORMULA = '=HYPERLINK("http://evil.example")'


@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    judged = [
        {"labeler": "l1", "ranks": [1, 1, 2], "ratings": [{"overall": 7}, {"overall": 2}, None],
         "flags": [None, {"misses_task": True}, None], "order": [2, 0, 1], "submitted_at": "2026-03-01T09:30:00Z"},
        {"labeler": "l2", "ranks": [3, 2, 1]},
    ]  # fmt: skip
    lines = [
        samples.prompt_record(),
        samples.demonstration(response={"text": FORMULA, "labeler": "w1"}),
        samples.candidates(),
        ranking("r1", judged=judged),
        ranking("r2", prompt=prompt("Ünïcode\u2028?")),
        samples.rating(),
    ]
    assert not import_file(project, write(tmp_path / "f", *lines), name="trial").refused
    return project


def body(project: Project, kind: Kind, **query: str) -> bytes:
    return b"".join(Stream(read_asked(project, kind, query)))


def rows(project: Project, kind: Kind, **query: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body(project, kind, **query).split(b"\n") if line]


@pytest.mark.parametrize(("kind", "layout"), LAYOUTS)
def test_every_row_of_a_layout_has_its_members_in_their_order(filled: Project, kind: Kind, layout: str) -> None:
    found = rows(filled, kind, layout=layout)
    assert found
    if layout != "records":
        names = [member.name for member in LAYOUTS[kind, layout].members]
        assert all(list(row) == names for row in found)


@pytest.mark.parametrize(("kind", "layout"), [key for key in LAYOUTS if key[1] != "records"])
def test_parquet_holds_the_rows_that_json_lines_hold(filled: Project, kind: Kind, layout: str) -> None:
    table = pq.read_table(io.BytesIO(body(filled, kind, layout=layout, format="parquet")))
    names = [member.name for member in LAYOUTS[kind, layout].members]
    assert table.schema.names == names
    times = [name for name in names if pa.types.is_timestamp(table.schema.field(name).type)]
    plain = [name for name in names if name not in times and name != "judged"]
    assert table.select(plain).to_pylist() == [
        {name: row[name] for name in plain} for row in rows(filled, kind, layout=layout)
    ]


LINE = Member("n", "whole", "a number")


def numbers(of: Iterable[int]) -> Iterator[bytes]:
    return (b'{"n":%d}\n' % n for n in of)


def test_groups_of_rows_follow_each_other_though_one_is_made_while_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 100)
    monkeypatch.setattr(parquet, "FIRST_GROUP_BYTES", 20)
    pieces = list(parquet.parquet_of(numbers(range(500)), (LINE,)))
    file = pq.ParquetFile(io.BytesIO(b"".join(pieces)))
    assert file.read()["n"].to_pylist() == list(range(500))
    assert file.num_row_groups > 20
    assert all(pieces)


def test_a_reader_who_leaves_and_a_row_that_is_none_leave_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 10)
    monkeypatch.setattr(parquet, "FIRST_GROUP_BYTES", 10)
    left = parquet.parquet_of(numbers(range(100)), (LINE,))
    for _ in range(4):
        next(left)
    left.close()  # type: ignore[attr-defined]
    with pytest.raises(pa.ArrowInvalid):
        list(parquet.parquet_of(iter([b'{"n":1}\n', b'{"n":2}\n', b'{"n":"x"}\n', b'{"n":3}\n']), (LINE,)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("parquet")]


def test_packed_lines_are_the_lines(filled: Project) -> None:
    plain = body(filled, Kind.RANKING)
    assert gzip.decompress(body(filled, Kind.RANKING, format="jsonl.gz")) == plain
    packed = pa.BufferReader(body(filled, Kind.RANKING, format="jsonl.zst"))
    assert pa.CompressedInputStream(packed, "zstd").read() == plain


def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(filled: Project) -> None:
    text = body(filled, Kind.DEMONSTRATION, format="csv").decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["response"], row["simulated"], row["campaign"]) == (f"'{FORMULA}", "false", "")
    assert json.loads(row["prompt"])[0]["role"] == "user"


def test_an_empty_export_is_a_file_of_its_format_all_the_same(project: Project) -> None:
    assert body(project, Kind.COMPARISON) == b""
    assert pq.read_table(io.BytesIO(body(project, Kind.COMPARISON, format="parquet"))).num_rows == 0
    assert gzip.decompress(body(project, Kind.COMPARISON, format="jsonl.gz")) == b""
    head = body(project, Kind.PROMPT, format="csv").decode()
    assert head.startswith("id,prompt_id,prompt,")


@pytest.mark.parametrize(
    ("kind", "query", "sentence"),
    [
        (Kind.RANKING, {"format": "xml"}, "format is 'xml'; expected one of jsonl, jsonl.gz, jsonl.zst, parquet, csv."),
        (Kind.RANKING, {"layout": "preference"}, "layout is 'preference'; expected one of records, table."),
        (Kind.RANKING, {"format": "parquet", "layout": "records"}, "whose rows differ in their members"),
        (Kind.COMPARISON, {"layout": "preference", "ties": "keep"}, "cannot say that it is a tie"),
        (Kind.COMPARISON, {"margin": "ranks"}, "which is for the layout preference"),
        (Kind.PROMPT, {"ties": "keep"}, "The parameter 'ties' is not known here"),
        (Kind.RANKING, {"cohort": "nobody"}, "there is no cohort of this name"),
        (Kind.RANKING, {"round": "0x1"}, "expected the number of a round"),
        (Kind.RANKING, {"since": "yesterday"}, "expected a day as 2026-03-01"),
        (Kind.RANKING, {"since": "2026-03-01T09:30"}, "expected a day as 2026-03-01"),
        (Kind.RANKING, {"until": "9999-12-31"}, "expected a day as 2026-03-01"),
        (Kind.RANKING, {"campaign__project__slug": "elsewhere"}, "is not known here"),
        (Kind.PROMPT, {"review": "done"}, "expected one of unreviewed, accepted, returned"),
    ],
)
def test_what_is_not_on_the_list_is_refused(project: Project, kind: Kind, query: dict[str, str], sentence: str) -> None:
    with pytest.raises(CannotExport, match=r".") as refused:
        read_asked(project, kind, query)
    assert sentence in refused.value.message


def test_an_empty_parameter_says_nothing(filled: Project) -> None:
    assert len(rows(filled, Kind.RANKING, split="", campaign="")) == 2


def test_time_bounds_take_in_the_first_day_and_the_last(filled: Project) -> None:
    judged = [[one["labeler"] for one in row["judged"]] for row in rows(filled, Kind.RANKING, until="2026-03-01")]
    assert judged == [["l1"]]
    assert rows(filled, Kind.RANKING, since="2026-03-01", until="2026-03-01")[0]["id"] == "r1"
    assert not rows(filled, Kind.RANKING, until="2026-02-28")


def test_margins_are_those_asked_for(filled: Project) -> None:
    asked = {"layout": "preference", "campaign": "imported rankings: trial"}
    assert {one["margin"] for one in rows(filled, Kind.COMPARISON, margin="ranks", **asked)} == {1.0, 2.0}
    overall = rows(filled, Kind.COMPARISON, margin="overall", ties="both", **asked)
    assert [one["margin"] for one in overall if one["margin"] is not None] == [5.0, -5.0]
    assert "margin" not in rows(filled, Kind.COMPARISON, **asked)[0]


def test_an_answer_says_of_when_it_is_and_what_it_is(filled: Project, owner: User) -> None:
    client = Client(headers={"Authorization": f"Token {ProjectToken.make(user=owner, project=filled)}"})
    answer = client.get("/api/v1/projects/helpdesk/records/comparisons?format=parquet&layout=preference")
    assert answer["Content-Disposition"] == 'attachment; filename="helpdesk-comparison-preference.parquet"'
    assert answer["Content-Type"] == FORMATS["parquet"].media_type
    assert answer["Accord-As-Of"].endswith("Z")
    assert pq.read_table(io.BytesIO(answer.getvalue())).num_rows > 0


@pytest.mark.postgres  # SQLite's tests are in memory, where whoever reads keeps others from writing
@pytest.mark.django_db(transaction=True)
def test_what_is_written_meanwhile_is_not_in_it(filled: Project) -> None:
    with one_look():
        before = Prompt.objects.count()
        assert _from_elsewhere(filled) == before + 1
        assert Prompt.objects.count() == before
    assert Prompt.objects.count() == before + 1


def _from_elsewhere(project: Project) -> int:
    """A prompt by another connection; how many it sees then."""
    other = connection.copy()
    with other.cursor() as cursor:
        names = "project_id, messages, use_case, style, origin, group_key, consent, language, split, fingerprint"
        values = "'[]', 'other', 'plain', 'import', 'g', '', 'en', 'train', 'f'"
        cursor.execute(
            f"INSERT INTO labeling_prompt ({names}, external_id, personal_data, created_at)"
            f" VALUES (%s, {values}, '', '[]', CURRENT_TIMESTAMP)",
            [project.pk],
        )
        cursor.execute("SELECT count(*) FROM labeling_prompt")
        count: int = cursor.fetchone()[0]
    other.close()
    return count


@pytest.mark.parametrize("format_", ["jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet"])
def test_a_stream_that_breaks_off_ends_so_that_no_reader_takes_it_for_whole(
    filled: Project, format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web server ends the answer of an iterator that fails like any other."""
    read = streaming.chunks_of

    def breaks(*arguments: Any) -> Iterator[Any]:
        yield from read(*arguments)
        raise ZeroDivisionError

    monkeypatch.setattr(streaming, "chunks_of", breaks)
    monkeypatch.setattr("labeling.exporting.formats.ENOUGH_BYTES", 1)
    answer = streaming.streamed(read_asked(filled, Kind.COMPARISON, {"format": format_, "layout": "preference"}))
    pieces = iter(answer)
    served = [next(pieces)]
    with pytest.raises(ZeroDivisionError):
        served.extend(pieces)
    assert read_back(b"".join(served), format_) is None


def read_back(data: bytes, format_: str) -> Any:
    """None where a usual reader refuses the file."""
    try:
        if format_ == "parquet":
            return pq.read_table(io.BytesIO(data))
        if format_ == "csv":
            return pa_csv.read_csv(io.BytesIO(data))
        if format_ == "jsonl.zst":
            data = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
        return [json.loads(line) for line in (gzip.decompress(data) if format_.endswith("gz") else data).splitlines()]
    except (pa.ArrowException, ValueError, EOFError, OSError):
        return None


@pytest.mark.django_db(transaction=True)
def test_the_look_ends_with_the_answer_also_where_the_reader_goes_away(filled: Project) -> None:
    answer = streaming.streamed(read_asked(filled, Kind.RANKING, {}))
    next(iter(answer))
    answer.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    Prompt.objects.update(language="de")  # a read-only transaction would refuse it
    assert Prompt.objects.filter(language="de").exists()
