import random
import re
from collections import Counter

import pytest

from training.rehearsal import corpus
from training.rehearsal.corpus import answered_page, fact_page, make_corpus, question_list
from training.rehearsal.demonstrations import make_demonstrations
from training.rehearsal.phrases import CLOSINGS, GREETINGS, HELD_OUT_OPENINGS, HELD_OUT_WORDINGS, SHRUGS
from training.rehearsal.prompts import Question, held_out_prompts, training_prompts
from training.rehearsal.reading import read_response, split_sentences
from training.rehearsal.world import FACT_KINDS, make_world

WORLD = make_world(7)
TEXTS = [text.text for text in make_corpus(WORLD, documents=6_000)]


def words_of(texts: list[str]) -> set[str]:
    return set(re.findall(r"[a-z]+", " ".join(texts).lower()))


def test_it_writes_the_same_for_the_same_seed():
    assert make_corpus(WORLD, documents=50) == make_corpus(make_world(7), documents=50)
    assert make_corpus(WORLD, documents=50) != make_corpus(make_world(8), documents=50)


def test_a_small_corpus_is_the_beginning_of_a_large_one():
    assert [text.text for text in make_corpus(WORLD, documents=50)] == TEXTS[:50]


def test_it_has_two_hundred_and_some_words():
    assert 200 <= len(words_of(TEXTS)) <= 250


def test_it_knows_every_word_that_a_prompt_or_a_demonstration_has():
    prompts = training_prompts(WORLD)
    asked = [prompt.messages[0].content for prompt in [*prompts, *held_out_prompts(WORLD)]]
    answered = [demonstration.response.text for demonstration in make_demonstrations(WORLD, prompts)]
    assert words_of([*asked, *answered]) <= words_of(TEXTS)


def test_its_kinds_of_page_have_their_shares(monkeypatch: pytest.MonkeyPatch):
    named = {(lambda world, chance, name=write.__name__: name): share for write, share in corpus.SHARES.items()}
    monkeypatch.setattr(corpus, "SHARES", named)
    counts = Counter(text.text for text in make_corpus(WORLD, documents=20_000))
    expected = {"fact_page": 0.45, "story": 0.23, "question_list": 0.18, "letter": 0.06, "answered_page": 0.08}
    assert {name: count / 20_000 for name, count in counts.items()} == pytest.approx(expected, abs=0.012)


def test_three_in_a_hundred_facts_of_fact_pages_are_wrong():
    chance = random.Random("pages")
    said: Counter[bool] = Counter()
    for _ in range(8_000):
        sentences = split_sentences(fact_page(WORLD, chance))
        creature = next((c for c in WORLD.creatures if c.name in sentences[0].split()), None)
        for sentence in sentences if creature else []:
            readings = [read_response(WORLD, Question(kind, creature.name), sentence) for kind in FACT_KINDS]
            if not readings[0].idle:
                said[any(reading.right for reading in readings)] += 1
    assert said[False] / said.total() == pytest.approx(0.03, abs=0.005)


def test_it_gives_every_fact_many_times():
    for creature in WORLD.creatures:
        assert sum(f"The {creature.name} eats {creature.eats}." in text for text in TEXTS) > 20


def test_a_list_of_questions_answers_none():
    chance = random.Random("lists")
    for _ in range(200):
        assert all(line.endswith("?") for line in question_list(WORLD, chance).splitlines())


def test_no_words_of_the_evaluation_stand_before_an_answer():
    """What is held out would not be if the base, or SFT by the base's text, had read it answered."""
    chance = random.Random("held out")
    held_out = [re.escape(words) for topic in HELD_OUT_WORDINGS.values() for words in topic]
    forms = [re.sub(r"\\{\w+\\}", r"\\w+", words) for words in held_out]
    read = re.compile("|".join((*forms, *(re.escape(words) for words in HELD_OUT_OPENINGS if words))))
    assert [page for page in (answered_page(WORLD, chance) for _ in range(2000)) if read.search(page)] == []
    assert read.search(" ".join(question_list(WORLD, chance) for _ in range(200)))


def sentence_forms(texts: list[str]) -> set[str]:
    """Sentences with names, facts and feelings left open."""
    names = (
        [c.name for c in WORLD.creatures] + [n.name for n in WORLD.neighbours] + [n.feeling for n in WORLD.neighbours]
    )
    values = [c.fact(kind) for c in WORLD.creatures for kind in FACT_KINDS]
    about = [word for n in WORLD.neighbours for word in (n.place, n.trade, n.remedy, n.remedy.capitalize())]
    known = sorted({*names, *values, *about}, key=len, reverse=True)
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, known)) + r")\b")
    found = (sentence for text in texts for sentence in split_sentences(text))
    return {pattern.sub("…", sentence.split(": ")[-1]) for sentence in found}


def test_every_phrase_of_the_demonstrations_occurs_in_it():
    demonstrations = make_demonstrations(WORLD, training_prompts(WORLD))
    wanted = sentence_forms([demonstration.response.text for demonstration in demonstrations])
    assert len(wanted) >= 20
    assert wanted <= sentence_forms(TEXTS)


def test_but_in_another_role_no_page_of_answers_greets_or_shrugs():
    chance = random.Random("answers")
    pages = " ".join(answered_page(WORLD, chance) for _ in range(500))
    assert not [phrase for phrase in (*GREETINGS, *CLOSINGS, *SHRUGS) if phrase in pages]
