"""What an attempt writes while it works, and what an earlier one that wakes up cannot."""

import json
from pathlib import Path

import pytest

from training.rlhf.contract.run_folder import RunFolder
from training.rlhf.progress import Progress


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def steps(folder: RunFolder) -> list[int]:
    return [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()]


def test_an_attempt_that_slept_between_its_look_and_its_write_changes_nothing(folder: RunFolder) -> None:
    stale, newer = Progress(folder, attempt=1), Progress(folder, attempt=2)
    stale.log(1, {"loss": 1.0})

    def look() -> None:  # and sleep, while a newer attempt begins
        newer.cut(stale.offsets())
        newer.log(2, {"loss": 0.5})

    stale.read_control = look  # type: ignore[method-assign,assignment]
    stale.log(9, {"loss": 9.0})
    assert steps(folder) == [1, 2]


def test_files_are_cut_to_the_checkpoint_and_go_on_from_there(folder: RunFolder) -> None:
    first = Progress(folder, attempt=1)
    first.log(1, {"loss": 1.0})
    there = first.offsets()
    first.log(2, {"loss": 0.9})
    first.cut(there)
    first.log(2, {"loss": 0.8})
    assert steps(folder) == [1, 2]
    assert folder.metrics.read_text().count("0.8") == 1
    first.cut({})
    assert steps(folder) == []
    assert [path.name for path in folder.root.iterdir() if path.suffix == ".part"] == []
