"""Files of other tools come in: what each row becomes, twice the same once, and what has no meaning is refused."""

import gzip
import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from labeling import record_lines
from labeling.datasets import lines_of as lines_out
from labeling.foreign.sources import SOURCES, lines_of
from labeling.importing import ImportReport, import_file, import_lines
from labeling.models import Judgment, Project, Prompt, Response, Task
from labeling.record_fields import BadRecord
from labeling.record_lines import UnreadableFile, read_file
from labeling.records import Kind, Record, write_record
from tests.labeling_data.samples import write
from tests.labeling_data.test_adapters import DATA, adapted

pytestmark = pytest.mark.sqlite

CHAT = [{"role": "user", "content": "Hi"}]
REPLY = [{"role": "assistant", "content": "Hello."}]


def read(source: str, path: Path, **query: str) -> list[Record]:
    lines = list(lines_of(path, SOURCES[source], query))
    assert [line.reason for line in lines if line.reason] == []
    return [line.record for line in lines if line.record]


def reasons(source: str, path: Path, **query: str) -> list[tuple[int, str]]:
    return [(line.number, line.reason) for line in lines_of(path, SOURCES[source], query) if line.reason]


def put(project: Project, source: str, path: Path, **query: str) -> ImportReport:
    return import_lines(project, lines_of(path, SOURCES[source], query), ImportReport(path), name="trial")


@pytest.mark.parametrize(
    ("source", "row", "kind"),
    [
        ("trl", {"messages": [*CHAT, *REPLY]}, "demonstration"),
        ("trl", {"prompt": "Hi", "completion": "Hello."}, "demonstration"),
        ("trl", {"prompt": CHAT, "completion": REPLY}, "demonstration"),
        ("trl", {"prompt": CHAT, "chosen": REPLY, "rejected": [{"role": "assistant", "content": "No."}]}, "comparison"),
        ("trl", {"chosen": [*CHAT, *REPLY], "rejected": [*CHAT, {"role": "assistant", "content": ""}]}, None),
        ("trl", {"prompt": "Hi", "chosen": "Hello.", "rejected": "No.", "margin": 2.0}, "comparison"),
        ("trl", {"prompt": CHAT}, "prompt"),
        ("trl", {"prompt": "Hi", "completion": "Hello.", "label": True}, None),
        ("trl", {"text": "whole"}, None),
        ("sharegpt", {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]},
         "demonstration"),
        ("sharegpt", {"conversations": [{"from": "human", "value": "Hi"}]}, None),
        ("sharegpt", {"conversations": [{"from": "robot", "value": "Hi"}]}, None),
        ("hh", {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello.", "rejected": "\n\nHuman: Hi\n\nAssistant: No."},
         "comparison"),
        ("hh", {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello.", "rejected": "\n\nHuman: Ho\n\nAssistant: No."}, None),
        ("hh", {"chosen": "Hi", "rejected": "Ho"}, None),
        ("oasst", {"message_tree_id": "t", "prompt": {"message_id": "m", "role": "prompter", "text": "Hi"}}, "prompt"),
        ("oasst", {"message_id": "m"}, None),
    ],
)  # fmt: skip
def test_what_is_in_a_row_says_what_it_is(source: str, row: dict[str, Any], kind: str | None, tmp_path: Path) -> None:
    path = write(tmp_path / "f", row)
    if kind is None:
        assert len(reasons(source, path)) == 1
    else:
        (record,) = read(source, path)
        assert (record.kind, record.prompt.messages[-1]["content"]) == (kind, "Hi")
        assert read(source, path) == [record]  # the id is made of what it says
        assert record.id.startswith(f"{source}:")


def test_a_json_list_is_read_entry_by_entry(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text(json.dumps([{"prompt": "One"}, {"text": "bad"}, {"prompt": "Two"}]))
    lines = list(lines_of(path, SOURCES["trl"], {}))
    assert [(line.number, line.record is None) for line in lines] == [(1, False), (2, True), (3, False)]


def test_columns_are_mapped_as_asked_and_else_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text('\ufeffQuestion;answer;who\r\n"What;\r\nnow?";This;ann\r\n', encoding="utf-8")
    (record,) = read("csv", path)
    assert record.prompt.messages == [{"role": "user", "content": "What;\nnow?"}]
    assert (record.responses[0].text, record.responses[0].labeler) == ("This", "csv writer")
    path.write_text('prompt,"the\nresponse"\nWhat?,This\n', encoding="utf-8")  # the head takes two lines
    assert [one.prompt.messages[0]["content"] for one in read("csv", path)] == ["What?"]
    path.write_text('\ufeffQuestion;answer;who\r\n"What;\r\nnow?";This;ann\r\n', encoding="utf-8")
    (record,) = read("csv", path, column_prompt="answer", column_group_key="who")
    assert (record.kind, record.prompt.messages[0]["content"], record.prompt.group_key) == ("prompt", "This", "ann")
    with pytest.raises(BadRecord, match="the file has the columns Question, answer, who"):
        read("csv", path, column_prompt="nothing")
    with pytest.raises(BadRecord, match="a comparison needs both"):
        read("csv", path, column_prompt="Question", column_chosen="answer")


def test_a_row_of_other_width_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("prompt,response\nHi,Hello\nHi,Hello,more\n,Hello\n")
    assert reasons("csv", path) == [
        (3, "the row has 3 cells; the head has 2"),
        (4, "column prompt is empty; write some text or leave the record out"),
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'prompt\n"never closed\n' + b"x" * 1000, "cannot be read at line"),
        (b"prompt\ncaf\xe9\n", "it is not UTF-8"),
        (b"\n", "has no head"),
        (b"prompt,prompt\na,b\n", "two columns of the name 'prompt'"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_whole(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match=sentence):
        read("csv", path)


def test_nul_and_huge_cells_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"prompt\nHi\x00\n")
    assert "NUL" in str(reasons("csv", path)[0][1])
    monkeypatch.setattr("labeling.foreign.table.MOST_LINE_BYTES", 100)
    path.write_bytes(b"prompt\n" + b"x" * 1000 + b"\n")
    with pytest.raises(UnreadableFile, match="field larger than field limit"):
        read("csv", path)


def test_a_bomb_is_noticed_long_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_lines, "FREELY_UNPACKED_BYTES", 1 << 20)
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes(64 << 20)))
    with pytest.raises(UnreadableFile, match="unpacks to more than 6,5"):
        list(read_file(path))
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packer:
        packer.write(bytes(64 << 20))
    path.write_bytes(sink.getvalue().to_pybytes())
    with pytest.raises(UnreadableFile, match="unpacks to more than"):
        list(read_file(path))


