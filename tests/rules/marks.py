"""Reads from the sources of the tests which rules they hold, without importing them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, order=True)
class Holder:
    """A test function. path: from the root of the repository. name: with its class, as pytest writes it."""

    path: str
    name: str
    line: int
    trial: bool

    @property
    def node(self) -> str:
        return f"{self.path}::{self.name}"


def holders() -> dict[int, list[Holder]]:
    """Rule -> the tests that carry its number, in the order of files and lines."""
    found: dict[int, list[Holder]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for rule, holder in _in_file(path):
            found.setdefault(rule, []).append(holder)
    return found


def _in_file(path: Path) -> Iterator[tuple[int, Holder]]:
    text = path.read_text(encoding="utf-8")
    if ".rule(" not in text:
        return
    tree = ast.parse(text)
    of_module = [
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for mark in (node.value.elts if isinstance(node.value, ast.List) else [node.value])
    ]
    yield from _in_body(tree.body, path.relative_to(ROOT).as_posix(), of_module, prefix="")


def _in_body(body: list[ast.stmt], path: str, above: list[ast.expr], *, prefix: str) -> Iterator[tuple[int, Holder]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _in_body(node.body, path, [*above, *node.decorator_list], prefix=f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = [*above, *node.decorator_list]
            trial = any(ast.unparse(mark) == "pytest.mark.trial" for mark in marks)
            for rule in sorted({number for mark in marks for number in _numbers(mark)}):
                yield rule, Holder(path, prefix + node.name, node.lineno, trial)


def _numbers(mark: ast.expr) -> list[int]:
    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
        return [ast.literal_eval(argument) for argument in mark.args]
    return []
