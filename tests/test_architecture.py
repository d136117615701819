"""Who may import whom, read from every file: the part that import contracts cannot say.

The seam is training/rlhf/contract: the only part of the learning that the rest may see.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.sqlite

ROOT = Path(__file__).resolve().parent.parent
LEARNING = "training.rlhf"
SEAM = f"{LEARNING}.contract"
HEAVY = ("torch", "transformers", "tokenizers", "safetensors", "peft", "vllm")
WEB = ("django", "celery", "rest_framework", "knox", "redis", "labeling", "config")


def files_of(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in (ROOT / room).rglob("*.py")]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    """Every module that the file names in an import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; write the whole name"
            yield f"{node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_part_of(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def breaches(path: Path) -> list[str]:
    module = module_of(path)
    inside = is_part_of(module, LEARNING)
    found = []
    for name in imports_of(path):
        if inside:
            foreign = is_part_of(name, "training") and not is_part_of(name, LEARNING) and name != "training"
            if foreign or any(is_part_of(name, web) for web in WEB):
                found.append(f"{module} imports {name}")
            if is_part_of(module, SEAM) and name.split(".")[0] not in {*sys.stdlib_module_names, "training"}:
                found.append(f"{module} imports {name}")
        elif any(is_part_of(name, heavy) for heavy in HEAVY) or (
            is_part_of(name, LEARNING) and name != LEARNING and not is_part_of(name, SEAM)
        ):
            found.append(f"{module} imports {name}")
    return found


def test_every_import_keeps_to_the_rooms() -> None:
    assert [breach for path in files_of("config", "labeling", "training") for breach in breaches(path)] == []


def test_a_started_web_process_has_not_loaded_the_learning() -> None:
    """Loads what granian loads, resolves every address and serves a page."""
    script = (
        "import sys\n"
        "from config.wsgi import application\n"
        "from django.urls import get_resolver\n"
        "get_resolver().url_patterns\n"
        "from django.test import Client\n"
        "assert Client(headers={'host': 'localhost'}).get('/health/live').status_code == 200\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.stdout.strip().splitlines()[-1:] == ["[]"], answer.stderr
