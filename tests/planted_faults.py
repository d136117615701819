"""Faults planted in a copy of the tree, one at a time, to see that the tests notice them. A table of faults stands
beside the tests that it tries; a trial runs it (tests/trials).

Noticed means that a test failed in its own body. A test that cannot be collected or set up, a run that breaks off or
in which nothing ran shows that the fault is planted badly, and the trial fails. ACCORD_FAULTS="7 24" plants those of
two numbers, ACCORD_AT_ONCE says how many trees are broken side by side.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Literal
from urllib.parse import urlsplit
from xml.etree import ElementTree

import psycopg

from tests.services import database_of_its_own

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = int(os.environ.get("ACCORD_AT_ONCE", "2"))
CHOSEN = {int(number) for number in os.environ.get("ACCORD_FAULTS", "").split()}
PATIENCE_SECONDS = 900
FIRST = "tests/test_health.py"
"""Reads the database, so that it is made while the code is whole."""


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


@dataclass(frozen=True)
class Verdict:
    kind: Literal["seen", "not seen", "error"]
    why: str = ""
    """The test that failed and what it said, or what went wrong."""


@dataclass(frozen=True)
class Tree:
    """A copy of what git has or would take, with a test database and a Redis database of its own."""

    root: Path
    number: int

    @property
    def environment(self) -> dict[str, str]:
        own = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        if url := os.environ.get("DATABASE_URL"):
            own["DATABASE_URL"] = f"{url}_planted_{os.getpid()}_{self.number}"
        if url := os.environ.get("REDIS_URL"):
            own["REDIS_URL"] = database_of_its_own(url, self.number)
        return {**os.environ, **own}

    def fill(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file() and not name.startswith("docs/screens/"):
                target = self.root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)

    def drop_database(self) -> None:
        url = urlsplit(self.environment.get("DATABASE_URL", ""))
        if url.scheme in ("postgres", "postgresql"):
            with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as server:
                server.execute(f'DROP DATABASE IF EXISTS "test_{url.path.lstrip("/")}" WITH (FORCE)')


@contextmanager
def copied_trees(count: int) -> Iterator[list[Tree]]:
    with tempfile.TemporaryDirectory(prefix="accord-faults-") as folder:
        trees = [Tree(Path(folder) / str(number), number) for number in range(count)]
        try:
            for tree in trees:
                tree.fill()
            yield trees
        finally:
            for tree in trees:
                tree.drop_database()


@contextmanager
def planted(fault: Fault, root: Path) -> Iterator[None]:
    """Raises ValueError where the table is older than the code."""
    kept = {change.file: (root / change.file).read_text(encoding="utf-8") for change in fault.changes}
    try:
        for change in fault.changes:
            if not change.stands(root):
                raise ValueError(f"{change.file} does not hold {change.old!r} once: bring the table up to date")
            path = root / change.file
            path.write_text(path.read_text(encoding="utf-8").replace(change.old, change.new), encoding="utf-8")
        yield
    finally:
        for name, text in kept.items():
            (root / name).write_text(text, encoding="utf-8")


def run_tests(
    tree: Tree, tests: Sequence[str], *, those: str = "", options: Sequence[str] = ("--reuse-db",)
) -> Verdict:
    """Runs them up to the first that fails. Without tests it is an error: pytest would take all there are."""
    if not tests:
        return Verdict("error", "no tests are named")
    report = tree.root / "planted.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--junitxml={report}", *options]
    command += ["-k", those] if those else []
    try:
        ended = subprocess.run(
            [*command, *tests], cwd=tree.root, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
            env=tree.environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Verdict("error", f"no end after {PATIENCE_SECONDS} s")
    if not report.exists():
        return Verdict("error", f"pytest ended with {ended.returncode}: {(ended.stdout + ended.stderr)[-600:]}")
    return read_verdict(report)


def read_verdict(report: Path) -> Verdict:
    """In JUnit's format a failure is of the body of a test; what happens before and after it is an error."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    kinds: tuple[tuple[Literal["seen", "error"], str], ...] = (("seen", "failure"), ("error", "error"))
    for kind, tag in kinds:
        for case in cases:
            if (found := case.find(tag)) is not None:
                told = " ".join((found.get("message") or "").split())
                return Verdict(kind, f"{case.get('name')}: {told}"[:300])
    if all(case.find("skipped") is not None for case in cases):
        return Verdict("error", "no test ran")
    return Verdict("not seen")


def try_fault(fault: Fault, tree: Tree, *, options: Sequence[str] = ("--reuse-db",)) -> Verdict:
    try:
        with planted(fault, tree.root):
            return run_tests(tree, fault.tests, those=fault.those, options=options)
    except ValueError as error:
        return Verdict("error", str(error))


def missed(faults: Sequence[Fault]) -> list[str]:
    """Plants every fault and prints what became of it; returns those that were not seen.

    Before any is planted the same tests have to pass: one that fails anyway would prove nothing.
    """
    chosen = [fault for fault in faults if not CHOSEN or fault.number in CHOSEN]
    began = time.monotonic()
    with copied_trees(AT_ONCE) as trees:
        for tree in trees:
            _must_pass(tree, [FIRST])
        _must_pass(trees[0], sorted({test for fault in chosen for test in fault.tests}))
        print(f"\nwithout a fault they pass ({time.monotonic() - began:.0f} s)\n", flush=True)
        free: Queue[Tree] = Queue()
        for tree in trees:
            free.put(tree)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            verdicts = list(pool.map(lambda fault: _in_a_free_tree(fault, free), chosen))
    kinds = [verdict.kind for verdict in verdicts]
    print(f"{kinds.count('seen')} of {len(chosen)} seen, {kinds.count('not seen')} not seen, "
          f"{kinds.count('error')} errors, {time.monotonic() - began:.0f} s, {_core_seconds():.0f} of a core",
          flush=True)  # fmt: skip
    return [
        f"{fault.number} {fault.says}: {verdict.kind} {verdict.why}"
        for fault, verdict in zip(chosen, verdicts, strict=True)
        if verdict.kind != "seen"
    ]


def _core_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _must_pass(tree: Tree, tests: Sequence[str]) -> None:
    verdict = run_tests(tree, tests)
    assert verdict.kind == "not seen", f"without a fault: {verdict.why}"


def _in_a_free_tree(fault: Fault, free: "Queue[Tree]") -> Verdict:
    tree, began = free.get(), time.monotonic()
    try:
        verdict = try_fault(fault, tree)
    finally:
        free.put(tree)
    print(f"{fault.number:>3}  {verdict.kind:<8} {time.monotonic() - began:>4.0f} s  {fault.says}\n"
          f"{'':21}{verdict.why[:150]}", flush=True)  # fmt: skip
    return verdict