def test_zstd_is_read_and_zip_is_not(tmp_path: Path) -> None:
    path, sink = tmp_path / "f", pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packer:
        packer.write(b'{"prompt": "Hi"}\n')
    path.write_bytes(sink.getvalue().to_pybytes())
    assert len(read("trl", path)) == 1
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.jsonl", '{"prompt": "Hi"}')
    path.write_bytes(packed.getvalue())
    with pytest.raises(UnreadableFile, match="is a ZIP archive; unpack it"):
        read("trl", path)


def test_a_tree_as_deep_as_a_conversation_goes_is_read_and_one_deeper_is_not(tmp_path: Path) -> None:
    def tree(depth: int) -> dict[str, Any]:
        message: dict[str, Any] = {}
        for number in reversed(range(depth)):
            role = ("prompter", "assistant")[number % 2]
            replies = [message] if message else []
            message = {"message_id": f"m{number}", "role": role, "text": f"t{number}", "replies": replies}
        return {"message_tree_id": "t", "prompt": message}

    assert len(read("oasst", write(tmp_path / "f", tree(40)))) == 20
    assert "deeper than" in reasons("oasst", write(tmp_path / "f", tree(150)))[0][1]


# --- real files -------------------------------------------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.django_db
def test_open_assistant_s_trees_come_in_with_the_counts_of_the_files_made_of_them(project: Project) -> None:
    """81 trees: 205 messages of users that a person answered (demos_oasst) and 175 with ranked replies
    (rankings_oasst); prompts merge where both are made of one message."""
    report = put(project, "oasst", DATA / "oasst_trees.jsonl.gz")
    assert report.refused == 0
    assert (report.read["demonstration"], report.read["ranking"]) == (205, 175)
    assert Response.objects.filter(judged_only=False, labeler__isnull=False).count() == 205
    assert Task.objects.filter(campaign__kind="ranking", overlap=1).count() == 175
    assert Prompt.objects.values("group_key").distinct().count() <= 81
    again = put(project, "oasst", DATA / "oasst_trees.jsonl.gz")
    assert (again.unchanged, again.new.total(), again.refused) == (report.read.total(), 0, 0)


