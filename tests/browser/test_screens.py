"""axe finds nothing on any screen of the site, nothing scrolls sideways, and no page logs an error: every other screen
wide and light, the others narrow and dark with a finger. Each in both looks: make trial PART=screens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import LOOKS, faults
from tests.screens.camera import Camera
from tests.screens.clock import standing_still
from tests.screens.filled import fill
from tests.screens.listed import SCREENS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def camera(chromium: Browser, live_server: Any, settings: Any, tmp_path: Path) -> Iterator[Camera]:
    settings.ROOT_URLCONF = "tests.screens.addresses"
    settings.RUNS_DIR, settings.SNAPSHOTS_DIR = tmp_path / "runs", tmp_path / "snapshots"
    with standing_still():
        yield Camera(chromium, live_server.url, fill())


def test_axe_finds_nothing_on_any_screen(camera: Camera) -> None:
    in_turn = list(LOOKS)
    assert found_on_screens(camera, [[in_turn[place % 2]] for place in range(len(SCREENS))]) == {}


def found_on_screens(camera: Camera, looks: list[list[str]]) -> dict[str, list[str]]:
    """By name of the screen. looks: of each screen, as in LOOKS."""
    found: dict[str, list[str]] = {}
    for screen, looked in zip(SCREENS, looks, strict=True):
        size, theme = LOOKS[looked[0]]
        with camera.before(screen, width=size["width"], theme=theme) as page:
            wrong = faults(page, *looked)
        if wrong := [*wrong, *camera.errors]:
            found[screen.name] = wrong
    return found
