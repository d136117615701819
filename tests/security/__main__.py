"""python -m tests.security: writes docs/security.md."""

from tests.security.threats import PAGE, as_page

PAGE.write_text(as_page(), encoding="utf-8")
