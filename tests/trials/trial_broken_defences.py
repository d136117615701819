"""make trial PART=broken_defences: each defence is taken away in a copy of the tree, and its tests must fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.planted_faults import Fault, copied_tree, notices
from tests.security.defences import DEFENCES

pytestmark = pytest.mark.trial


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with copied_tree() as found:
        yield found


@pytest.mark.parametrize("fault", DEFENCES, ids=lambda fault: f"{fault.number} {fault.says}")
def test_the_tests_notice(fault: Fault, tree: Path) -> None:
    said = notices(fault, tree, "--reuse-db")
    print(f"\n{fault.number}: {fault.says}: {said[:150] or 'NOT NOTICED'}", flush=True)
    assert said
