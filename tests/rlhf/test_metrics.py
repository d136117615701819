"""Every metric that may be logged is described, and clocks are told from numbers that repeat to the bit."""

import re
from pathlib import Path

from training.rlhf.contract.metrics import UNITS, deterministic, is_clock_key

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
RLHF = ROOT / "training" / "rlhf"


def described() -> dict[str, list[str]]:
    """Key -> cells of its row in the tables of docs/metrics.md."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {key: [cell.strip() for cell in cells.split("|")] for key, cells in rows}


def test_the_page_describes_every_metric_and_no_other() -> None:
    assert set(described()) == set(UNITS)


EVERY = {"pretrain": ["pretrain"], "sft": ["sft"], "reward": ["reward", "learners", "held_out"],
         "ppo": ["ppo", "improving", "trust", "mixing"]}  # fmt: skip
"""Stage -> the modules that name what it logs."""
SECTIONS = {
    "Every stage": ["pretrain", "sft", "reward", "ppo"],
    "Pretrain, SFT and reward": ["pretrain", "sft", "reward"],
    "Pretrain and SFT": ["pretrain", "sft"],
    "Reward": ["reward"],
    "PPO": ["ppo"],
}
"""Heading of the page -> the stages that log each of its keys, and no other logs any."""
ALSO = {"score_spread": "ppo", "score_mean": "sft"}
"""The rows of these keys say that one more stage logs them."""


def logged_by(stage: str) -> set[str]:
    """The keys that the stage's modules name. "seconds" is written with every line."""
    sources = [(RLHF / f"{module}.py").read_text(encoding="utf-8") for module in EVERY[stage]]
    return {"seconds"} | {key for key in UNITS if any(f'"{key}":' in source for source in sources)}


def test_each_stage_logs_the_keys_of_its_sections_and_no_others() -> None:
    sections = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    keys = {heading: set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)) for heading, rows in sections}
    assert set(keys) == set(SECTIONS)
    for stage in EVERY:
        told = {key for heading, stages in SECTIONS.items() if stage in stages for key in keys[heading]}
        assert logged_by(stage) == told | {key for key, other in ALSO.items() if other == stage}, stage


def test_each_has_a_formula_a_unit_and_what_is_healthy() -> None:
    for key, cells in described().items():
        assert len(cells) == 3, key
        assert all(cells), key


def test_clocks_are_told_from_what_repeats_to_the_bit() -> None:
    clocks = {key for key in UNITS if is_clock_key(key)}
    assert clocks == {"seconds", "tokens_per_second", "generate_seconds", "score_seconds", "update_seconds"}
    line = {"step": 3, "attempt": 2, "seconds": 1.5, "loss": 0.5, "tokens_per_second": 100.0, "split": "valid"}
    assert deterministic(line) == {"step": 3, "loss": 0.5, "split": "valid"}
