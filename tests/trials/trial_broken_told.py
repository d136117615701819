"""make trial PART=broken_told: a round that tells cohorts apart is broken in a copy of the tree, one way at a time, and
its tests must fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.planted_faults import Fault, copied_tree, notices
from tests.training.told_faults import FAULTS

pytestmark = pytest.mark.trial


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with copied_tree() as found:
        yield found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.number} {fault.says}")
def test_the_tests_notice(fault: Fault, tree: Path) -> None:
    said = notices(fault, tree, "--reuse-db")
    print(f"\n{fault.number}: {fault.says}: {said[:150] or 'NOT NOTICED'}", flush=True)
    assert said
