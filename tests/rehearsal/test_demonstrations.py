from collections import Counter

import pytest

from training.rehearsal.demonstrations import make_demonstrations
from training.rehearsal.phrases import IDLE, SHRUGS
from training.rehearsal.prompts import read_question, training_prompts
from training.rehearsal.reading import read_response
from training.rehearsal.world import make_world

WORLD = make_world(7)
DEMONSTRATIONS = make_demonstrations(WORLD, training_prompts(WORLD)[:800])
READ = [read_response(WORLD, read_question(WORLD, d), d.response.text) for d in DEMONSTRATIONS]


def share(found: list[bool]) -> float:
    return sum(found) / len(found)


def has_any(phrases: tuple[str, ...]) -> list[bool]:
    return [any(phrase in d.response.text for phrase in phrases) for d in DEMONSTRATIONS]


def test_it_writes_the_same_for_the_same_seed():
    assert make_demonstrations(make_world(7), training_prompts(WORLD)[:800]) == DEMONSTRATIONS


def test_the_faults_and_the_rare_second_fact_have_exactly_their_shares():
    assert share([reading.right for reading in READ]) == 0.84
    assert share(has_any(SHRUGS)) == 0.10
    assert share([reading.wrong > 0 for reading in READ]) == 0.06
    assert share([reading.beyond > 0 for reading in READ]) == 0.12
    assert share(has_any(IDLE)) == 0.18


def test_a_second_fact_stands_only_behind_a_right_answer():
    assert all(reading.right for reading in READ if reading.beyond)


def test_cohorts_take_turns_and_differ_in_courtesy():
    assert Counter(d.condition for d in DEMONSTRATIONS) == {"terse": 400, "warm": 400}
    greeted = {
        cohort: share([r.greeting for d, r in zip(DEMONSTRATIONS, READ, strict=True) if d.condition == cohort])
        for cohort in ("terse", "warm")
    }
    assert greeted == pytest.approx({"terse": 0.06, "warm": 0.6}, abs=0.06)


def test_every_demonstration_ends_and_says_that_nobody_wrote_it():
    assert not any(reading.unfinished or reading.questions for reading in READ)
    assert all((d.labeler or "").startswith("simulated-") for d in DEMONSTRATIONS)


def test_none_is_about_a_subject_of_the_evaluation():
    kept = {c.name for c in WORLD.creatures if c.split == "test"} | {
        n.feeling for n in WORLD.neighbours if n.split == "test"
    }
    assert not kept & {d.group for d in DEMONSTRATIONS}
