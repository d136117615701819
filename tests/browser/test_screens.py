"""axe finds nothing on any screen of the site, nothing scrolls sideways, and no page logs an error: wide and light,
then, in the same window, narrow and dark with a finger."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import faults_in_both_looks
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
    found: dict[str, list[str]] = {}
    for screen in SCREENS:
        with camera.before(screen, width=1440, theme="light") as page:
            wrong = faults_in_both_looks(page)
        if wrong := [*wrong, *camera.errors]:
            found[screen.name] = wrong
    assert found == {}