@pytest.mark.data
@pytest.mark.django_db
def test_hh_comes_in_row_for_row_but_for_dialogues_with_an_empty_turn(project: Project) -> None:
    """1,973 rows; dialogues that several rows share are one prompt."""
    path = DATA / "pairs_hh_harmless.jsonl.gz"
    report = import_lines(
        project, lines_of(path, SOURCES["hh"], {}), ImportReport(path), name="hh", skip_bad=True
    )  # fmt: skip
    with gzip.open(path) as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == 1973
    assert report.read["comparison"] + report.refused == 1973
    assert Judgment.objects.count() == 2 * report.read["comparison"]
    dialogues = Counter(row["prompt"] for row in rows)
    assert Prompt.objects.count() >= len(dialogues) - report.refused - 1
    assert Response.objects.filter(labeler__isnull=False).count() == 0


@pytest.mark.data
@pytest.mark.django_db
def test_what_goes_out_in_a_layout_of_trl_comes_in_again_as_the_same_texts(project: Project, tmp_path: Path) -> None:
    from labeling.exporting.asked import read_asked
    from labeling.exporting.streaming import Stream

    put(project, "oasst", DATA / "oasst_trees.jsonl.gz")
    other = Project.objects.create(name="Again", slug="again")
    path = tmp_path / "f"
    for kind, layout in ((Kind.DEMONSTRATION, "prompt_completion"), (Kind.COMPARISON, "preference")):
        first = b"".join(Stream(read_asked(project, kind, {"layout": layout})))
        path.write_bytes(first)
        assert put(other, "trl", path).refused == 0
        again = b"".join(Stream(read_asked(other, kind, {"layout": layout})))
        assert sorted(again.split(b"\n")) == sorted(set(first.split(b"\n")) | {b""})


def test_a_record_of_every_source_is_one_that_goes_out(tmp_path: Path) -> None:
    (record,) = read("trl", write(tmp_path / "f", {"prompt": "Hi", "completion": "Hello."}), writer="ann")
    assert write_record(record)["response"] == {"text": "Hello.", "labeler": "ann"}


@pytest.mark.data
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "source", "prompts", "responses", "judgments"),
    [
        # 175 messages of users, each with its own words before it; K = 2 to 9.
        ("rankings_oasst", "records", 175, 534, 175),
        # 840 pairs of four models' answers to 280 tasks: three pairs share a prompt, and an answer stands in several
        # pairs. 970 judgments, 9 of which are the same person's second of the same pair.
        ("pairs_tulu", "records", 280, 1120, 961),
        # 137 questions of two sets, two of which stand in both.
        ("prompts_fastchat", "trl", 135, 0, 0),
    ],
)
def test_a_file_comes_in_with_the_counts_that_its_readme_states(
    project: Project, tmp_path: Path, name: str, source: str, prompts: int, responses: int, judgments: int
) -> None:
    rows = {"rankings_oasst": 175, "pairs_tulu": 840, "prompts_fastchat": 137}[name]
    path = adapted(name, tmp_path) if source == "records" else DATA / f"{name}.jsonl.gz"
    report = put(project, source, path)
    assert (report.refused, report.read.total()) == (0, rows)
    assert (report.new["prompts"], report.new["responses"], report.new["judgments"]) == (prompts, responses, judgments)
    assert report.merged == (2 if name == "prompts_fastchat" else 0)
    other = Project.objects.create(name="Again", slug="again")
    kinds = (Kind.RANKING,) if judgments else (Kind.PROMPT,)
    for kind in kinds:
        out = b"".join(lines_out(project, kind))
        again = tmp_path / "out"
        again.write_bytes(out)
        assert not import_file(other, again, name="again").refused
        assert b"".join(lines_out(other, kind)) == out
