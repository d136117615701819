"""The same claim is exact on a SQLite file, where IMMEDIATE transactions take the place of row locks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.sqlite]

ROOT = Path(__file__).resolve().parent.parent.parent


def test_six_labelers_at_once_leave_exact_counters(tmp_path: Path) -> None:
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'race.sqlite3'}",
        "ACCORD_STATE_DIR": str(tmp_path),
    }
    run = subprocess.run(
        [sys.executable, "-m", "tests.labeling.race_on_sqlite"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    told = json.loads(run.stdout)
    assert told == {"vendor": "sqlite", "done": 24, "counted": 24, "written": 7, "wrong_counters": 0, "over": 0}
