"""make trial PART=broken_rules: every rule of correctness is broken in a copy of the tree, one way at a time, and the
tests that carry its number must fail. The faults are those of tests/rules/faults.py.

Seen: 99 of 99, no error, in 77 minutes one after another on two cores that had eight times as much to do as they could;
the first 83 took 853 seconds of a core.
"""

from dataclasses import replace

import pytest

from tests.planted_faults import Fault, missed
from tests.rules.faults import FAULTS
from tests.rules.marks import holders


def with_tests_of_its_rule(fault: Fault) -> Fault:
    """Of the file that the table names only those; a fault without any is an error."""
    nodes = [one.node for one in holders()[fault.number] if one.path in fault.tests and not one.trial]
    return replace(fault, tests=tuple(nodes))


def test_no_rule_is_broken_unnoticed(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        assert missed([with_tests_of_its_rule(fault) for fault in FAULTS]) == []
