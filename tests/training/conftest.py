"""Machines in tests: folders of their own, and no broker unless a test starts one."""

from pathlib import Path
from typing import Any

import pytest

from labeling.models import Project
from tests.training.making import base_model_folder, demonstrations
from training.models import Round
from training.rounds import open_round


@pytest.fixture(autouse=True)
def own_folders(settings: Any, tmp_path: Path) -> None:
    settings.RUNS_DIR = tmp_path / "runs"
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    settings.MODELS_DIR = tmp_path / "models"
    settings.REDIS_URL = ""


@pytest.fixture
def round_with_base(project: Project, settings: Any) -> Round:
    """A round that starts from a folder which only looks like a model, and demonstrations enough for a step of SFT."""
    base_model_folder(settings.MODELS_DIR / "base")
    demonstrations(project, 20)
    return open_round(project, base="base")
