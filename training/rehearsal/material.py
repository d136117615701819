"""What each stage of a rehearsal reads, from the world and a recipe's amounts; and responses on their way to labelers.

Records in, records out: a round in the database and a run by hand use the same functions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from training.rehearsal.corpus import plain_answer
from training.rehearsal.demonstrations import make_demonstrations
from training.rehearsal.phrases import COHORTS, WORDINGS, ask
from training.rehearsal.prompts import held_out_prompts, subjects, training_prompts, with_two_answers
from training.rehearsal.recipe import Recipe
from training.rehearsal.world import World
from training.rlhf.contract.records import Answer, Demonstration, Prompt, Response

MIXED_DOCUMENTS = 4_000
"""Of the base corpus, mixed into SFT: without them it forgets how to speak of creatures that it has no words about."""
VALIDATION_PROMPTS = 64
"""Of PPO: answered before and after."""


def demonstrations(world: World, recipe: Recipe) -> list[Demonstration]:
    return make_demonstrations(world, training_prompts(world)[: recipe.demonstrations])


def prompts_to_rank(world: World, recipe: Recipe, *, round_number: int = 1) -> list[Prompt]:
    """Prompts whose responses are ranked in a round: none was demonstrated, none was ranked in an earlier round.

    Raises ValueError if the village has no more to ask.
    """
    every = training_prompts(world)
    first = recipe.demonstrations + (round_number - 1) * recipe.ranked_prompts
    if first + recipe.ranked_prompts > len(every):
        raise ValueError(f"round {round_number} needs {recipe.ranked_prompts} prompts; {len(every) - first} are left")
    return every[first : first + recipe.ranked_prompts]


def prompts_to_roll_out(world: World, *, told: bool = False) -> tuple[list[Prompt], list[Prompt]]:
    """PPO's prompts and the few that measure it. told: cohorts in turn, as a condition of the prompt."""
    every = training_prompts(world)
    if told:
        every = [replace(prompt, condition=COHORTS[number % len(COHORTS)]) for number, prompt in enumerate(every)]
    valid = [prompt for prompt in every if prompt.split == "valid"]
    return [prompt for prompt in every if prompt.split == "train"], valid[:VALIDATION_PROMPTS]


def prompts_to_evaluate(world: World, recipe: Recipe, *, few_shot: bool = False) -> list[Prompt]:
    """Held-out prompts, for the base model also in its few-shot form."""
    asked = held_out_prompts(world, count=recipe.held_out_prompts)
    return [with_two_answers(prompt, shown_answers(world)) for prompt in asked] if few_shot else asked


def shown_answers(world: World) -> list[tuple[str, str]]:
    """Two questions with their answers, about creatures of the train split."""
    first, second = subjects(world, "eats", "train")[:2]
    return [
        (ask("eats", first, wording=WORDINGS["eats"][0]), plain_answer(world, "eats", first)),
        (ask("sleeps", second, wording=WORDINGS["sleeps"][0]), plain_answer(world, "sleeps", second)),
    ]


def by_prompt(prompts: Sequence[Prompt], responses: Iterable[Response]) -> list[tuple[Prompt, list[Answer]]]:
    """Sampled responses as labelers are given them: under their prompt, without the name of the model."""
    answers: dict[str, list[Answer]] = {prompt.id: [] for prompt in prompts}
    for response in responses:
        answers[response.prompt].append(Answer(id=response.id, text=response.text, token_ids=response.token_ids))
    return [(prompt, answers[prompt.id]) for prompt in prompts if answers[prompt.id]]


def as_prompt(row: Prompt) -> Prompt:
    """The prompt of a row that holds more than a prompt."""
    return Prompt(**{field.name: getattr(row, field.name) for field in fields(Prompt)})
