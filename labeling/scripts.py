"""Modules put into one: a page asks for one script instead of two dozen, which it waited for twice as long.

There is no build: the first page that needs a script reads its files, and the process keeps the result (start it anew
after a change). Each module
becomes a function that is called once, after those that it imports, and answers what it exports; none of them knows of
it. What this understands is what our modules are written in, and anything else is refused: imports of one line from
"./name.js", exported functions and constants, no rings.
"""

import re
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders

from labeling.assets import Asset

SCRIPTS = frozenset(
    {"pair-choice", "rank-board", "rate-response", "review-text", "write-demonstration", "write-prompt"}
)
"""Modules that are a page's own; what they import is in them."""
IMPORT = re.compile(r'^import (\{[^{}]*\}|\* as \w+) from "\./([\w-]+)\.js";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const) (\w+))", re.MULTILINE)
ODD = re.compile(r"^\s*(?:import|export)\b.*|\bimport\(.*|\bimport\.meta\b.*", re.MULTILINE)
COMMENT = re.compile(r"^[ \t]*//.*\n|^[ \t]*/\*\*(?:(?!\*/)(?s:.))*\*/\n", re.MULTILINE)


class NotUnderstood(ValueError):
    """A module holds an import or export of a form that is not put together."""


@cache
def script(name: str) -> Asset:
    """Raises KeyError for a name that is none, FileNotFoundError where an imported file is missing, NotUnderstood."""
    if name not in SCRIPTS:
        raise KeyError(name)
    parts: dict[str, str] = {}
    _put_together(name, parts, within=())
    return Asset.of("script", name, "".join(parts.values()))


def _put_together(name: str, parts: dict[str, str], *, within: tuple[str, ...]) -> None:
    if name in within:
        raise NotUnderstood(f"{' imports '.join((*within, name))}: modules that import each other in a ring.")
    if name in parts:
        return
    source = COMMENT.sub("", source_of(name))
    for names, other in IMPORT.findall(source):
        _put_together(other, parts, within=(*within, name))
        _refuse_what_is_not_exported(name, names, other)
    parts[name] = _as_function(name, source)


def _refuse_what_is_not_exported(name: str, names: str, other: str) -> None:
    """As a browser does when it links modules; here it would be undefined, and noticed by whoever calls it."""
    exported = set(EXPORT.findall(source_of(other)))
    for wanted in re.findall(r"(\w+)(?: as \w+)?", names) if names.startswith("{") else ():
        if wanted not in exported:
            raise NotUnderstood(f"static/js/{name}.js imports {wanted} from ./{other}.js, which does not export it.")


def source_of(name: str) -> str:
    path = finders.find(f"js/{name}.js")
    if path is None:
        raise FileNotFoundError(f"There is no script static/js/{name}.js; a page or another script needs it.")
    return Path(path).read_text()


def _as_function(name: str, source: str) -> str:
    exported = EXPORT.findall(source)
    body = EXPORT.sub("", IMPORT.sub(_taken, source))
    if odd := ODD.search(body):
        raise NotUnderstood(f"static/js/{name}.js has {odd[0].strip()!r}, which is not put together; see scripts.py.")
    answer = f"return {{ {', '.join(exported)} }};\n" if exported else ""
    return f"const {_variable(name)} = (() => {{\n{body}{answer}}})();\n"


def _taken(match: re.Match[str]) -> str:
    """{ a, b as c } becomes { a, b: c }; * as all becomes all."""
    names = match[1].removeprefix("* as ").replace(" as ", ": ")
    return f"const {names} = {_variable(match[2])};"


def _variable(name: str) -> str:
    return "module_" + name.replace("-", "_")
