"""The README's map names the rooms that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_ROOMS = {"management", "migrations", "__pycache__", "node_modules", "var"}


def rooms_on_the_map() -> set[str]:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## The rooms")[1]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name.rstrip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}


def rooms_on_disk() -> set[str]:
    top = {path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    packages = {
        path for app in ("labeling", "training", "training/rlhf") for path in (ROOT / app).iterdir() if path.is_dir()
    }
    return {str(path.relative_to(ROOT)) for path in top | packages if path.name not in NOT_ROOMS}


pytestmark = pytest.mark.sqlite


def test_every_room_on_disk_is_on_the_map_and_the_other_way_round() -> None:
    assert rooms_on_the_map() == rooms_on_disk()
