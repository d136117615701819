"""Every fault that a round has to survive, done to a real training; writes docs/faults.md.

make trial PART=faults (about 10 minutes on two free cores). A PostgreSQL and a Redis of its own, so that nothing else
is touched; see tests/faults.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_job_ends_once_and_with_the_same_numbers_whatever_breaks() -> None:
    ended = subprocess.run([sys.executable, "-m", "tests.faults", "--write"], cwd=ROOT, check=False)
    assert ended.returncode == 0
