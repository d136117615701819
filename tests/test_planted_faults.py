"""What counts as noticed when a fault is planted, and that every table of faults fits the code."""

from pathlib import Path

import pytest

from tests.planted_faults import Change, Fault, Tree, Verdict, run_tests, try_fault
from tests.rules.faults import FAULTS as RULES
from tests.security.defences import DEFENCES
from tests.training.told_faults import FAULTS as TOLD

TESTS = """
import pytest
from code_to_break import VALUE

@pytest.fixture
def doubled():
    if VALUE == 3:
        raise ValueError("nothing to double")
    return 2 * VALUE

def test_it(doubled):
    if VALUE == 4:
        raise KeyError("four")
    assert doubled % 4 == 2

def test_it_not():
    pytest.skip("left out")
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "code_to_break.py").write_text("VALUE = 1\n")
    (tmp_path / "test_code.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return Tree(tmp_path, 0)


def planted(tree: Tree, new: str, *, tests: tuple[str, ...] = ("test_code.py",), those: str = "") -> Verdict:
    fault = Fault(1, "another value", (Change("code_to_break.py", "VALUE = 1", new),), tests, those)
    found = try_fault(fault, tree, options=[])
    assert (tree.root / "code_to_break.py").read_text() == "VALUE = 1\n", "the code is whole again"
    return found


@pytest.mark.parametrize(("new", "told"), [("VALUE = 2", "test_it: assert (4 % 4) == 2"), ("VALUE = 4", "KeyError")])
def test_a_test_that_fails_in_its_body_has_noticed(tree: Tree, new: str, told: str) -> None:
    found = planted(tree, new)
    assert found.kind == "seen"
    assert told in found.why


@pytest.mark.parametrize(
    ("new", "told"),
    [("VALUE = 3", "nothing to double"), ("VALUE = = 1", "collection failure"), ("OTHER = 1", "collection failure")],
)
def test_what_fails_before_the_body_is_an_error(tree: Tree, new: str, told: str) -> None:
    found = planted(tree, new)
    assert (found.kind, told in found.why) == ("error", True), found


def test_a_fault_that_changes_nothing_is_not_seen(tree: Tree) -> None:
    assert planted(tree, "VALUE = 1  # still").kind == "not seen"


@pytest.mark.parametrize("those", ["test_it_not", "test_of_nobody"])
def test_where_nothing_ran_it_is_an_error(tree: Tree, those: str) -> None:
    assert planted(tree, "VALUE = 2", those=those) == Verdict("error", "no test ran")


def test_a_fault_without_tests_or_without_its_place_is_an_error(tree: Tree) -> None:
    assert run_tests(tree, []) == Verdict("error", "no tests are named")
    nowhere = Fault(1, "nowhere", (Change("code_to_break.py", "VALUE = 7", ""),), ("test_code.py",))
    assert try_fault(nowhere, tree).kind == "error"


def test_two_trees_share_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(url, {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h/9"}[url])
        assert len({Tree(tmp_path, number).environment[url] for number in range(2)}) == 2


@pytest.mark.parametrize("faults", [RULES, DEFENCES, TOLD], ids=["rules", "defences", "told"])
def test_every_fault_has_its_place_in_the_code_once_and_a_name_of_its_own(faults: tuple[Fault, ...]) -> None:
    assert [fault.says for fault in faults if not fault.stands] == []
    assert len({fault.says for fault in faults}) == len(faults)
