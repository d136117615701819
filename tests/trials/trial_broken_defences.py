"""make trial PART=broken_defences: each defence is taken away in a copy of the tree, and its tests must fail."""

import pytest

from tests.planted_faults import missed
from tests.security.defences import DEFENCES


def test_no_defence_is_taken_away_unnoticed(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        assert missed(DEFENCES) == []
