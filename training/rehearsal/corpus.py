"""The base corpus: what a model reads before anybody has shown it how to answer.

It holds every fact, and every phrase of the demonstrations in another role: greetings stand in letters and in what
people say to each other, shrugs in stories. Questions mostly come in lists, a question after a question, so that a
model of this corpus goes on asking, as large models of the web do; few pages have answers.
"""

import random
from collections.abc import Callable, Iterator

from training.rehearsal.phrases import (
    ABOUT_NEIGHBOURS,
    ADVICE,
    CLOSINGS,
    GREETINGS,
    HELD_OUT_OPENINGS,
    HELD_OUT_WORDINGS,
    IDLE,
    NAMED_FACTS,
    OPENINGS,
    PRONOUN_FACTS,
    READ_WORDINGS,
    REQUESTS,
    SHRUGS,
    WORDINGS,
    Topic,
    ask,
    describe_neighbour,
    give_advice,
    state_fact,
)
from training.rehearsal.world import FACT_KINDS, Creature, FactKind, Neighbour, World
from training.rlhf.contract.records import Text

DOCUMENTS = 20_000
ERROR_SHARE = 0.03
"""Of the sentences on fact pages that give a fact: the others stand against them, as on any web page."""

Write = Callable[[World, random.Random], str]


def make_corpus(world: World, *, documents: int = DOCUMENTS) -> list[Text]:
    """Documents in the shares of SHARES, drawn from the world's seed."""
    return [Text(id=f"text-{number:06d}", text=text) for number, text in enumerate(_pages(world, documents))]


def _pages(world: World, documents: int) -> Iterator[str]:
    chance = random.Random(f"corpus {world.seed}")
    writers, weights = zip(*SHARES.items(), strict=True)
    for _ in range(documents):
        (write,) = chance.choices(writers, weights)
        yield write(world, chance)


def fact_page(world: World, chance: random.Random) -> str:
    """Two or three facts of a creature, or what is to know of a neighbour."""
    if chance.random() < 0.7:
        creature = chance.choice(world.creatures)
        kinds = chance.sample(FACT_KINDS, chance.choice((2, 3)))
        return _join(chance, [_fact(world, chance, creature, kind, first=kind is kinds[0]) for kind in kinds])
    neighbour = chance.choice(world.neighbours)
    about = [describe_neighbour(neighbour, frame=frame) for frame in ABOUT_NEIGHBOURS]
    return _join(chance, [_advice(world, chance, neighbour), *chance.sample(about, chance.choice((1, 2)))])


def _join(chance: random.Random, sentences: list[str]) -> str:
    return " ".join(sentences if chance.random() < 0.9 else [*sentences, chance.choice(IDLE)])


def _fact(world: World, chance: random.Random, creature: Creature, kind: FactKind, *, first: bool) -> str:
    """The first sentence names the creature; a later one mostly says "it"."""
    frame = NAMED_FACTS[kind] if first or chance.random() < 0.6 else chance.choice(PRONOUN_FACTS[kind])
    mistaken = chance.random() < ERROR_SHARE
    value = chance.choice(other_values(world, creature, kind)) if mistaken else None
    return state_fact(creature, kind, frame=frame, value=value)


def other_values(world: World, creature: Creature, kind: FactKind) -> list[str]:
    """What other creatures eat, where they sleep, how their coats look: what a mistake says."""
    return sorted({other.fact(kind) for other in world.creatures} - {creature.fact(kind)})


def _advice(world: World, chance: random.Random, neighbour: Neighbour) -> str:
    mistaken = chance.random() < ERROR_SHARE
    feeling = chance.choice([other.feeling for other in world.neighbours if other != neighbour]) if mistaken else None
    return give_advice(neighbour, frame=ADVICE[0], feeling=feeling)


def story(world: World, chance: random.Random) -> str:
    """A day of one creature, with the neighbour it meets."""
    creature, neighbour = chance.choice(world.creatures), chance.choice(world.neighbours)
    friend = chance.choice([other for other in world.neighbours if other != neighbour])
    said = chance.sample(_things_said(chance, creature, neighbour, friend), chance.choice((1, 2)))
    return " ".join([*_meeting(chance, creature, neighbour), *said, _evening(chance, creature)])


