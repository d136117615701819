"""A browser before the filled site: opens a screen as somebody, and takes its picture."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from labeling.backends import SessionStore
from labeling.models import Session, User
from tests.screens.clock import NOW
from tests.screens.filled import Filled
from tests.screens.listed import Screen
from tests.screens.palette import as_palette_png

HEIGHTS = {1440: 1000, 390: 844}
THEMES = ("light", "dark")
PIXELS = """async (png) => {
  const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + png)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, image.width, image.height).data;
  let text = '';
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return [image.width, image.height, btoa(text)];
}"""


def cookie_of(user: User, base: str) -> dict[str, str]:
    """Signed in, without the form."""
    Session.objects.filter(user=user).delete()
    session = SessionStore()
    session["began_at"], session["browser"] = NOW.isoformat(), "Firefox on Linux"
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time(), "username": user.username, "reauthenticated": True}
    ]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return {"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key), "url": base}


@dataclass
class Camera:
    """errors: what the browser logged on the screen that was opened last, but for its own status."""

    browser: Browser
    base: str
    site: Filled
    errors: list[str] = field(default_factory=list)

    @contextmanager
    def before(self, screen: Screen, *, width: int, theme: str) -> Iterator[Page]:
        """The screen in a window of its own, as whoever it is for."""
        self.site.put_back()
        context = self.browser.new_context(
            viewport={"width": width, "height": HEIGHTS[width]}, color_scheme=theme, reduced_motion="reduce",  # type: ignore[arg-type]
            timezone_id="UTC", locale="en-GB", has_touch=width < 700,
        )  # fmt: skip
        context.clock.set_fixed_time(NOW)
        if screen.who:
            context.add_cookies([cookie_of(self.site.user(screen.who), self.base)])  # type: ignore[list-item]
        page = context.new_page()
        self.errors.clear()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        try:
            answer = page.goto(self.base + screen.address(self.site), wait_until="load", timeout=90_000)
            self._settle(screen, page, answer)
            yield page
        finally:
            if page.locator("[data-save]").count():
                expect(page.locator("[data-save]")).not_to_have_attribute("data-state", "saving")
            context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.errors.append(message.text)

    def _settle(self, screen: Screen, page: Page, answer: Response | None) -> None:
        assert answer is not None
        assert answer.status == screen.status, f"{screen.name} answers {answer.status}"
        page.evaluate("document.fonts.ready")
        if screen.then:
            screen.then(page)
        page.wait_for_timeout(150)

    def picture(self, page: Page, darkroom: Page) -> bytes:
        """darkroom: an empty page, in which the picture is developed."""
        shot = base64.b64encode(page.screenshot(animations="disabled", caret="hide")).decode()
        width, height, pixels = darkroom.evaluate(PIXELS, shot)
        return as_palette_png(base64.b64decode(pixels), width, height)
