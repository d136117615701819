import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from training.rehearsal import material
from training.rehearsal import study as study_module
from training.rehearsal.accuracy import Accuracy
from training.rehearsal.claims import claim, together
from training.rehearsal.corpus import plain_answer
from training.rehearsal.evaluating import evaluate
from training.rehearsal.intervals import Estimate
from training.rehearsal.page import write_page
from training.rehearsal.prompts import read_question
from training.rehearsal.recipe import SHORT
from training.rehearsal.results import Study
from training.rehearsal.world import make_world
from training.rlhf.contract.records import Response

SYSTEMS = (
    *(f"{model}, T = {t}" for model in ("base", "sft", "policy") for t in ("1", "0.5", "0")),
    "sft, best of 2",
    "sft, best of 4",
    "policy at 6, T = 1",
    "policy at 12, T = 1",
)


def study_of(seed: int) -> Study:
    """The base asks back, SFT shrugs, everybody else knows."""
    world = make_world(seed)
    prompts = material.prompts_to_evaluate(world, SHORT)
    evaluated = {}
    for system in SYSTEMS:
        responses = []
        for prompt in prompts:
            question = read_question(world, prompt)
            texts = {"base": "What? What?", "sft,": "I do not know."}
            text = texts.get(system[:4], plain_answer(world, question.topic, question.subject))
            scores = {} if system.startswith("base") else {"reward": len(system) / 10 + int(prompt.id[-1]) / 10}
            responses.append(
                Response(
                    id=prompt.id,
                    prompt=prompt.id,
                    text=text,
                    token_ids=(1,),
                    finish="stop",
                    generator="x",
                    scores=scores,
                )
            )
        evaluated[system] = evaluate(world, prompts, responses, system=system, seed=seed)
    accuracy = Accuracy("pooled", "terse", Estimate(0.7, 0.01), Estimate(0.8, 0.01), Estimate(0.9, 0.01))
    course = [{"step": step, "kl_sequence": step / 20} for step in range(1, 13)]
    cost = {step: (2.0, 1.0) for step in ("base", "sft", "sampled", "reward", "policy", "answers-1")}
    return Study(seed, evaluated, [accuracy], cost, {"policy": course})


def written(tmp_path: Path, studies: list[Study]) -> str:
    write_page(tmp_path / "rehearsal.md", studies, SHORT, command="python -m training.rehearsal.study --seeds 2")
    return (tmp_path / "rehearsal.md").read_text()


def test_it_says_of_each_claim_whether_it_holds(tmp_path: Path):
    page = written(tmp_path, [study_of(1), study_of(2)])
    rows = {line.split("|")[1].strip(): line.split("|")[-2].strip() for line in page.splitlines() if " > " in line}
    assert rows["sft, T = 1 > base, T = 1"] == "yes"
    assert rows["policy, T = 0 > sft, T = 0"] == "yes"


def test_a_claim_that_fails_is_printed_as_failing(tmp_path: Path):
    one, two = study_of(1), study_of(2)
    for study in (one, two):
        study.evaluated["policy, T = 0"], study.evaluated["sft, T = 0"] = (
            study.evaluated["sft, T = 0"],
            study.evaluated["policy, T = 0"],
        )
    page = written(tmp_path, [one, two])
    (row,) = (line for line in page.splitlines() if line.startswith("| policy, T = 0 > sft, T = 0"))
    assert row.endswith("| **no** |")


def test_it_names_its_command_and_says_that_its_labelers_are_simulated(tmp_path: Path):
    page = written(tmp_path, [study_of(1)])
    assert "python -m training.rehearsal.study --seeds 2" in page
    assert "simulated" in page


@pytest.mark.rule(29)
def test_its_plot_is_a_picture_with_every_checkpoint_and_every_n(tmp_path: Path):
    page = written(tmp_path, [study_of(1)])
    assert "(rehearsal.svg)" in page
    tree = ElementTree.parse(tmp_path / "rehearsal.svg")
    texts = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    for label in ("6", "12", "n = 2", "n = 4", "SFT", "SFT, T = 0.5", "SFT, T = 0"):
        assert texts.count(label) >= 2  # once a panel


def test_a_study_is_the_same_after_it_was_kept(tmp_path: Path):
    study = study_of(1)
    study.write(tmp_path / "study.json")
    assert Study.read(tmp_path / "study.json") == study


@pytest.mark.rule(29)
def test_best_of_n_stands_at_its_upper_bound_of_kl_and_every_claim_at_equal_length_too(tmp_path: Path):
    study = study_of(1)
    page = written(tmp_path, [study])
    for n in (2, 4):
        assert f"| {n} | {math.log(n) - (n - 1) / n:.2f} |" in page
    found = claim(together({1: study.evaluated}), "policy, T = 1", "sft, T = 1")
    (line,) = [line for line in page.splitlines() if line.startswith("| policy, T = 1 > sft, T = 1 |")]
    plain, equal = (f"{one.mean:+.2f} ± {one.mean - one.low:.2f}" for one in (found.gain, found.equal_length))
    assert equal != plain
    assert line.split(" | ")[-3] == equal


@pytest.mark.rule(29)
def test_what_is_claimed_rests_on_three_villages():
    assert study_module._parser().parse_args([]).seeds == 3
    page = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text()
    assert "\n3 villages, each with a base model" in page
