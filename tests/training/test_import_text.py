"""Text for pretraining comes in: all or nothing, bad lines named, a part held out."""

import gzip
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.models import Project
from training.models import Snapshot
from training.rlhf.contract.records import Text, read_rows
from training.snapshots import path_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "text.jsonl"
    path.write_text("".join(json.dumps({"text": f"Document {n}.", "source": "s"}) + "\n" for n in range(200)))
    return path


def said(project: Project, file: Path) -> str:
    words = StringIO()
    call_command("import_text", project.slug, str(file), stdout=words)
    return words.getvalue()


def refusal(project: Project, file: Path) -> str:
    with pytest.raises(CommandError) as refused:
        said(project, file)
    assert not Snapshot.objects.exists()
    return str(refused.value)


def test_a_file_becomes_text_to_train_on_and_text_held_out(project: Project, file: Path) -> None:
    words = said(project, file)
    train, valid = (Snapshot.objects.get(query__split=split) for split in ("train", "valid"))
    assert train.rows + valid.rows == 200
    assert 2 <= valid.rows <= 25
    assert f"train: {train.rows} documents" in words
    texts = {row.text for snapshot in (train, valid) for row in read_rows(path_of(snapshot), Text)}
    assert texts == {f"Document {n}." for n in range(200)}


def test_the_same_file_again_is_the_same_two_snapshots(project: Project, file: Path) -> None:
    said(project, file)
    said(project, file)
    assert Snapshot.objects.count() == 2


def test_gzip_is_told_by_the_bytes_and_not_by_the_name(project: Project, file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    said(project, packed)
    assert sum(Snapshot.objects.values_list("rows", flat=True)) == 200


def test_words_that_come_twice_count_once_and_are_told(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "twice.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\n\n{"text": "a"}\n')
    said(project, path)
    snapshot = Snapshot.objects.get()
    assert (snapshot.rows, snapshot.report["left_out"]) == (2, {"the same words again": 1})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON"),
        ('"words"', 'is "words"; expected an object'),
        ('{"txt": "a"}', "text is missing"),
        ('{"text": 3}', "text is 3; expected words"),
        ('{"text": "  "}', 'text is "  "; expected words'),
        ('{"text": "\\ud800"}', "expected a text of valid characters"),
        ('{"text": "a", "text": "b"}', 'holds the key "text" twice'),
    ],
)
def test_a_bad_line_is_named_and_nothing_comes_in(
    project: Project, file: Path, line: str, reason: str, settings: Any
) -> None:
    file.write_text(file.read_text() + line + "\n")
    sentence = refusal(project, file)
    assert "line 201" in sentence
    assert reason in sentence
    assert not list(Path(settings.SNAPSHOTS_DIR).rglob("*.jsonl"))


def test_many_bad_lines_are_counted_and_the_first_ones_named(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("x\n" * 50)
    sentence = refusal(project, path)
    assert "50 bad lines" in sentence
    assert "line 20:" in sentence
    assert "line 21:" not in sentence
    assert "and 30 more" in sentence


def test_an_empty_file_a_missing_one_and_broken_gzip_are_refused(project: Project, tmp_path: Path) -> None:
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.write_text("\n")
    broken.write_bytes(gzip.compress(b'{"text": "a"}\n' * 1000)[:40])
    assert "holds no document" in refusal(project, empty)
    assert "No such file" in refusal(project, tmp_path / "missing")
    assert "cannot be read" in refusal(project, broken)


def test_an_unknown_project_is_refused_with_those_there_are(project: Project, file: Path) -> None:
    with pytest.raises(CommandError, match="There is no project 'x'; there are: helpdesk"):
        call_command("import_text", "x", str(file))
