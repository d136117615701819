"""Takes the pictures and writes the page that lists them. Loaded once Django is set up."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS
from tests.screens.camera import HEIGHTS, THEMES, Camera
from tests.screens.clock import standing_still
from tests.screens.filled import fill
from tests.screens.listed import SCREENS, Screen


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def served() -> Iterator[str]:
    """The site's address, on a free port."""
    server = Server(("127.0.0.1", 0), Silent)
    server.set_app(get_wsgi_application())
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def take(asked: Namespace, chromium: str | None) -> int:
    settings.ROOT_URLCONF = "tests.screens.addresses"
    wanted = [one for one in SCREENS if one.name in asked.names or (not asked.names and (one.pictured or asked.all))]
    unknown = set(asked.names) - {one.name for one in SCREENS}
    if unknown:
        print(f"There is no screen {min(unknown)!r}; there are: {', '.join(one.name for one in SCREENS)}.")
        return 2
    call_command("migrate", verbosity=0, interactive=False)
    asked.to.mkdir(parents=True, exist_ok=True)
    with standing_still(), served() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        camera, darkroom = Camera(browser, base, fill()), browser.new_page()
        for screen in wanted:
            for width in asked.width or HEIGHTS:
                for theme in asked.theme or THEMES:
                    with camera.before(screen, width=width, theme=theme) as page:
                        picture = camera.picture(page, darkroom)
                    (asked.to / f"{screen.name}-{width}-{theme}.png").write_bytes(picture)
            print(screen.name, flush=True)
        browser.close()
    if not asked.names:
        (asked.to / "README.md").write_text(listed(wanted))
    size = sum(path.stat().st_size for path in asked.to.glob("*.png"))
    print(f"{len(list(asked.to.glob('*.png')))} pictures, {size / 2**20:.1f} MB, in {asked.to}")
    return 0


def listed(screens: list[Screen]) -> str:
    lines = "\n".join(
        f"| [{one.name}]({one.name}-1440-light.png) | {one.says} | "
        + " ".join(f"[{width} {theme}]({one.name}-{width}-{theme}.png)" for width in HEIGHTS for theme in THEMES)
        + " |"
        for one in screens
    )
    return HEAD + lines + "\n"


HEAD = """\
# The screens

The screens that people work on, wide (1440 pixels) and narrow (390), light and dark, as `make screens` takes them;
`make screens ARGS="--all --to FOLDER"` takes the forms, confirmations and mail links between them as well. The library,
its people, texts, models and figures are made up for the pictures: nothing was measured to draw them.

| screen | what is seen | pictures |
|---|---|---|
"""
