"""Faults planted in a copy of the tree, one at a time, to see that the tests notice them. A table of faults stands
beside the tests that it tries; a trial runs it (tests/trials).
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAILED = 1
"""pytest's exit status where tests ran and some failed; others mean that none was found, or it broke off."""
PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Change:
    """old stands in the file once."""

    file: str
    old: str
    new: str

    def stands(self, root: Path = ROOT) -> bool:
        return (root / self.file).read_text(encoding="utf-8").count(self.old) == 1


@dataclass(frozen=True)
class Fault:
    """number: of the rule or threat whose tests must fail. tests: as pytest takes them. those: for its -k."""

    number: int
    says: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]
    those: str = ""

    @property
    def stands(self) -> bool:
        return all(change.stands() for change in self.changes)


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of what git has or would take, with this environment of Python."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with tempfile.TemporaryDirectory(prefix="accord-faults-") as folder:
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file() and not name.startswith("docs/screens/"):
                target = Path(folder) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)
        yield Path(folder)


@contextmanager
def planted(fault: Fault, tree: Path) -> Iterator[None]:
    """Raises ValueError where the table is older than the code."""
    kept = {change.file: (tree / change.file).read_text(encoding="utf-8") for change in fault.changes}
    try:
        for change in fault.changes:
            if not change.stands(tree):
                raise ValueError(f"{change.file} does not hold {change.old!r} once: bring the table up to date")
            path = tree / change.file
            path.write_text(path.read_text(encoding="utf-8").replace(change.old, change.new), encoding="utf-8")
        yield
    finally:
        for name, text in kept.items():
            (tree / name).write_text(text, encoding="utf-8")


def run_tests(fault: Fault, tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The tests of the fault, in the copy as it is now."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *options]
    command += ["-k", fault.those] if fault.those else []
    return subprocess.run(
        [*command, *fault.tests], cwd=tree, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def notices(fault: Fault, tree: Path, *options: str) -> str:
    """What the tests said when the fault was planted, "" where none of them failed: an error is no failure."""
    with planted(fault, tree):
        ended = run_tests(fault, tree, *options)
    said = next((line for line in ended.stdout.splitlines() if line.startswith("FAILED ")), "")
    return said if ended.returncode == FAILED else ""
