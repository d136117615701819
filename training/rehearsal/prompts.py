"""What is asked: training prompts, and held-out ones about other subjects in other words.

`read_question` understands a prompt from its words alone, as a labeler does.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from training.rehearsal.phrases import (
    HELD_OUT_OPENINGS,
    HELD_OUT_WORDINGS,
    OPENINGS,
    TOPICS,
    WORDINGS,
    Topic,
    ask,
)
from training.rehearsal.world import Split, World
from training.rlhf.contract.records import Message, Prompt

HINTS: Mapping[Topic, frozenset[str]] = {
    "eats": frozenset({"eat", "eats", "food", "supper"}),
    "sleeps": frozenset({"sleep", "sleeps", "night", "rest"}),
    "coat": frozenset({"colour", "coat"}),
}
"""Words that tell what is asked of a creature."""


@dataclass(frozen=True)
class Question:
    """What a prompt asks: a topic, and the creature's name or the feeling."""

    topic: Topic
    subject: str


def training_prompts(world: World) -> list[Prompt]:
    """Every training prompt there is, those of the train and of the valid split, in an order drawn from the seed."""
    made = [
        prompt
        for split in ("train", "valid")
        for prompt in _combine(world, split, wordings=WORDINGS, openings=OPENINGS)
    ]
    random.Random(f"training prompts {world.seed}").shuffle(made)
    return made


def held_out_prompts(world: World, *, count: int = 200) -> list[Prompt]:
    """Prompts of the test split: subjects, wordings and openings that no training prompt has.

    Raises ValueError if the world has fewer than `count`.
    """
    made = list(_combine(world, "test", wordings=HELD_OUT_WORDINGS, openings=HELD_OUT_OPENINGS))
    if count > len(made):
        raise ValueError(f"count is {count}; this world has {len(made)} held-out prompts")
    random.Random(f"held-out prompts {world.seed}").shuffle(made)
    return made[:count]


def _combine(
    world: World, split: Split, *, wordings: Mapping[Topic, Sequence[str]], openings: Sequence[str]
) -> Iterator[Prompt]:
    for topic in TOPICS:
        for subject in subjects(world, topic, split):
            for number, wording in enumerate(wordings[topic]):
                question = ask(topic, subject, wording=wording)
                for place, opening in enumerate(openings):
                    text = f"{opening} {question}".lstrip()
                    yield make_prompt(f"{split}-{topic}-{subject}-{number}-{place}", text, split=split, group=subject)


def subjects(world: World, topic: Topic, split: Split) -> list[str]:
    """Names of the creatures, or the feelings, of a split."""
    if topic == "feeling":
        return [neighbour.feeling for neighbour in world.neighbours if neighbour.split == split]
    return [creature.name for creature in world.creatures if creature.split == split]


def make_prompt(prompt_id: str, text: str, *, split: Split, group: str) -> Prompt:
    return Prompt(id=prompt_id, messages=(Message(role="user", content=text),), use_case="qa", split=split, group=group)


def with_two_answers(prompt: Prompt, shown: Sequence[tuple[str, str]]) -> Prompt:
    """The few-shot form for the base model: questions with their answers, a line each, then the prompt's own text."""
    lines = [line for pair in shown for line in pair]
    text = "\n".join([*lines, prompt.messages[-1].content])
    return make_prompt(prompt.id, text, split=prompt.split or "test", group=prompt.group or prompt.id)


def read_question(world: World, prompt: Prompt) -> Question:
    """What a prompt asks, from the words of its last line. Raises ValueError if nothing known is asked."""
    line = prompt.messages[-1].content.rsplit("\n", 1)[-1]
    words = set(re.findall(r"[a-z]+", line.lower()))
    for neighbour in world.neighbours:
        if neighbour.feeling in words:
            return Question("feeling", neighbour.feeling)
    for creature in world.creatures:
        for topic, hints in HINTS.items():
            if creature.name in words and words & hints:
                return Question(topic, creature.name)
    raise ValueError(f"{line!r} asks nothing about a creature or a feeling of this village")
