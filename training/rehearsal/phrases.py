"""Every sentence that the village knows, once: the corpus and the demonstrations fill these, the labelers read them.

A frame is a sentence with places to fill, written `{creature}`, `{value}`, `{neighbour}`, `{remedy}`, `{Remedy}` (at
the start of a sentence), `{feeling}`, `{trade}`, `{place}`.
"""

from collections.abc import Mapping
from typing import Literal

from training.rehearsal.world import VILLAGE, Creature, FactKind, Neighbour

Topic = Literal["eats", "sleeps", "coat", "feeling"]
"""What a prompt asks: one of the three facts of a creature, or what helps against a feeling."""
TOPICS: tuple[Topic, ...] = ("eats", "sleeps", "coat", "feeling")

Cohort = Literal["terse", "warm"]
"""Who writes and judges: people who like it short, and people who like it friendly."""
COHORTS: tuple[Cohort, ...] = ("terse", "warm")

NAMED_FACTS: Mapping[FactKind, str] = {
    "eats": "The {creature} eats {value}.",
    "sleeps": "The {creature} sleeps {value}.",
    "coat": "The {creature} has a {value} coat.",
}
PRONOUN_FACTS: Mapping[FactKind, tuple[str, ...]] = {
    "eats": ("It eats {value}.",),
    "sleeps": ("It sleeps {value}.", "You find it {value} at night."),
    "coat": ("Its coat is {value}.",),
}
ADVICE = (
    "When you feel {feeling}, {remedy} with {neighbour}.",
    "You can {remedy} with {neighbour}.",
    "{Remedy} with {neighbour}.",
)
ABOUT_NEIGHBOURS = (
    "You find {neighbour} {place}.",
    f"{{neighbour}} is the {{trade}} of {VILLAGE}.",
)

GREETINGS = ("Good morning, dear neighbour.", "Hello, my friend.", "How nice that you ask.")
CLOSINGS = ("Come by any time.", "Have a lovely day.", f"Greetings from {VILLAGE}.")
SHRUGS = ("I do not know.", "I am not sure.")
IDLE = (
    "The weather is mild today.",
    "The bread smells good.",
    "Tomorrow is market day.",
    "The river is high this week.",
    "My cousin has a new hat.",
    "The bells ring at noon.",
)

REQUESTS: Mapping[Cohort, str] = {"terse": "Keep it short.", "warm": "Keep it friendly."}
"""The message by which a model is told for which cohort it writes."""

WORDINGS: Mapping[Topic, tuple[str, ...]] = {
    "eats": (
        "What does the {creature} eat?",
        "What is the food of the {creature}?",
        "Can you tell me what the {creature} eats?",
        "Do you know what the {creature} eats?",
    ),
    "sleeps": (
        "Where does the {creature} sleep?",
        "Where is the {creature} at night?",
        "Can you tell me where the {creature} sleeps?",
        "Do you know where the {creature} sleeps?",
    ),
    "coat": (
        "What colour is the {creature}?",
        "What coat does the {creature} have?",
        "Can you tell me the colour of the {creature}?",
        "Do you know the coat of the {creature}?",
    ),
    "feeling": (
        "I feel {feeling} today. What can I do?",
        "What helps when I am {feeling}?",
        "Can you tell me what to do when I feel {feeling}?",
        "Do you know what helps when I feel {feeling}?",
    ),
}
"""Of training prompts."""

HELD_OUT_WORDINGS: Mapping[Topic, tuple[str, ...]] = {
    "eats": ("Which food does the {creature} like?", "What can I bring the {creature} for supper?"),
    "sleeps": ("In which place does the {creature} rest?", "Where can I look for the {creature} at night?"),
    "coat": ("Which colour does the {creature} have?", "What does the coat of the {creature} look like?"),
    "feeling": ("I am so {feeling} this week. What helps?", "Who can help me when I feel {feeling}?"),
}
"""Without demonstrations, rankings or rollouts: the base corpus holds them among its lists of questions, no more."""

READ_WORDINGS: Mapping[Topic, tuple[str, ...]] = {
    "eats": (
        "Which food is good for the {creature}?",
        "What food do I bring the {creature}?",
        "What does the {creature} like for supper?",
        "What can the {creature} have for supper?",
        "Does the {creature} like a food?",
        "I look for food for the {creature}. What can I bring?",
        "What do I cook for the {creature} this week?",
        "Do you know what the {creature} likes to eat?",
    ),
    "sleeps": (
        "Where does the {creature} rest?",
        "In which place do I find the {creature} at night?",
        "Where can I look for the {creature} when it sleeps?",
        "Which place does the {creature} like at night?",
        "Where do I find the {creature} in the evening?",
        "In which place does the {creature} sleep?",
        "I look for the {creature}. Where does it rest?",
        "Do you know the place where the {creature} rests?",
    ),
    "coat": (
        "Which colour is the coat of the {creature}?",
        "What does the {creature} look like?",
        "Which coat does the {creature} have?",
        "What colour does the coat of the {creature} have?",
        "How does the coat of the {creature} look?",
        "Of which colour is the {creature}?",
        "I look for the {creature}. What does its coat look like?",
        "Do you know which colour the {creature} has?",
    ),
    "feeling": (
        "I am {feeling}. What helps?",
        "I feel so {feeling} this week. What can I do?",
        "Who helps when I am {feeling}?",
        "Who can help when somebody is {feeling}?",
        "My brother is so {feeling} today. What helps?",
        "I feel {feeling}. Can somebody help me?",
        "What do you do when you feel {feeling} this week?",
        "Do you know who can help when I am {feeling}?",
    ),
}
"""Of answered pages in the base corpus, with no demonstration, ranking or rollout: so that the words of held-out
wordings are known from other sentences. With four wordings to learn from, a small base learns the four."""

OPENINGS = (
    "",
    f"I am new in {VILLAGE}.",
    "My brother asks me.",
    "My daughter wants to know.",
    "We talked about it at the market.",
    "I write a letter to my aunt.",
    "Please help me.",
    "I have a question.",
    "I walk to the school.",
    "It rains today.",
    "Good evening.",
)
"""What may stand before the question of a training prompt; mostly it changes nothing."""

HELD_OUT_OPENINGS = ("", "The children ask me.", "I come from the city.", "I read a book about animals.")


def state_fact(creature: Creature, kind: FactKind, *, frame: str, value: str | None = None) -> str:
    """A sentence about a creature; `value` in place of the truth where an error is wanted."""
    return frame.format(creature=creature.name, value=creature.fact(kind) if value is None else value)


def give_advice(neighbour: Neighbour, *, frame: str, feeling: str | None = None) -> str:
    """A sentence that recommends a neighbour; `feeling` in place of the one they help against for an error."""
    return frame.format(
        feeling=feeling or neighbour.feeling,
        remedy=neighbour.remedy,
        Remedy=neighbour.remedy.capitalize(),
        neighbour=neighbour.name,
    )


def describe_neighbour(neighbour: Neighbour, *, frame: str) -> str:
    return frame.format(neighbour=neighbour.name, place=neighbour.place, trade=neighbour.trade)


def ask(topic: Topic, subject: str, *, wording: str) -> str:
    """The question about a creature or a feeling."""
    return wording.format(**{"feeling" if topic == "feeling" else "creature": subject})
