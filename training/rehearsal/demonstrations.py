"""What demonstrators of two cohorts wrote, with the faults that people have: wrong facts, shrugs, padding, wrong tone.

The best kind of answer, the fact and a helpful second one, is rare among them, so that no temperature makes the
supervised model give it mostly: what PPO adds has to be a shift, not a sharpening.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from training.rehearsal.corpus import other_values
from training.rehearsal.phrases import (
    ABOUT_NEIGHBOURS,
    ADVICE,
    CLOSINGS,
    COHORTS,
    GREETINGS,
    IDLE,
    NAMED_FACTS,
    PRONOUN_FACTS,
    SHRUGS,
    Cohort,
    describe_neighbour,
    give_advice,
    state_fact,
)
from training.rehearsal.prompts import Question, read_question
from training.rehearsal.world import FACT_KINDS, World
from training.rlhf.contract.records import Answer, Demonstration, Prompt

Core = Literal["right", "wrong", "shrug"]
DEMONSTRATORS_PER_COHORT = 4

SHRUG_SHARE = 0.10
WRONG_SHARE = 0.06
"""The rest, 84 %, is right."""
SECOND_FACT_SHARE = 0.12
IDLE_SHARE = 0.18
GREETING_SHARE = {"terse": 0.06, "warm": 0.6}
CLOSING_SHARE = {"terse": 0.04, "warm": 0.55}
PRONOUN_SHARE = {"terse": 0.6, "warm": 0.15}
"""How often an answer says "it" rather than the creature's name."""


@dataclass(frozen=True)
class Manner:
    """What a demonstration is to hold, before it has words."""

    core: Core
    second_fact: bool
    idle: bool
    cohort: Cohort


def make_demonstrations(world: World, prompts: Sequence[Prompt]) -> list[Demonstration]:
    """One demonstration a prompt, cohorts in turn; the shares above hold exactly, but for rounding."""
    chance = random.Random(f"demonstrations {world.seed}")
    manners = _manners(chance, len(prompts))
    return [_demonstrate(world, chance, prompt, manner) for prompt, manner in zip(prompts, manners, strict=True)]


def _manners(chance: random.Random, count: int) -> list[Manner]:
    shrugs, wrongs = round(SHRUG_SHARE * count), round(WRONG_SHARE * count)
    sizes: dict[Core, int] = {"shrug": shrugs, "wrong": wrongs, "right": count - shrugs - wrongs}
    cores = [core for core, size in sizes.items() for _ in range(size)]
    seconds = [False] * count
    for place in chance.sample(range(shrugs + wrongs, count), round(SECOND_FACT_SHARE * count)):
        seconds[place] = True  # only behind a right answer
    idles = [place < round(IDLE_SHARE * count) for place in range(count)]
    chance.shuffle(idles)
    drawn = list(zip(cores, seconds, idles, strict=True))
    chance.shuffle(drawn)
    return [
        Manner(core, second, idle, COHORTS[number % len(COHORTS)]) for number, (core, second, idle) in enumerate(drawn)
    ]


def _demonstrate(world: World, chance: random.Random, prompt: Prompt, manner: Manner) -> Demonstration:
    demonstrator = chance.randint(1, DEMONSTRATORS_PER_COHORT)
    text = write(world, chance, read_question(world, prompt), manner)
    return Demonstration(
        id=f"demonstration-{prompt.id}",
        messages=prompt.messages,
        use_case=prompt.use_case,
        split=prompt.split,
        group=prompt.group,
        condition=manner.cohort,
        response=Answer(id=f"response-{prompt.id}", text=text),
        labeler=f"simulated-demonstrator-{manner.cohort}-{demonstrator}",
    )


def write(world: World, chance: random.Random, question: Question, manner: Manner) -> str:
    """An answer with what the manner holds, in words drawn at random."""
    sentences = [chance.choice(SHRUGS)] if manner.core == "shrug" else [_core(world, chance, question, manner)]
    if manner.second_fact:
        sentences.append(_second_fact(world, chance, question))
    if manner.idle:
        sentences.append(chance.choice(IDLE))
    if chance.random() < GREETING_SHARE[manner.cohort]:
        sentences.insert(0, chance.choice(GREETINGS))
    if chance.random() < CLOSING_SHARE[manner.cohort]:
        sentences.append(chance.choice(CLOSINGS))
    return " ".join(sentences)


def _core(world: World, chance: random.Random, question: Question, manner: Manner) -> str:
    if question.topic == "feeling":
        helper = world.remedy(question.subject)
        if manner.core == "wrong":
            helper = chance.choice([other for other in world.neighbours if other != helper])
        return give_advice(helper, frame=chance.choice(ADVICE), feeling=question.subject)
    creature, kind = world.creature(question.subject), question.topic
    frame = PRONOUN_FACTS[kind][0] if chance.random() < PRONOUN_SHARE[manner.cohort] else NAMED_FACTS[kind]
    value = chance.choice(other_values(world, creature, kind)) if manner.core == "wrong" else None
    return state_fact(creature, kind, frame=frame, value=value)


def _second_fact(world: World, chance: random.Random, question: Question) -> str:
    """What helps beyond what was asked: another fact of the creature, or who the neighbour is and where to be found."""
    if question.topic == "feeling":
        return describe_neighbour(world.remedy(question.subject), frame=chance.choice(ABOUT_NEIGHBOURS))
    kind = chance.choice([other for other in FACT_KINDS if other != question.topic])
    return state_fact(world.creature(question.subject), kind, frame=chance.choice(PRONOUN_FACTS[kind]))
