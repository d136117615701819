"""make trial PART=broken_told: a round that tells cohorts apart is broken in a copy of the tree, one way at a time, and
its tests must fail."""

import pytest

from tests.planted_faults import missed
from tests.training.told_faults import FAULTS


def test_no_fault_of_a_told_round_goes_unnoticed(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        assert missed(FAULTS) == []
