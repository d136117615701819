"""Every metric that may be logged is described, and clocks are told from numbers that repeat to the bit."""

import re
from pathlib import Path

from training.rlhf.contract.metrics import UNITS, deterministic, is_clock_key

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def described() -> dict[str, list[str]]:
    """Key -> cells of its row in the tables of docs/metrics.md."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {key: [cell.strip() for cell in cells.split("|")] for key, cells in rows}


def test_the_page_describes_every_metric_and_no_other() -> None:
    assert set(described()) == set(UNITS)


def test_each_has_a_formula_a_unit_and_what_is_healthy() -> None:
    for key, cells in described().items():
        assert len(cells) == 3, key
        assert all(cells), key


def test_clocks_are_told_from_what_repeats_to_the_bit() -> None:
    clocks = {key for key in UNITS if is_clock_key(key)}
    assert clocks == {"seconds", "tokens_per_second", "generate_seconds", "score_seconds", "update_seconds"}
    line = {"step": 3, "attempt": 2, "seconds": 1.5, "loss": 0.5, "tokens_per_second": 100.0, "split": "valid"}
    assert deterministic(line) == {"step": 3, "loss": 0.5, "split": "valid"}
