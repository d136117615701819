"""The small files of a run folder: written whole, read strictly, and what a model is."""

from pathlib import Path

import pytest

from training.rlhf.contract.run_folder import (
    Control,
    ErrorNote,
    ModelEntry,
    RunFolder,
    Status,
    model_identity,
    read_control,
    read_data_manifest,
    read_models_manifest,
    read_status,
    write_control,
    write_data_file,
    write_data_manifest,
    write_models_manifest,
    write_status,
)
from training.rlhf.contract.strict import Refused

from .tiny_runs import TEXTS


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_what_is_not_there_is_none(folder: RunFolder) -> None:
    assert read_status(folder) is None
    assert read_control(folder) is None


def test_status_and_control_come_back_as_they_were(folder: RunFolder) -> None:
    status = Status(
        attempt=2, pid=41, host="w1", state="failed", phase="train", step=3, steps=None, beat="2026-11-23T02:11:09Z",
        step_at=None, seconds_left=1.5, error=ErrorNote(code="not_finite", message="loss is nan"),
    )  # fmt: skip
    control = Control(request="pause", attempt=3, micro_batch_tokens=512)
    write_status(folder, status)
    write_control(folder, control)
    assert read_status(folder) == status
    assert read_control(folder) == control
    assert sorted(path.name for path in folder.root.iterdir()) == ["control.json", "status.json"]


def test_a_control_file_without_meaning_is_refused_by_name(folder: RunFolder) -> None:
    folder.control.write_text('{"request": "run", "attempt": 0}')
    with pytest.raises(
        Refused, match=r"control.json cannot be read: attempt is 0; expected a whole number of at least 1"
    ):
        read_control(folder)


def test_manifests_come_back_as_they_were(folder: RunFolder) -> None:
    file = write_data_file(folder, "text", "text", TEXTS, split="train", snapshot="s1")
    write_data_manifest(folder, [file])
    entry = ModelEntry(path="models/sft", sha256="0" * 64)
    write_models_manifest(folder, [entry])
    assert read_data_manifest(folder) == [file]
    assert read_models_manifest(folder) == [entry]
    assert (file.rows, file.bytes) == (len(TEXTS), folder.data("text").stat().st_size)


def test_a_manifest_whose_hash_is_none_is_refused(folder: RunFolder) -> None:
    folder.models_manifest.parent.mkdir()
    folder.models_manifest.write_text('[{"path": "models/sft", "sha256": "abc"}]')
    with pytest.raises(Refused, match=r'models/manifest.json cannot be read: sha256 is "abc"; expected a sha256'):
        read_models_manifest(folder)


def test_a_model_is_its_files_and_not_its_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "deep" / "weights").write_text("w")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    identity = model_identity(tmp_path / "one")
    assert model_identity(tmp_path / "two") == identity == model_identity(tmp_path / "link")
    (tmp_path / "two" / "deep" / "weights").rename(tmp_path / "two" / "weights")
    assert model_identity(tmp_path / "two") != identity


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        model_identity(tmp_path)
