"""python -m tests.screens: pictures of every screen, wide and narrow, light and dark, into docs/screens.

A site of its own on a free port, in a folder that goes when it ends. `python -m tests.screens round rank` takes those
two only; --to FOLDER puts them elsewhere.
"""

import os
import shutil
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "docs" / "screens"
CHROMIUM = os.environ.get("ACCORD_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.screens", description="Pictures of every screen.")
    parser.add_argument("names", nargs="*", help="of the screens; those that docs/screens shows where none is given")
    parser.add_argument("--all", action="store_true", help="forms, confirmations and mail links too")
    parser.add_argument("--to", type=Path, default=FOLDER)
    parser.add_argument("--width", type=int, action="append", help="1440, 390; both where none is given")
    parser.add_argument("--theme", action="append", help="light, dark; both where none is given")
    return parser.parse_args()


def main(asked: Namespace, state: str) -> int:
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings", "ACCORD_MODE": "local", "ACCORD_STATE_DIR": state,
        "ACCORD_SECRET_KEY": "of a site that is gone when its pictures are taken", "ACCORD_LOG_LEVEL": "CRITICAL",
        "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
    }  # fmt: skip
    import django

    django.setup()
    from tests.screens.taking import take

    return take(asked, CHROMIUM)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="accord-screens-") as folder:
        sys.exit(main(arguments(), folder))
