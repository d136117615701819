import pytest

from tests.rehearsal.village import VILLAGE
from training.rehearsal.phrases import OPENINGS
from training.rehearsal.prompts import (
    Question,
    held_out_prompts,
    make_prompt,
    read_question,
    training_prompts,
    with_two_answers,
)
from training.rehearsal.world import make_world

WORLD = make_world(7)


def asked(text: str) -> Question:
    return read_question(VILLAGE, make_prompt("p", text, split="train", group="heron"))


def test_it_asks_the_same_for_the_same_seed():
    assert training_prompts(WORLD) == training_prompts(make_world(7))
    assert held_out_prompts(WORLD) == held_out_prompts(make_world(7))


def test_it_has_enough_distinct_prompts_to_demonstrate_and_to_rank():
    texts = [prompt.messages[0].content for prompt in training_prompts(WORLD)]
    assert len(set(texts)) == len(texts) >= 2_000


def test_held_out_prompts_share_no_subject_and_no_question_with_training_prompts():
    training, held_out = training_prompts(WORLD), held_out_prompts(WORLD)
    assert len({prompt.messages[0].content for prompt in held_out}) == 200
    assert not {prompt.group for prompt in training} & {prompt.group for prompt in held_out}

    def wording(text: str, subject: str) -> str:
        return text.replace(subject, "…")

    known = {wording(prompt.messages[0].content, prompt.group or "") for prompt in training}
    assert not known & {wording(prompt.messages[0].content, prompt.group or "") for prompt in held_out}


def test_a_subject_is_never_divided_between_splits():
    splits: dict[str, set[str]] = {}
    for prompt in [*training_prompts(WORLD), *held_out_prompts(WORLD)]:
        splits.setdefault(prompt.group or "", set()).add(prompt.split or "")
    assert all(len(found) == 1 for found in splits.values())


def test_it_refuses_more_held_out_prompts_than_there_are():
    with pytest.raises(ValueError, match="count is 5000; this world has"):
        held_out_prompts(WORLD, count=5000)


def test_every_prompt_is_understood_from_its_words_alone():
    for prompt in [*training_prompts(WORLD), *held_out_prompts(WORLD)]:
        question = read_question(WORLD, prompt)
        assert prompt.id.split("-")[1:3] == [question.topic, question.subject]


@pytest.mark.parametrize("opening", OPENINGS)
def test_an_opening_does_not_change_what_is_asked(opening: str):
    assert asked(f"{opening} Where does the otter sleep?") == Question("sleeps", "otter")


def test_the_last_line_is_what_a_few_shot_prompt_asks():
    prompt = make_prompt("p", "What colour is the otter?", split="test", group="otter")
    shown = [
        ("What does the heron eat?", "The heron eats mint."),
        ("I am lonely. What helps?", "Bake bread with Nora."),
    ]
    told = with_two_answers(prompt, shown)
    assert told.messages[0].content.count("\n") == 4
    assert read_question(VILLAGE, told) == Question("coat", "otter")


def test_it_refuses_to_guess_what_is_asked():
    with pytest.raises(ValueError, match="asks nothing about a creature or a feeling"):
        asked("How is the weather?")
