"""Breaks every rule of correctness in a copy of the code and looks whether the tests of the rule notice.

make trial PART=broken_rules (how long it takes is not measured yet). The faults are those of tests/rules/faults.py.
Before any is planted, the same tests have to pass: a test that fails anyway would prove nothing.
ACCORD_RULES="7 24" for some.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

from tests.rules.faults import FAULTS, Fault
from tests.rules.marks import ROOT, holders

AT_ONCE = 2
ENDS = {0: "not seen", 1: "seen", 2: "seen"}
"""By pytest's exit code; 2: the broken code could not even be imported, or the first failure stopped it."""
CHOSEN = {int(number) for number in os.environ.get("ACCORD_RULES", "").split()}


def copy_of_the_tree(target: Path) -> Path:
    """What git knows and what is new; the linters' and tests' leftovers are not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def tests_of(fault: Fault) -> list[str]:
    return [one.node for one in holders()[fault.rule] if one.path == fault.tests and not one.trial]


def run(tree: Path, nodes: Iterable[str]) -> subprocess.CompletedProcess[str]:
    own = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if "DATABASE_URL" in os.environ:  # pytest-django puts test_ before it: each tree has a database of its own
        own["DATABASE_URL"] = f"{os.environ['DATABASE_URL']}_{tree.name}"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *sorted(set(nodes))], cwd=tree,
        capture_output=True, text=True, check=False, env={**os.environ, **own},
    )  # fmt: skip


@contextmanager
def planted(tree: Path, fault: Fault) -> Iterator[None]:
    path = tree / fault.path
    whole = path.read_text(encoding="utf-8")
    assert whole.count(fault.old) == 1, f"{fault.path} has {fault.old!r} {whole.count(fault.old)} times; expected once"
    path.write_text(whole.replace(fault.old, fault.new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(whole, encoding="utf-8")


def plant(fault: Fault, trees: "Queue[Path]") -> str:
    tree, began = trees.get(), time.monotonic()
    try:
        with planted(tree, fault):
            ended = run(tree, tests_of(fault))
        verdict = ENDS.get(ended.returncode, f"pytest ended with {ended.returncode}")
    except AssertionError as error:
        verdict = f"not planted: {error}"
    finally:
        trees.put(tree)
    print(f"{fault.rule:>4}  {verdict:<10} {time.monotonic() - began:>5.0f} s  {fault.name}", flush=True)
    return verdict


def test_every_planted_fault_is_seen_by_the_tests_of_its_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = [fault for fault in FAULTS if not CHOSEN or fault.rule in CHOSEN]
    trees: Queue[Path] = Queue()
    for number in range(AT_ONCE):
        trees.put(copy_of_the_tree(tmp_path / f"tree{number}"))
    with capsys.disabled():
        print()
        tree = trees.get()
        ended = run(tree, [node for fault in faults for node in tests_of(fault)])
        trees.put(tree)
        assert ended.returncode == 0, f"without a fault:\n{ended.stdout[-3000:]}"
        print("rule  verdict     took   fault")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            verdicts = list(pool.map(lambda fault: plant(fault, trees), faults))
    missed = [f"{fault.name}: {told}" for fault, told in zip(faults, verdicts, strict=True) if told != "seen"]
    assert not missed, "\n".join(missed)
