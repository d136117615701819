"""Stylesheets put into one: a sheet is a file of @import lines, and a page links what comes of it.

There is no build: the first page that links a sheet reads its files, and the process keeps the result.
"""

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath

from django.contrib.staticfiles import finders
from django.templatetags.static import static

from labeling.assets import Asset

SHEETS = frozenset({"accord", "work"})
"""Names of the files below static/css/ that are put together."""
IMPORT = re.compile(r'@import url\("([^"]+)"\);\n?')
COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
ADDRESS = re.compile(r'url\("(?!data:)([^"]+)"\)')


@cache
def sheet(name: str) -> Asset:
    """Raises KeyError for a name that is none, FileNotFoundError where an imported file is missing."""
    if name not in SHEETS:
        raise KeyError(name)
    return Asset.of("sheet", name, _put_together(f"css/{name}.css"))


def _put_together(path: str) -> str:
    """The file with what it imports in its place, without comments; addresses are those that the site serves."""
    found = finders.find(path)
    if found is None:
        raise FileNotFoundError(f"There is no stylesheet {path}; a sheet imports it.")
    css = COMMENT.sub("", Path(found).read_text())
    css = IMPORT.sub(lambda match: _put_together(_beside(path, match[1])), css)
    return ADDRESS.sub(lambda match: f'url("{_served(path, match[1])}")', css)


def _beside(path: str, address: str) -> str:
    return normpath(join(dirname(path), address))


def _served(path: str, address: str) -> str:
    return address if address.startswith("/") else static(_beside(path, address))
