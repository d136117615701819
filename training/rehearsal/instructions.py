"""What people are told who judge or write in the rehearsal: the whole field guide, and how to judge by it."""

from collections.abc import Mapping

from training.rehearsal.world import VILLAGE, World, field_guide

ABOUT = f"""\
Watch people’s tastes turn into a model. The village of {VILLAGE} is invented, and so are the people who rank and rate \
here: everything simulated is marked as such. A round takes minutes on two cores, and you may rank and rate yourself.
"""

JUDGING = """\
A good response, most important first:

1. **says what was asked**, as it stands in the field guide below, and nothing else in its place;
2. **says nothing false**: every false sentence costs, a confident one no less;
3. **stops when it is done**: questions of its own, sentences that help nobody and a sentence cut short all cost;
4. **adds one true thing that helps**: another fact of the same creature, or who the neighbour is and where to be found.

“I do not know” is better than a wrong answer and worse than a right one.

Tastes differ, and both are wanted. Half of the simulated labelers like it *terse*: few words, no greeting. The other \
half like it *warm*: a greeting, a closing. Judge by your own.
"""

TASKS: Mapping[str, str] = {
    "prompt": f"""\
Ask something about {VILLAGE}: what a creature eats, where it sleeps, which coat it has, or what helps against a \
feeling. One question, in your own words, with the creature or the feeling named as in the field guide.
""",
    "demonstration": f"""\
Answer as a good neighbour in {VILLAGE} would: the fact that was asked for, as it stands in the field guide, in a \
sentence or two. Add one more true thing where it helps.

"""
    + JUDGING,
    "ranking": "Put the responses in order, the best first. What is about equally good shares a rank.\n\n" + JUDGING,
    "rating": """\
One response to one prompt, judged by itself.

- **Overall**: 1 says nothing of what was asked and goes on, 3 does not know, 5 is right and no more, 7 is right, adds \
something that helps, and is written as you like it.
- **Helpful**: 2 where what was asked is not said, 5 where it is, 7 with one more true thing; one less a false sentence.
- **Appropriate**: 7, but two less for each question of its own and for a sentence cut short, one less for idle talk.
- **On topic**: 7, but two less for each question of its own and each sentence of idle talk.

"""
    + JUDGING,
}
"""By kind of work."""


def instructions(world: World, kind: str) -> str:
    """Markdown for one kind of work. Raises KeyError for an unknown one."""
    return f"{TASKS[kind]}\n{field_guide(world)}"
