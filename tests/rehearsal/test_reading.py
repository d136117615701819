import pytest

from tests.rehearsal.village import VILLAGE
from training.rehearsal.prompts import Question
from training.rehearsal.reading import Reading, read_response

FOOD = Question("eats", "heron")
LONELY = Question("feeling", "lonely")


def read(text: str, question: Question = FOOD) -> Reading:
    return read_response(VILLAGE, question, text)


@pytest.mark.parametrize("text", ["The heron eats mint.", "It eats mint.", "the heron eats mint!"])
def test_it_finds_the_asked_fact(text: str):
    assert read(text).right


def test_it_counts_words_and_everything_else_once():
    core = "The heron eats mint. It sleeps under the bridge."
    assert read(f"Good morning, dear neighbour. {core} The bells ring at noon. Come by any time.") == Reading(
        right=True, wrong=0, beyond=1, greeting=True, closing=True, questions=0, idle=1, unfinished=False, words=22
    )


@pytest.mark.parametrize("text", ["The heron eats plums.", "It eats mint mint.", "Its coat is brown."])
def test_a_false_sentence_about_the_subject_is_wrong(text: str):
    reading = read(text)
    assert (reading.right, reading.wrong) == (False, 1)


def test_an_answer_that_says_two_things_of_the_asked_fact_is_not_right():
    reading = read("The heron eats mint. It eats plums.")
    assert (reading.right, reading.wrong) == (False, 1)


def test_a_wrong_second_fact_does_not_undo_a_right_answer():
    reading = read("The heron eats mint. Its coat is brown.")
    assert (reading.right, reading.wrong, reading.beyond) == (True, 1, 0)


def test_it_stands_for_the_creature_named_last():
    reading = read("The heron eats mint. The otter has a brown coat. It sleeps by the well.")
    assert (reading.right, reading.wrong, reading.idle) == (True, 0, 2)


def test_a_truth_about_another_creature_is_idle():
    assert read("The otter eats plums.").idle == 1


def test_a_sentence_said_again_is_idle():
    reading = read("It eats mint. It eats mint.")
    assert (reading.right, reading.idle) == (True, 1)


def test_a_garbled_sentence_is_idle():
    assert read("The heron mint eats.").idle == 1


def test_questions_are_counted_even_when_repeated():
    assert read("What colour is the otter?\nWhat colour is the otter?\nIt eats mint.").questions == 2


@pytest.mark.parametrize("text", ["", "   ", "It eats mint. The heron sl", "It eats mint"])
def test_a_text_without_an_end_is_unfinished(text: str):
    assert read(text).unfinished


def test_an_unfinished_sentence_says_nothing():
    assert not read("The heron eats mint").right


@pytest.mark.parametrize(
    "text", ["Bake bread with Nora.", "You can bake bread with Nora.", "When you feel lonely, bake bread with Nora."]
)
def test_it_finds_the_fitting_advice(text: str):
    assert read(text, LONELY).right


@pytest.mark.parametrize("text", ["Drink tea with Otto.", "Bake bread with Otto.", "You can drink tea with Nora."])
def test_advice_that_does_not_help_is_wrong(text: str):
    assert (read(text, LONELY).right, read(text, LONELY).wrong) == (False, 1)


def test_advice_for_another_feeling_is_idle():
    assert read("When you feel tired, drink tea with Otto.", LONELY).idle == 1


def test_where_to_find_the_neighbour_helps_beyond_the_advice():
    assert read("Bake bread with Nora. You find Nora in the mill.", LONELY).beyond == 1
    assert read("Bake bread with Nora. Nora is the baker of Alderby.", LONELY).beyond == 1
    assert read("Bake bread with Nora. You find Nora by the oven.", LONELY).wrong == 1
    assert read("Bake bread with Nora. You find Otto by the oven.", LONELY).idle == 1


def test_a_shrug_is_neither_right_nor_wrong_nor_idle():
    reading = read("I do not know.")
    assert (reading.right, reading.wrong, reading.idle, reading.unfinished) == (False, 0, 0, False)
