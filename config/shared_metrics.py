"""Where the processes of one host keep what they count, so that whichever is asked answers for all of them."""

import os
from pathlib import Path


def use_folder(path: Path) -> None:
    """prometheus_client reads the variable when it is imported: call this before anything counts."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(path)
