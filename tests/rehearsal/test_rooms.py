import subprocess
import sys
from pathlib import Path

import training.rehearsal

LOADED = """
import importlib, pkgutil, sys, training.rehearsal as room
for module in pkgutil.iter_modules(room.__path__):
    importlib.import_module(f"training.rehearsal.{module.name}")
print(*sorted({name.split(".")[0] for name in sys.modules} & {"torch", "transformers", "django", "celery"}))
print(*sorted(name for name in sys.modules if name.startswith("training.rlhf.") and "contract" not in name))
statistics = ("labeling.agreement", "labeling.evaluating")
print(*sorted(name for name in sys.modules if name.startswith("labeling.") and not name.startswith(statistics)))
"""


def test_it_needs_no_database_and_no_torch_only_the_contract_of_the_learning_and_the_statistics_of_labeling():
    told = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


def test_neither_the_learning_nor_anything_that_trains_can_read_a_taste():
    learning = Path(training.rehearsal.__path__[0]).parent / "rlhf"
    assert not [file.name for file in learning.rglob("*.py") if "rehearsal" in file.read_text()]
