"""Ten times as many orders of what labelers do, four times as long: make trial PART=invariants

On PostgreSQL, and on SQLite with ACCORD_TEST_DATABASE=sqlite. The rules are those of tests/labeling/test_invariants.py.
"""

import pytest
from hypothesis.extra.django import TestCase

from tests.labeling.test_invariants import check

pytestmark = [pytest.mark.sqlite]


class TestLabelingForLong(TestCase):
    def test_the_rules_hold_after_every_step_of_long_days(self) -> None:
        check(examples=120, steps=80)
