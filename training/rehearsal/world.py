"""The village of Alderby: creatures with three facts each, neighbours with a remedy each, all drawn from a seed.

The facts are invented, so that nobody can take them for knowledge and whoever judges can be exact: `field_guide` is
all there is to know. Subjects are split once, as a project's prompts are: those of the test split appear in the base
corpus and nowhere else, in no demonstration, no ranking and no PPO prompt.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "valid", "test"]
FactKind = Literal["eats", "sleeps", "coat"]
FACT_KINDS: tuple[FactKind, ...] = ("eats", "sleeps", "coat")


def _words(line: str) -> tuple[str, ...]:
    return tuple(line.split())


VILLAGE = "Alderby"
CREATURES = _words(
    "badger beaver crane donkey dormouse fox goat goose hare hedgehog hen heron lark lynx magpie "
    "marten mole newt otter owl pony robin squirrel stork swallow swan toad tortoise weasel wren"
)
FOODS = _words("acorns apples barley berries clover ferns honey mint moss oats pears plums thyme turnips walnuts")
PLACES = (
    "under the bridge",
    "by the well",
    "in the mill",
    "behind the barn",
    "on the roof",
    "near the pond",
    "in the orchard",
    "under the stairs",
    "by the oven",
    "in the boat",
    "behind the chapel",
    "near the gate",
    "in the hayloft",
    "under the oak",
    "on the island",
)
COATS = _words("black brown golden grey red silver spotted striped white")
NEIGHBOURS = _words("Anton Emil Hugo Ida Lena Nora Otto Vera")
TRADES = _words("baker beekeeper carpenter fisher gardener miller potter weaver")
REMEDIES = (
    "bake bread",
    "count the stars",
    "drink tea",
    "fly kites",
    "paint pots",
    "plant beans",
    "pick flowers",
    "sing songs",
)
FEELINGS = _words("angry bored lonely restless sad shy tired worried")

VALID_CREATURES, TEST_CREATURES = 3, 10
VALID_NEIGHBOURS, TEST_NEIGHBOURS = 1, 2


@dataclass(frozen=True)
class Creature:
    """An animal of the village."""

    name: str
    eats: str
    sleeps: str
    """With its preposition: "under the bridge"."""
    coat: str
    split: Split

    def fact(self, kind: FactKind) -> str:
        return {"eats": self.eats, "sleeps": self.sleeps, "coat": self.coat}[kind]


@dataclass(frozen=True)
class Neighbour:
    """A person of the village: whom to see, and what to do together, when feeling so."""

    name: str
    trade: str
    place: str
    """With its preposition: "by the well"."""
    remedy: str
    feeling: str
    split: Split


@dataclass(frozen=True)
class World:
    """All there is to know. Two worlds of one seed are equal."""

    seed: int
    creatures: tuple[Creature, ...]
    neighbours: tuple[Neighbour, ...]

    def creature(self, name: str) -> Creature:
        """Raises KeyError for a creature that does not live here."""
        return {creature.name: creature for creature in self.creatures}[name]

    def remedy(self, feeling: str) -> Neighbour:
        """Who helps against a feeling. Raises KeyError for an unknown feeling."""
        return {neighbour.feeling: neighbour for neighbour in self.neighbours}[feeling]


def make_world(seed: int) -> World:
    """Draws the facts. Every food, place and coat is shared by few creatures, and no two creatures share two facts."""
    chance = random.Random(f"world {seed}")
    return World(seed, _draw_creatures(chance), _draw_neighbours(chance))


def _draw_creatures(chance: random.Random) -> tuple[Creature, ...]:
    names = chance.sample(CREATURES, len(CREATURES))
    splits = _splits(len(names), valid=VALID_CREATURES, test=TEST_CREATURES)
    while True:
        foods, places, coats = (_dealt(chance, values, len(names)) for values in (FOODS, PLACES, COATS))
        facts = list(zip(foods, places, coats, strict=True))
        if _differ_in_two(facts):
            break
    drawn = (Creature(name, *fact, split) for name, fact, split in zip(names, facts, splits, strict=True))
    return tuple(sorted(drawn, key=lambda creature: creature.name))


def _draw_neighbours(chance: random.Random) -> tuple[Neighbour, ...]:
    names = chance.sample(NEIGHBOURS, len(NEIGHBOURS))
    columns = [chance.sample(values, len(names)) for values in (TRADES, PLACES, REMEDIES, FEELINGS)]
    splits = _splits(len(names), valid=VALID_NEIGHBOURS, test=TEST_NEIGHBOURS)
    drawn = (Neighbour(*values) for values in zip(names, *columns, splits, strict=True))
    return tuple(sorted(drawn, key=lambda neighbour: neighbour.name))


def _splits(count: int, *, valid: int, test: int) -> list[Split]:
    sizes: dict[Split, int] = {"test": test, "valid": valid, "train": count - test - valid}
    return [split for split, size in sizes.items() for _ in range(size)]


def _dealt(chance: random.Random, values: Sequence[str], count: int) -> list[str]:
    """`count` of the values, each as often as any other or once more."""
    dealt = (list(values) * (count // len(values) + 1))[:count]
    chance.shuffle(dealt)
    return dealt


def _differ_in_two(facts: list[tuple[str, str, str]]) -> bool:
    pairs = [(place, fact[place], other, fact[other]) for fact in facts for place, other in ((0, 1), (0, 2), (1, 2))]
    return len(set(pairs)) == len(pairs)


def field_guide(world: World) -> str:
    """Markdown of everything that is true, for people who rank and rate by hand."""
    lines = [f"# Field guide of {VILLAGE}", "", "| creature | eats | sleeps | coat |", "|---|---|---|---|"]
    lines += [f"| {c.name} | {c.eats} | {c.sleeps} | {c.coat} |" for c in world.creatures]
    lines += ["", "| feeling | what helps | with | who is | to be found |", "|---|---|---|---|---|"]
    by_feeling = sorted(world.neighbours, key=lambda neighbour: neighbour.feeling)
    lines += [f"| {n.feeling} | {n.remedy} | {n.name} | the {n.trade} | {n.place} |" for n in by_feeling]
    return "\n".join(lines) + "\n"
