"""axe and the width of every screen in both looks: wide and light, then narrow and dark with a finger.

make trial PART=screens (about three minutes). The tests look at each screen in one of the two.
"""

from tests.browser.axe import LOOKS
from tests.browser.conftest import chromium  # noqa: F401
from tests.browser.test_screens import camera, found_on_screens, pytestmark  # noqa: F401
from tests.screens.camera import Camera
from tests.screens.listed import SCREENS


def test_axe_finds_nothing_on_any_screen_in_both_looks(camera: Camera) -> None:  # noqa: F811
    assert found_on_screens(camera, [list(LOOKS)] * len(SCREENS)) == {}