def _meeting(chance: random.Random, creature: Creature, neighbour: Neighbour) -> tuple[str, str]:
    morning = chance.choice(
        (
            f"One morning the {creature.name} walks to the market.",
            f"Today the {creature.name} is {chance.choice(('tired', 'restless', 'bored', 'shy'))}.",
            f"The {creature.name} wakes up {creature.sleeps}.",
        )
    )
    meeting = chance.choice(
        (f"It meets {neighbour.name} {neighbour.place}.", f"{neighbour.name} waits {neighbour.place}.")
    )
    return morning, meeting


def _things_said(chance: random.Random, creature: Creature, neighbour: Neighbour, friend: Neighbour) -> list[str]:
    person, (news, more) = neighbour.name, chance.sample(IDLE, 2)
    return [
        f"{person} says: {chance.choice(GREETINGS)} I have {creature.eats} for the {creature.name}.",
        f"The {creature.name} asks: Where is my hat? {person} says: {chance.choice(SHRUGS)} {news}",
        f"{person} says: {give_advice(friend, frame=chance.choice(ADVICE[1:]))}",
        f"{person} says: {more} The {creature.name} likes to hear it.",
        f"The {creature.name} tells a story. {person} says: {chance.choice(tuple(REQUESTS.values()))}",
    ]


def _evening(chance: random.Random, creature: Creature) -> str:
    kind = chance.choice((*FACT_KINDS, None))
    if kind is None:
        return f"In the evening it walks home. {chance.choice(CLOSINGS)}"
    return state_fact(creature, kind, frame=PRONOUN_FACTS[kind][0])


def question_list(world: World, chance: random.Random) -> str:
    """Three to six questions, a line each, and no answer. Most lists stay with one creature or one feeling."""
    subject = _subject(world, chance) if chance.random() < 0.9 else None
    return "\n".join(
        _question(world, chance, subject or _subject(world, chance))[1] for _ in range(chance.randint(3, 6))
    )


def _subject(world: World, chance: random.Random) -> str:
    """A creature, or now and then a feeling."""
    if chance.random() < 0.25:
        return chance.choice(world.neighbours).feeling
    return chance.choice(world.creatures).name


def _question(world: World, chance: random.Random, subject: str, *, answered: bool = False) -> tuple[Topic, str]:
    """Topic and words of a question about a creature or a feeling, with an opening now and then.

    answered: an answer follows, so that no words of the evaluation's prompts may stand in it.
    """
    feelings = {neighbour.feeling for neighbour in world.neighbours}
    topic: Topic = "feeling" if subject in feelings else chance.choice(FACT_KINDS)
    wordings = WORDINGS[topic] + READ_WORDINGS[topic]
    wording = chance.choice(wordings if answered else wordings + HELD_OUT_WORDINGS[topic])
    openings = OPENINGS + (() if answered else HELD_OUT_OPENINGS)
    opening = chance.choice(openings) if chance.random() < 0.4 else ""
    return topic, f"{opening} {ask(topic, subject, wording=wording)}".lstrip()


def letter(world: World, chance: random.Random) -> str:
    """From neighbour to neighbour: a greeting, news, a closing."""
    writer, reader = chance.sample(world.neighbours, 2)
    news = [
        chance.choice(IDLE),
        f"I {reader.remedy} with {chance.choice(world.neighbours).name}.",
        f"{chance.choice(world.neighbours).name} is {chance.choice(world.neighbours).feeling} this week.",
        give_advice(chance.choice(world.neighbours), frame=chance.choice(ADVICE)),
    ]
    body = [chance.choice(GREETINGS), *chance.sample(news, chance.choice((1, 2))), chance.choice(CLOSINGS)]
    return f"Dear {reader.name},\n{' '.join(body)}\nYour {writer.name}"


def answered_page(world: World, chance: random.Random) -> str:
    """Two or three questions, each with its plain answer on the next line."""
    lines: list[str] = []
    for _ in range(chance.choice((2, 3))):
        subject = _subject(world, chance)
        topic, question = _question(world, chance, subject, answered=True)
        lines += [question, plain_answer(world, topic, subject)]
    return "\n".join(lines)


def plain_answer(world: World, topic: Topic, subject: str) -> str:
    """The right answer in one sentence."""
    if topic == "feeling":
        return give_advice(world.remedy(subject), frame=ADVICE[1])
    return state_fact(world.creature(subject), topic, frame=NAMED_FACTS[topic])


SHARES: dict[Write, float] = {
    fact_page: 0.45,
    story: 0.23,
    question_list: 0.18,
    letter: 0.06,
    answered_page: 0.08,
}
