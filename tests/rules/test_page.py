"""No rule is without a test and a fault, and the page says so."""

from tests.rules.faults import FAULTS
from tests.rules.marks import holders
from tests.rules.page import PAGE, page
from tests.rules.statements import STATEMENTS


def test_every_rule_has_a_statement_a_test_and_a_fault() -> None:
    numbers = set(range(1, 31))
    assert set(STATEMENTS) == numbers
    assert set(holders()) == numbers
    assert {fault.number for fault in FAULTS} == numbers


def test_the_page_is_what_the_marks_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.rules --write"


def test_every_planted_fault_has_tests_of_its_rule_in_the_file_that_it_names() -> None:
    held = {(rule, holder.path) for rule, holding in holders().items() for holder in holding if not holder.trial}
    assert [fault.says for fault in FAULTS for file in fault.tests if (fault.number, file) not in held] == []
