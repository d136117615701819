"""The rehearsal in its shortened form: fixed steps, one thread. make trial PART=rehearsal, about two minutes.

It asserts what the loop is for, on prompts that no stage has seen, and nothing about absolute values.
"""

from pathlib import Path

import pytest

from training.rehearsal.claims import claim
from training.rehearsal.recipe import SHORT
from training.rehearsal.rehearsing import Rehearsal
from training.rehearsal.systems import evaluate_some, name_of

BASE, SFT, POLICY = name_of("base", 1.0), name_of("sft", 1.0), name_of("policy", 1.0)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    return Rehearsal(tmp_path_factory.mktemp("rehearsal"), SHORT, seed=1)


def test_demonstrations_make_an_assistant_and_preferences_a_better_one(
    rehearsal: Rehearsal, capsys: pytest.CaptureFixture
):
    evaluated = evaluate_some(rehearsal)
    taught, preferred = claim(evaluated, SFT, BASE), claim(evaluated, POLICY, SFT)
    with capsys.disabled():
        print(f"\nSFT - base {taught.gain}, policy - SFT {preferred.gain}")
        for step, done in rehearsal.done.items():
            print(f"{step}: {done.cpu_seconds:.0f} s of CPU, {done.wall_seconds:.0f} s")
    assert taught.gain.mean > 1.0
    assert preferred.gain.surely_above > 0.0


def test_every_step_left_a_run_folder_that_can_be_read_without_a_database(rehearsal: Rehearsal):
    for step in ("base", "sft", "sampled", "reward", "policy"):
        folder: Path = rehearsal.root / step
        assert {"config.json", "status.json", "metrics.jsonl", "report.json"} <= {
            file.name for file in folder.iterdir()
        }
