"""Which modules a page's script needs: all of them are asked for at once, before the browser has read the first.

There is no bundle: a module is fetched once and kept. Without the list the browser would learn of each only from the
one that imports it, a way to the server and back for every step.
"""

import re
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders

IMPORTED = re.compile(r'^import .*? from "\./([\w-]+)\.js";$', re.MULTILINE)


@cache
def modules_of(name: str) -> tuple[str, ...]:
    """The module and everything it imports, each once, as paths below static/. Raises FileNotFoundError."""
    found: dict[str, None] = {}
    _follow(name, found)
    return tuple(f"js/{one}.js" for one in found)


def _follow(name: str, found: dict[str, None]) -> None:
    if name in found:
        return
    path = finders.find(f"js/{name}.js")
    if path is None:
        raise FileNotFoundError(f"There is no script static/js/{name}.js; a page or another script needs it.")
    found[name] = None
    for other in IMPORTED.findall(Path(path).read_text()):
        _follow(other, found)
