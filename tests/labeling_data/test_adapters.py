"""Files of the trial data become records, and every row that does not is explained."""

import json
from pathlib import Path

import pytest

from bench.adapters.__main__ import ADAPTERS, adapt, main
from bench.adapters.hh import chat
from labeling.datasets import Selection, lines_of
from labeling.importing import import_file
from labeling.models import Project, Prompt, Response, Task
from labeling.record_lines import read_file
from labeling.records import Kind
from tests.services import DATA

ROWS_AND_RECORDS = {
    "demos_self_instruct": (359, 359),
    "candidates_self_instruct": (212, 212),
    "demos_oasst": (205, 205),
    "rankings_oasst": (175, 175),
    "prompts_oasst": (214, 214),
    "demos_dolly": (4317, 2342),
    "rankings_fgrlhf": (422, 402),
    "rankings_fgrlhf_questions": (422, 402),
    "pairs_pandalm": (830, 830),
    "pairs_tulu": (840, 840),
    "pairs_hh_harmless": (1973, 1973),
    "ratings_rankme_likert": (261, 522),
}


def adapted(name: str, folder: Path) -> Path:
    out = folder / f"{name}.jsonl"
    adapt(name, data=DATA, out=out)
    return out


def test_every_adapter_is_named_here() -> None:
    assert set(ADAPTERS) == set(ROWS_AND_RECORDS)


@pytest.mark.data
@pytest.mark.parametrize(("name", "rows", "records"), [(name, *both) for name, both in ROWS_AND_RECORDS.items()])
def test_every_row_is_a_record_or_left_out_for_a_reason(name: str, rows: int, records: int, tmp_path: Path) -> None:
    written, source = adapt(name, data=DATA, out=tmp_path / "out")
    assert (source.rows_in, written) == (rows, records)
    more = source.notes.get("records more than rows: a row's two set-ups are two records", 0)
    assert source.rows_in == written - more + source.left_out.total()
    lines = list(read_file(tmp_path / "out"))
    assert [line.reason for line in lines if line.reason] == []
    ids = [line.record.id for line in lines if line.record]
    assert len(set(ids)) == records


@pytest.mark.data
def test_nothing_of_hh_can_be_imitated(tmp_path: Path) -> None:
    lines = list(read_file(adapted("pairs_hh_harmless", tmp_path)))
    assert {line.record.kind for line in lines if line.record} == {Kind.COMPARISON}
    assert {one.labeler for line in lines if line.record for one in line.record.responses} == {None}


@pytest.mark.sqlite
def test_a_dialogue_becomes_a_chat() -> None:
    assert chat("Human: hi\n\nAssistant: Yes?\n\nlong\n\nHuman: a\n\nHumans: b") == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Yes?\n\nlong"},
        {"role": "user", "content": "a\n\nHumans: b"},
    ]


@pytest.mark.data
@pytest.mark.django_db
def test_what_is_imported_is_what_the_files_hold(project: Project, tmp_path: Path) -> None:
    names = ("demos_oasst", "rankings_oasst", "pairs_pandalm")
    reports = {name: import_file(project, adapted(name, tmp_path), name=name) for name in names}
    assert [report.refused for report in reports.values()] == [0, 0, 0]
    # 170 of the 175 ranked prompts were answered in a demonstration too, by the response that is ranked best there.
    assert reports["rankings_oasst"].new["prompts"] == 5
    assert reports["rankings_oasst"].new["responses"] == 534 - 170
    assert Response.objects.filter(labeler__isnull=False, judged_only=False).count() == 205
    # 830 pairs between five models over 141 prompts: the same answer is one row in every pair it stands in.
    assert Task.objects.filter(campaign__name="imported rankings: pairs_pandalm").count() == 830
    assert reports["pairs_pandalm"].new["responses"] < 2 * 830
    assert reports["pairs_pandalm"].new["judgments"] == 3 * 830


@pytest.mark.data
@pytest.mark.django_db
def test_conversations_stand_on_one_side_of_a_split(project: Project, tmp_path: Path) -> None:
    for name in ("demos_oasst", "rankings_oasst"):
        import_file(project, adapted(name, tmp_path), name=name)
    splits: dict[str, set[str]] = {}
    for group, split in Prompt.objects.values_list("group_key", "split"):
        splits.setdefault(group, set()).add(split)
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "valid", "test"}


@pytest.mark.data
@pytest.mark.django_db
def test_real_rankings_come_back_as_they_were_given(project: Project, tmp_path: Path) -> None:
    again = Project.objects.create(name="Again", slug="again")
    import_file(project, adapted("rankings_fgrlhf", tmp_path), name="first")
    path = tmp_path / "out"
    path.write_bytes(b"".join(lines_of(project, Kind.RANKING)))
    assert not import_file(again, path, name="second").refused
    assert b"".join(lines_of(again, Kind.RANKING, Selection())) == path.read_bytes()
    ranks = [json.loads(line)["judged"][0]["ranks"] for line in path.read_bytes().splitlines()]
    assert len(ranks) == 402
    assert all(set(order) == set(range(1, max(order) + 1)) for order in ranks)


@pytest.mark.data
def test_the_command_prints_what_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demos_dolly", "--data", str(DATA), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "4,317 rows in, 2,342 records out" in said
    assert "left out: 788, the response may have been cut" in said


@pytest.mark.sqlite
def test_the_command_refuses_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demos_dolly", "--data", str(tmp_path / "no"), "--out", str(tmp_path / "out")])
    assert "is no folder" in capsys.readouterr().err
