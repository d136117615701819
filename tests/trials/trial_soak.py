"""A site under steady work for half an hour while everything it stands on is killed; see tests/soak.py.

make trial PART=soak (ACCORD_SOAK_MINUTES=3 for a short one). A process of its own: its database is not the tests'.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_nothing_is_lost_and_nothing_grows() -> None:
    minutes = os.environ.get("ACCORD_SOAK_MINUTES", "30")
    ended = subprocess.run([sys.executable, "-m", "tests.soak", "--minutes", minutes], cwd=ROOT, check=False)
    assert ended.returncode == 0
