"""Checkpoints are good or are not there, whenever the process was killed and whatever the disk did."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from training.rlhf import checkpoints
from training.rlhf.contract.exit_codes import CannotWrite, Fenced
from training.rlhf.contract.run_folder import RunFolder, file_sha256
from training.rlhf.contract.strict import Refused

OFFSETS = {"metrics_bytes": 10, "samples_bytes": 20, "events_bytes": 30}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def write_weights(text: str = "weights") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "weights").write_text(text)

    return write


def save(folder: RunFolder, step: int, **changes: Any) -> checkpoints.Checkpoint:
    given: dict[str, Any] = {
        "step": step, "attempt": 1, "write": write_weights(), "offsets": OFFSETS, "seconds": 1.5, "fence": lambda: None,
    }  # fmt: skip
    return checkpoints.save(folder, **given | changes)


def steps_of(folder: RunFolder) -> list[int]:
    return [int(path.name[5:]) for path in sorted(folder.checkpoints.glob("step-*"))]


def test_a_checkpoint_lists_every_file_with_its_size_and_hash(folder: RunFolder) -> None:
    path = save(folder, 40).path
    manifest = json.loads((path / "manifest.json").read_text())
    weights = path / "model" / "weights"
    assert path.name == "step-00000040"
    assert manifest["files"] == {"model/weights": {"bytes": 7, "sha256": file_sha256(weights)}}
    assert manifest | OFFSETS == manifest
    assert json.loads(folder.latest.read_text()) == {"step": 40, "manifest_sha256": file_sha256(path / "manifest.json")}


def test_the_newest_good_one_is_found_without_the_hint(folder: RunFolder) -> None:
    save(folder, 2)
    save(folder, 10)
    folder.latest.unlink()
    found = checkpoints.newest_good(folder)
    assert found is not None
    assert (found.step, found.offsets) == (10, OFFSETS)


def test_no_checkpoint_is_none(folder: RunFolder) -> None:
    assert checkpoints.newest_good(folder) is None


@pytest.mark.parametrize("damage", ["flip", "remove", "manifest", "torn"])
def test_a_damaged_one_is_passed_over_and_told(folder: RunFolder, damage: str) -> None:
    save(folder, 2)
    newest = save(folder, 4).path
    weights, manifest = newest / "model" / "weights", newest / "manifest.json"
    if damage == "flip":
        weights.write_text("wEights")
    elif damage == "remove":
        weights.unlink()
    elif damage == "manifest":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text()[:50])
    told: list[str] = []
    found = checkpoints.newest_good(folder, damaged=told.append)
    assert found is not None
    assert found.step == 2
    assert len(told) == 1
    with pytest.raises(Refused):
        checkpoints.read(newest)


def test_a_full_disk_leaves_nothing_behind_and_the_last_good_one_in_place(folder: RunFolder) -> None:
    save(folder, 2)

    def full(target: Path) -> None:
        write_weights()(target)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CannotWrite, match="the checkpoint of step 4 cannot be written: .*No space left"):
        save(folder, 4, write=full)
    assert [path.name for path in folder.checkpoints.iterdir() if path.is_dir()] == ["step-00000002"]


def test_torchs_own_word_for_a_full_disk_is_understood(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc] . PytorchStreamWriter failed writing file data/0")

    monkeypatch.setattr(torch, "save", refuse)
    with pytest.raises(CannotWrite, match="PytorchStreamWriter"):
        save(folder, 4, write=lambda target: checkpoints.save_trainer(target, {}))


def test_a_stale_attempt_makes_no_checkpoint(folder: RunFolder) -> None:
    def fence() -> None:
        raise Fenced("attempt 2 owns this run")

    with pytest.raises(Fenced):
        save(folder, 4, fence=fence)
    assert not any(path.is_dir() for path in folder.checkpoints.iterdir())


def test_a_second_save_of_a_step_takes_the_place_of_the_first(folder: RunFolder) -> None:
    save(folder, 4)
    save(folder, 4, write=write_weights("better"))
    found = checkpoints.newest_good(folder)
    assert found is not None
    assert (found.model / "weights").read_text() == "better"


def test_pruning_keeps_the_newest_and_those_that_are_to_be_kept(folder: RunFolder) -> None:
    for step in (2, 4, 6, 8, 10):
        save(folder, step)
    checkpoints.prune(folder, keep=2, keep_steps=(4,))
    assert steps_of(folder) == [4, 8, 10]
    assert all(checkpoints.read(folder.checkpoint(step)) for step in (4, 8, 10))


def test_one_that_was_set_aside_is_not_one_of_those_that_are_kept(folder: RunFolder) -> None:
    for step in (10, 20, 30):
        save(folder, step)
    (folder.checkpoint(30) / "model" / "weights").write_text("flipped")
    found = checkpoints.newest_good(folder)
    assert found is not None
    checkpoints.set_aside_newer(folder, than=found.step)
    save(folder, 21)
    checkpoints.prune(folder, keep=2)
    assert steps_of(folder) == [20, 21]
    assert (folder.checkpoints / "damaged-step-00000030").is_dir()


def test_what_a_killed_attempt_left_half_written_is_swept_away(folder: RunFolder) -> None:
    save(folder, 2)
    for name in ("checkpoints/tmp-1-00000004/model", "tmp-1-model", "output"):
        (folder.root / name).mkdir(parents=True)
    for name in ("checkpoints/latest.json.tmp-7", "output/manifest.json.tmp-7", "output/responses.jsonl.tmp"):
        (folder.root / name).touch()
    (folder.root / "control.json.tmp-7").touch()  # the launcher's, which may be at it now
    checkpoints.remove_leftovers(folder)
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["latest.json", "step-00000002"]
    assert not (folder.root / "tmp-1-model").exists()
    assert list((folder.root / "output").iterdir()) == []
    assert (folder.root / "control.json.tmp-7").exists()


def test_the_random_state_comes_back_with_the_trainer_state(folder: RunFolder) -> None:
    state = {"tensor": torch.ones(2), "step": 3, "names": ["a"]}
    torch.manual_seed(5)
    torch.rand(3)
    saved = save(folder, 2, write=lambda target: checkpoints.save_trainer(target, state))
    expected = torch.rand(3)
    torch.manual_seed(99)
    loaded = checkpoints.load_trainer(saved)
    assert torch.equal(loaded.pop("tensor"), torch.ones(2))
    assert loaded == {"step": 3, "names": ["a"]}
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.threat(9)
def test_a_trainer_state_that_holds_code_is_not_run(folder: RunFolder, tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str, str]]:
            return (open, (str(ran), "w"))

    saved = save(folder, 2, write=lambda target: checkpoints.save_trainer(target, {"evil": Evil()}))
    with pytest.raises(Exception, match="Weights only load failed"):
        checkpoints.load_trainer(saved)
    assert not ran.exists()
