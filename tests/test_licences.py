"""Everything that is installed with Accord says under which licence it is, and each goes with Apache-2.0."""

import pytest

from tests.licences import LOCK, PAGE, Package, as_page, packages

pytestmark = pytest.mark.sqlite


def test_no_licence_is_unknown_or_goes_badly_with_ours() -> None:
    found = packages()
    assert len(found) == sum("==" in line for line in LOCK.read_text().splitlines())
    assert {one.name: one.licence or "none said" for one in found if not one.is_fine} == {}


def test_the_page_lists_what_the_lock_file_installs() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_page(), "run: python -m tests.licences"


@pytest.mark.parametrize("licence", ["", "GPL-3.0-only", "AGPL-3.0-only AND MIT", "SSPL-1.0", "LicenseRef-Proprietary"])
def test_a_licence_that_asks_for_more_is_noticed(licence: str) -> None:
    assert not Package("x", "1", licence).is_fine
