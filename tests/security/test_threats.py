"""Every threat is tried, every mark is of a threat, and the page says what there is."""

import pytest

from tests.security.defences import DEFENCES
from tests.security.threats import PAGE, ROOT, THREATS, as_page, marked

pytestmark = pytest.mark.sqlite


def test_every_threat_is_tried_and_every_mark_is_of_one() -> None:
    assert set(marked()) == set(THREATS) == set(range(1, 18))


def test_the_files_where_a_defence_is_said_to_be_are_there() -> None:
    assert [name for threat in THREATS.values() for name in threat.where if not (ROOT / name).is_file()] == []


def test_the_page_is_what_the_marks_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_page(), "run: python -m tests.security"


def test_a_defence_against_every_threat_is_taken_away_in_the_trial() -> None:
    assert {fault.number for fault in DEFENCES} == set(THREATS)
