"""A file of records is read a line at a time, whatever stands in it."""

import gzip
import json
from pathlib import Path

import pytest

from labeling import record_lines
from labeling.record_lines import UnreadableFile, read_file
from tests.labeling_data import samples
from tests.labeling_data.samples import prompt_record, write

pytestmark = pytest.mark.sqlite


def reasons(path: Path) -> dict[int, str]:
    return {line.number: line.reason for line in read_file(path) if line.record is None}


@pytest.mark.parametrize("packed", [False, True])
def test_it_reads_plain_and_packed_files_whatever_their_name(tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path / "records.txt", prompt_record("p1"), b"", prompt_record("p2"), packed=packed)
    assert [(line.number, line.record and line.record.id) for line in read_file(path)] == [(1, "p1"), (3, "p2")]


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    raw = json.dumps(prompt_record(text="one\u2028two\u0085three\x0bfour"), ensure_ascii=False).encode()
    path = write(tmp_path / "f", raw)
    (line,) = read_file(path)
    assert line.record is not None
    assert line.record.prompt.messages[0]["content"] == "one\u2028two\u0085three\x0bfour"


def test_a_last_line_without_its_end_is_read_and_a_byte_order_mark_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(prompt_record()).encode() + b"\r\n" + json.dumps(prompt_record("p2")).encode()
    )
    assert [line.record and line.record.id for line in read_file(path)] == ["p1", "p2"]


BAD = [
    (b'{"type": "prompt"', "this is not JSON"),
    (b"\xff\xfe{}", "byte 1 (0xff) is not UTF-8"),
    (b'{"id": "a", "id": "b"}', 'the name "id" stands twice'),
    (b'{"id": NaN}', "NaN is not a JSON value"),
    (b'{"id": -Infinity}', "-Infinity is not a JSON value"),
    (b"[" * 30 + b"]" * 30, "nested deeper than 20"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 20"),
    (b'{"id": ' + b"9" * 5000 + b"}", "this is not JSON that can be read"),
    (b"null", "expected an object"),
]


@pytest.mark.parametrize(("raw", "sentence"), BAD, ids=[sentence for _, sentence in BAD])
def test_it_refuses_the_line_and_reads_on(tmp_path: Path, raw: bytes, sentence: str) -> None:
    path = write(tmp_path / "f", raw, prompt_record("after"))
    first, second = read_file(path)
    assert sentence in first.reason
    assert second.record is not None
    assert second.number == 2


def test_it_passes_over_a_line_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_lines, "MOST_LINE_BYTES", 1000)
    long = json.dumps(prompt_record(text="x" * 3_000_000)).encode()
    path = write(tmp_path / "f", prompt_record("p1"), long, prompt_record("p2"), packed=True)
    assert reasons(path) == {2: f"the line has {len(long) + 1:,} bytes; at most 1,000 are taken"}
    assert [line.record.id for line in read_file(path) if line.record] == ["p1", "p2"]


def test_a_line_of_the_most_bytes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = json.dumps(samples.prompt_record()).encode()
    monkeypatch.setattr(record_lines, "MOST_LINE_BYTES", len(raw) + 1)
    assert reasons(write(tmp_path / "f", raw, raw)) == {}
    monkeypatch.setattr(record_lines, "MOST_LINE_BYTES", len(raw))
    assert set(reasons(write(tmp_path / "f", raw, raw))) == {1, 2}


def test_it_refuses_a_file_that_is_not_there_or_a_folder_or_cut(tmp_path: Path) -> None:
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(json.dumps(prompt_record(text="long " * 1000)).encode())[:-20])
    for path, sentence in [
        (tmp_path / "missing", "No such file"),
        (tmp_path, "Is a directory"),
        (cut, "is cut or damaged"),
    ]:
        with pytest.raises(UnreadableFile, match=sentence):
            list(read_file(path))
